//! The properties of a message (AMQP 0-9-1 §4.2.6.1): flags, then the properties that are there.
//!
//! [`Properties`] lends them out of a content header, [`BasicProperties`] owns them. Strings are
//! bytes: RabbitMQ does not check them for UTF-8.

use field_table::{FieldTable, ShortStr};
use thiserror::Error;

use crate::Table;

/// No properties at all, as they lie in a content header.
pub const NO_PROPERTIES: &[u8] = &[0, 0];

/// The bits of the second octet of flags that belong to no property.
const STRAY_FLAGS: u8 = 0b11;

/// Why the bytes of a content header are not properties.
///
/// RabbitMQ has one answer for all of them: INTERNAL_ERROR, which closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PropertiesError {
    /// The bytes end before the last property does.
    #[error("properties end inside a property")]
    Truncated,
    /// Bytes follow the last property.
    #[error("{0} bytes follow the properties")]
    TrailingBytes(usize),
    /// The headers are no field table.
    #[error("headers: {0}")]
    Headers(#[from] field_table::DecodeError),
}

/// The properties in the order of their flags, highest bit first.
///
/// The two lowest bits mean nothing: RabbitMQ ignores them, also the one that should announce more
/// flags (§4.2.6.1), since no class has more than 14 properties.
#[derive(Clone, Copy)]
enum Flag {
    ContentType = 15,
    ContentEncoding = 14,
    Headers = 13,
    DeliveryMode = 12,
    Priority = 11,
    CorrelationId = 10,
    ReplyTo = 9,
    Expiration = 8,
    MessageId = 7,
    Timestamp = 6,
    Type = 5,
    UserId = 4,
    AppId = 3,
    ClusterId = 2,
}

/// The properties whose flags are set, in the order they lie in.
#[inline]
fn present(flags: u16) -> impl Iterator<Item = Flag> {
    let mut rest = flags;
    std::iter::from_fn(move || {
        let flag = *Flag::ALL.get(rest.leading_zeros() as usize)?;
        rest &= !flag.mask();
        Some(flag)
    })
}

/// How a property lies in the bytes.
#[derive(Clone, Copy)]
enum Shape {
    ShortStr,
    Table,
    Octet,
    Timestamp,
}

impl Flag {
    const ALL: [Self; 14] = [
        Self::ContentType,
        Self::ContentEncoding,
        Self::Headers,
        Self::DeliveryMode,
        Self::Priority,
        Self::CorrelationId,
        Self::ReplyTo,
        Self::Expiration,
        Self::MessageId,
        Self::Timestamp,
        Self::Type,
        Self::UserId,
        Self::AppId,
        Self::ClusterId,
    ];

    const fn mask(self) -> u16 {
        1 << self as u16
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Headers => Shape::Table,
            Self::DeliveryMode | Self::Priority => Shape::Octet,
            Self::Timestamp => Shape::Timestamp,
            Self::ContentType
            | Self::ContentEncoding
            | Self::CorrelationId
            | Self::ReplyTo
            | Self::Expiration
            | Self::MessageId
            | Self::Type
            | Self::UserId
            | Self::AppId
            | Self::ClusterId => Shape::ShortStr,
        }
    }
}

/// Splits a property of this shape off, without a length before it.
#[inline]
fn split_property(shape: Shape, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match shape {
        Shape::ShortStr => {
            let (&len, rest) = bytes.split_first()?;
            rest.split_at_checked(len.into())
        }
        Shape::Table => {
            let (len, rest) = bytes.split_first_chunk()?;
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
        }
        Shape::Octet => bytes.split_at_checked(1),
        Shape::Timestamp => bytes.split_at_checked(8),
    }
}

/// The properties of a message where they lie. Each getter looks its property up anew, past those
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Invariant: `raw` is well-formed, flags and properties.
pub struct Properties<'a> {
    raw: &'a [u8],
}

impl<'a> Properties<'a> {
    /// No properties at all.
    pub const EMPTY: Self = Self { raw: NO_PROPERTIES };

