//! The domains of AMQP 0-9-1 (§4.2.5): how each type of argument lies in a method.

use std::borrow::Cow;
use std::ops::Deref;

use field_table::{FieldTable, TableScanner, ValueRef, text_of, validate_table};

/// Takes arguments off the front of a payload.
///
/// Bits that follow each other share an octet, lowest first (§4.2.5.2).
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// The octet that bits come from at present, and how many were taken of it.
    bits: u8,
    bits_taken: u8,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, bits: 0, bits_taken: 0 }
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bits_taken = 0;
        let (octets, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*octets)
    }

    #[inline]
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    #[inline]
    fn short_bytes(&mut self) -> Option<&'a [u8]> {
        let [len] = self.fixed()?;
        self.bytes(len.into())
    }

    #[inline]
    fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_be_bytes(self.fixed()?);
        self.bytes(usize::try_from(len).ok()?)
    }

    #[inline]
    fn bit(&mut self) -> Option<bool> {
        if self.bits_taken == 0 || self.bits_taken == 8 {
            [self.bits] = self.fixed()?;
        }
        let bit = self.bits >> self.bits_taken & 1;
        self.bits_taken += 1;
        Some(bit != 0)
    }
}

/// Appends arguments to a buffer.
pub(crate) struct Writer<'out> {
    out: &'out mut Vec<u8>,
    /// How many bits the last octet holds; 0 when it is not one of bits.
    bits_put: u8,
}

impl<'out> Writer<'out> {
    #[inline]
    pub(crate) fn new(out: &'out mut Vec<u8>) -> Self {
        Self { out, bits_put: 0 }
    }

    #[inline]
    fn fixed(&mut self, octets: &[u8]) {
        self.bits_put = 0;
        self.out.extend_from_slice(octets);
    }

    #[inline]
    fn short_bytes(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(255)];
        self.fixed(&[bytes.len() as u8]);
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn long_bytes(&mut self, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).expect("a frame has fewer than 4 GiB");
        self.fixed(&len.to_be_bytes());
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn bit(&mut self, value: bool) {
        if self.bits_put == 0 || self.bits_put == 8 {
            self.fixed(&[0]);
        }
        if let Some(octet) = self.out.last_mut() {
            *octet |= u8::from(value) << self.bits_put;
        }
        self.bits_put += 1;
    }
}

/// Why an argument of the right length is refused.
pub(crate) enum FieldError {
    Utf8,
    Table(field_table::DecodeError),
}

/// A type of argument.
///
/// Reading has two steps, since RabbitMQ first finds out whether the arguments fill the frame
/// exactly, and only then looks into strings and tables.
pub(crate) trait Field<'a>: Sized {
    /// The argument as taken off the frame.
    type Raw;
    fn take(reader: &mut Reader<'a>) -> Option<Self::Raw>;
    fn check(raw: Self::Raw) -> Result<Self, FieldError>;
    fn put(&self, writer: &mut Writer<'_>);
}

macro_rules! integer_fields {
    ($($integer:ty),*) => {$(
        impl<'a> Field<'a> for $integer {
            type Raw = Self;

            #[inline]
            fn take(reader: &mut Reader<'a>) -> Option<Self> {
                reader.fixed().map(Self::from_be_bytes)
            }

            #[inline]
            fn check(raw: Self) -> Result<Self, FieldError> {
                Ok(raw)
            }

            #[inline]
            fn put(&self, writer: &mut Writer<'_>) {
                writer.fixed(&self.to_be_bytes());
            }
        }
    )*};
}

integer_fields!(u8, u16, u32, u64);

/// A bit.
impl<'a> Field<'a> for bool {
    type Raw = Self;

    #[inline]
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        reader.bit()
    }

    #[inline]
    fn check(raw: Self) -> Result<Self, FieldError> {
        Ok(raw)
    }

    #[inline]
    fn put(&self, writer: &mut Writer<'_>) {
        writer.bit(*self);
    }
}

