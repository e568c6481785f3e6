//! What can be wrong with a table.

use thiserror::Error;

/// Why bytes are not a field table.
///
/// RabbitMQ tells these apart in no reply: its parser has no clause for them, and the connection or
/// channel that asked dies of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A key, a value or a length announces more bytes than there are.
    #[error("field table ends inside a field")]
    Truncated,
    /// The octet in the place of a type names none of RabbitMQ's types.
    #[error("unknown field type {0}")]
    UnknownType(u8),
    /// A float that is infinite or not a number: Erlang has none, RabbitMQ refuses them.
    #[error("field value is not a finite number")]
    NotFinite,
    /// Tables and arrays lie in each other deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    #[error("field tables nested more than {} deep", crate::MAX_DEPTH)]
    TooDeep,
    /// Bytes follow the end of the table.
    #[error("{0} bytes follow the field table")]
    TrailingBytes(usize),
}

/// More than 255 bytes where one octet holds the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("short string of {len} bytes exceeds 255")]
pub struct ShortStrTooLong {
    /// How many bytes there were.
    pub len: usize,
}