    /// Takes `raw` (flags and properties) if it is well-formed to the last byte, headers included.
    pub fn parse(raw: &'a [u8]) -> Result<Self, PropertiesError> {
        let (flags, mut rest) = raw.split_first_chunk().ok_or(PropertiesError::Truncated)?;
        let flags = u16::from_be_bytes(*flags);
        for flag in present(flags) {
            let shape = flag.shape();
            let (property, after) =
                split_property(shape, rest).ok_or(PropertiesError::Truncated)?;
            if let Shape::Table = shape {
                field_table::validate_table(property)?;
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(PropertiesError::TrailingBytes(rest.len()));
        }
        Ok(Self { raw })
    }

    /// Flags and properties, as they lie in a header.
    pub fn as_bytes(self) -> &'a [u8] {
        self.raw
    }

    /// Whether RabbitMQ would write the properties again as the same bytes: no flag is set that
    /// belongs to no property, and the headers are [canonical](field_table::is_canonical).
    ///
    /// RabbitMQ writes properties anew for all messages. Others than canonical ones go through
    /// [`BasicProperties`] to become so.
    pub fn is_canonical(self) -> bool {
        let stray_flags = self.raw.get(1).is_some_and(|low| low & STRAY_FLAGS != 0);
        let headers = self.find(Flag::Headers);
        !stray_flags && headers.is_none_or(field_table::is_canonical)
    }

    /// MIME type of the body.
    pub fn content_type(self) -> Option<&'a [u8]> {
        self.find(Flag::ContentType)
    }

    /// MIME encoding of the body.
    pub fn content_encoding(self) -> Option<&'a [u8]> {
        self.find(Flag::ContentEncoding)
    }

    /// The headers.
    pub fn headers(self) -> Option<Table<'a>> {
        self.find(Flag::Headers).map(Table::trusted)
    }

    /// 2 is persistent, anything else transient.
    pub fn delivery_mode(self) -> Option<u8> {
        self.find(Flag::DeliveryMode)?.first().copied()
    }

    /// The priority, as the publisher wrote it.
    pub fn priority(self) -> Option<u8> {
        self.find(Flag::Priority)?.first().copied()
    }

    /// Ties a reply to its request.
    pub fn correlation_id(self) -> Option<&'a [u8]> {
        self.find(Flag::CorrelationId)
    }

    /// Where a reply goes.
    pub fn reply_to(self) -> Option<&'a [u8]> {
        self.find(Flag::ReplyTo)
    }

    /// How long the message lives, in milliseconds, as decimal text.
    pub fn expiration(self) -> Option<&'a [u8]> {
        self.find(Flag::Expiration)
    }

    /// The publisher's name for the message.
    pub fn message_id(self) -> Option<&'a [u8]> {
        self.find(Flag::MessageId)
    }

    /// The publisher's clock, in seconds since 1970.
    pub fn timestamp(self) -> Option<u64> {
        Some(u64::from_be_bytes(*self.find(Flag::Timestamp)?.first_chunk()?))
    }

    /// The publisher's name for the kind of message.
    pub fn kind(self) -> Option<&'a [u8]> {
        self.find(Flag::Type)
    }

    /// The user the publisher claims to be.
    pub fn user_id(self) -> Option<&'a [u8]> {
        self.find(Flag::UserId)
    }

    /// The publishing application.
    pub fn app_id(self) -> Option<&'a [u8]> {
        self.find(Flag::AppId)
    }

    /// Of no meaning any more.
    pub fn cluster_id(self) -> Option<&'a [u8]> {
        self.find(Flag::ClusterId)
    }

    /// The bytes of the property with this flag, if it is there.
    #[inline]
    fn find(self, wanted: Flag) -> Option<&'a [u8]> {
        let (flags, mut rest) = self.raw.split_first_chunk()?;
        let flags = u16::from_be_bytes(*flags);
        if flags & wanted.mask() == 0 {
            return None;
        }
        for flag in present(flags) {
            let (property, after) = split_property(flag.shape(), rest)?;
            if flag as u8 == wanted as u8 {
                return Some(property);
            }
            rest = after;
        }
        None
    }
}