/// A short string. One of more than 255 bytes is cut before the character that does not fit: texts
/// that can be longer have gone through [`reply_text`](crate::reply_text) or were short when they
/// came.
impl<'a> Field<'a> for &'a str {
    type Raw = &'a [u8];

    #[inline]
    fn take(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.short_bytes()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<Self, FieldError> {
        str::from_utf8(raw).map_err(|_| FieldError::Utf8)
    }

    #[inline]
    fn put(&self, writer: &mut Writer<'_>) {
        writer.short_bytes(&self.as_bytes()[..self.floor_char_boundary(255)]);
    }
}

/// A long string.
impl<'a> Field<'a> for &'a [u8] {
    type Raw = Self;

    #[inline]
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        reader.long_bytes()
    }

    #[inline]
    fn check(raw: Self) -> Result<Self, FieldError> {
        Ok(raw)
    }

    #[inline]
    fn put(&self, writer: &mut Writer<'_>) {
        writer.long_bytes(self);
    }
}

/// A short string that nobody has checked for UTF-8.
///
/// RabbitMQ skips that check, for speed, in the methods that carry content: exchange and routing
/// key of a publish may be any bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShortBytes<'a>(pub &'a [u8]);

impl<'a> ShortBytes<'a> {
    /// The bytes, 255 at most when they came off a frame.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if the bytes are UTF-8.
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        str::from_utf8(self.0).ok()
    }

    /// The text as RabbitMQ prints it in errors, see [`text_of`].
    pub fn to_text(self) -> Cow<'a, str> {
        text_of(self.0)
    }
}

impl Deref for ShortBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl<'a> From<&'a str> for ShortBytes<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for ShortBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl PartialEq<str> for ShortBytes<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for ShortBytes<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl<'a> Field<'a> for ShortBytes<'a> {
    type Raw = &'a [u8];

    #[inline]
    fn take(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.short_bytes()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<Self, FieldError> {
        Ok(Self(raw))
    }

    #[inline]
    fn put(&self, writer: &mut Writer<'_>) {
        writer.short_bytes(self.0);
    }
}

/// A field table that lies in a frame and is known to be well-formed: the fields without the length
/// before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Invariant: `validate_table` accepts the bytes.
pub struct Table<'a>(&'a [u8]);

impl<'a> Table<'a> {
    /// No fields.
    pub const EMPTY: Self = Self(&[]);

    /// Takes `fields` (without the length before them) if they are well-formed to the last byte,
    /// nested tables included.
    pub fn new(fields: &'a [u8]) -> Result<Self, field_table::DecodeError> {
        validate_table(fields)?;
        Ok(Self(fields))
    }

    /// Takes `fields` that were validated before, as part of what they lie in.
    pub(crate) fn trusted(fields: &'a [u8]) -> Self {
        debug_assert!(validate_table(fields).is_ok());
        Self(fields)
    }

    /// The fields, without the length before them.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there are no fields.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The value of the first field named `key`, in place.
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<ValueRef<'a>> {
        TableScanner::find(self.0, key)
    }

    /// The fields in place, in wire order.
    pub fn scan(self) -> impl Iterator<Item = (&'a [u8], ValueRef<'a>)> {
        TableScanner::new(self.0).map_while(Result::ok)
    }

    /// An owned copy.
    pub fn decode(self) -> FieldTable {
        FieldTable::decode_fields(self.0).expect("a Table was validated when it was made")
    }
}

impl<'a> Field<'a> for Table<'a> {
    type Raw = &'a [u8];

    #[inline]
    fn take(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
        reader.long_bytes()
    }

    #[inline]
    fn check(raw: &'a [u8]) -> Result<Self, FieldError> {
        Self::new(raw).map_err(FieldError::Table)
    }

    #[inline]
    fn put(&self, writer: &mut Writer<'_>) {
        writer.long_bytes(self.0);
    }
}
