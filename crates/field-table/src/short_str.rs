//! Short strings: the keys of tables.

use std::borrow::Cow;
use std::fmt;

use crate::ShortStrTooLong;

/// An owned string of at most 255 bytes.
///
/// Bytes rather than text, since RabbitMQ checks neither the keys of a table nor the properties of a
/// message for UTF-8.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Invariant: at most 255 bytes, so that every value can be encoded.
pub struct ShortStr(Box<[u8]>);

impl ShortStr {
    /// The most bytes a short string holds.
    pub const MAX_LEN: usize = u8::MAX as usize;

    /// Copies `bytes`, which may be a `&str`; fails on more than 255 of them.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ShortStrTooLong> {
        let bytes = bytes.as_ref();
        if Self::MAX_LEN < bytes.len() {
            return Err(ShortStrTooLong { len: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }

    /// A name written in the program, such as `"x-death"`.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes, which is the program's own mistake. What comes from
    /// elsewhere goes through [`ShortStr::new`].
    pub fn literal(name: &'static str) -> Self {
        Self::new(name).expect("names in the program have at most 255 bytes")
    }

    /// The bytes of a short string on the wire, whose length one octet held.
    pub(crate) fn from_wire(bytes: &[u8]) -> Self {
        debug_assert!(bytes.len() <= Self::MAX_LEN);
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if the bytes are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// The text as RabbitMQ prints it, see [`text_of`].
    pub fn to_text(&self) -> Cow<'_, str> {
        text_of(&self.0)
    }

    /// How many bytes, 0 to 255.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `bytes` as text, the way RabbitMQ puts names into error texts (Erlang's `~ts`): as UTF-8 if they
/// are that, otherwise each byte as the Latin-1 character it is.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

impl AsRef<[u8]> for ShortStr {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&str> for ShortStr {
    type Error = ShortStrTooLong;

    fn try_from(text: &str) -> Result<Self, ShortStrTooLong> {
        Self::new(text)
    }
}

impl TryFrom<&[u8]> for ShortStr {
    type Error = ShortStrTooLong;

    fn try_from(bytes: &[u8]) -> Result<Self, ShortStrTooLong> {
        Self::new(bytes)
    }
}

impl PartialEq<str> for ShortStr {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for ShortStr {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<[u8]> for ShortStr {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl fmt::Debug for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => text.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

impl fmt::Display for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