/// The properties of a message, owned: to make new ones or to change those that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasicProperties {
    /// MIME type of the body.
    pub content_type: Option<ShortStr>,
    /// MIME encoding of the body.
    pub content_encoding: Option<ShortStr>,
    /// The headers.
    pub headers: Option<FieldTable>,
    /// 2 is persistent, anything else transient.
    pub delivery_mode: Option<u8>,
    /// The priority.
    pub priority: Option<u8>,
    /// Ties a reply to its request.
    pub correlation_id: Option<ShortStr>,
    /// Where a reply goes.
    pub reply_to: Option<ShortStr>,
    /// How long the message lives, in milliseconds, as decimal text.
    pub expiration: Option<ShortStr>,
    /// The publisher's name for the message.
    pub message_id: Option<ShortStr>,
    /// The publisher's clock, in seconds since 1970.
    pub timestamp: Option<u64>,
    /// The publisher's name for the kind of message (`type` on the wire).
    pub kind: Option<ShortStr>,
    /// The user the publisher claims to be.
    pub user_id: Option<ShortStr>,
    /// The publishing application.
    pub app_id: Option<ShortStr>,
    /// Of no meaning any more.
    pub cluster_id: Option<ShortStr>,
}

impl BasicProperties {
    /// Appends flags and properties, as they lie in a content header.
    ///
    /// # Panics
    /// If the headers take 4 GiB or more.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(NO_PROPERTIES);
        let mut flags = 0;
        for flag in Flag::ALL {
            if self.put(flag, out) {
                flags |= flag.mask();
            }
        }
        out[start..start + 2].copy_from_slice(&flags.to_be_bytes());
    }

    /// Flags and properties in a buffer of their own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// The properties that `raw` (flags and properties) holds.
    pub fn decode(raw: &[u8]) -> Result<Self, PropertiesError> {
        Properties::parse(raw).map(Self::from)
    }

    /// Appends one property and says whether there was one.
    fn put(&self, flag: Flag, out: &mut Vec<u8>) -> bool {
        match flag {
            Flag::ContentType => put_short_str(self.content_type.as_ref(), out),
            Flag::ContentEncoding => put_short_str(self.content_encoding.as_ref(), out),
            Flag::Headers => self.headers.as_ref().map(|headers| headers.encode(out)).is_some(),
            Flag::DeliveryMode => self.delivery_mode.map(|mode| out.push(mode)).is_some(),
            Flag::Priority => self.priority.map(|priority| out.push(priority)).is_some(),
            Flag::CorrelationId => put_short_str(self.correlation_id.as_ref(), out),
            Flag::ReplyTo => put_short_str(self.reply_to.as_ref(), out),
            Flag::Expiration => put_short_str(self.expiration.as_ref(), out),
            Flag::MessageId => put_short_str(self.message_id.as_ref(), out),
            Flag::Timestamp => {
                self.timestamp.map(|time| out.extend_from_slice(&time.to_be_bytes())).is_some()
            }
            Flag::Type => put_short_str(self.kind.as_ref(), out),
            Flag::UserId => put_short_str(self.user_id.as_ref(), out),
            Flag::AppId => put_short_str(self.app_id.as_ref(), out),
            Flag::ClusterId => put_short_str(self.cluster_id.as_ref(), out),
        }
    }
}

impl From<Properties<'_>> for BasicProperties {
    fn from(properties: Properties<'_>) -> Self {
        let owned = |bytes: &[u8]| {
            ShortStr::new(bytes).expect("the length of a short string came from one octet")
        };
        Self {
            content_type: properties.content_type().map(owned),
            content_encoding: properties.content_encoding().map(owned),
            headers: properties.headers().map(Table::decode),
            delivery_mode: properties.delivery_mode(),
            priority: properties.priority(),
            correlation_id: properties.correlation_id().map(owned),
            reply_to: properties.reply_to().map(owned),
            expiration: properties.expiration().map(owned),
            message_id: properties.message_id().map(owned),
            timestamp: properties.timestamp(),
            kind: properties.kind().map(owned),
            user_id: properties.user_id().map(owned),
            app_id: properties.app_id().map(owned),
            cluster_id: properties.cluster_id().map(owned),
        }
    }
}

fn put_short_str(value: Option<&ShortStr>, out: &mut Vec<u8>) -> bool {
    let Some(value) = value else {
        return false;
    };
    let len = u8::try_from(value.len()).expect("a short string has at most 255 bytes");
    out.push(len);
    out.extend_from_slice(value.as_bytes());
    true
}

#[cfg(test)]
mod tests;
