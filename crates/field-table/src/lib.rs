//! AMQP 0-9-1 field tables as RabbitMQ reads and writes them: the type octets, the widths, the
//! quirks (`l` and `L` both signed 64 bits, `i` unsigned although the specification says signed).
//!
//! Three views of the same bytes, from cheap to convenient:
//! - [`validate_table`] and [`validate_array`] walk the bytes and keep nothing;
//! - [`TableScanner`] and [`ValueRef`] lend keys and values out of the bytes, without allocating;
//! - [`FieldTable`] and [`FieldValue`] own them.
//!
//! This crate knows no frame, method or broker word: arguments, headers, `x-match` and the like are
//! for its users. It reads no clock, file or socket.
#![forbid(unsafe_code)]

mod error;
mod scan;
mod short_str;
mod table;
mod value;

pub use error::{DecodeError, ShortStrTooLong};
pub use scan::{
    ArrayScanner, TableScanner, ValueRef, is_canonical, validate_array, validate_table,
};
pub use short_str::{ShortStr, text_of};
pub use table::FieldTable;
pub use value::{Decimal, FieldValue};

/// How many tables and arrays may lie inside each other, the outermost counted as one.
///
/// RabbitMQ has no limit of its own (it takes 200 levels without a word): its parser's stack grows on
/// the heap. Ours is the thread's, so that a frame full of table openings has to be refused.
pub const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
