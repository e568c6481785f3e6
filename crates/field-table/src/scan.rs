//! The one reader of the wire format: it lends values out of the bytes and never allocates.

use crate::{DecodeError, MAX_DEPTH};

/// A field value that still lies in the bytes it was read from.
///
/// Tables and arrays hold the bytes after their length, unread: scan them in turn with
/// [`TableScanner`] and [`ArrayScanner`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// `t`
    Bool(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`, and `L` too
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`
    Decimal(crate::Decimal),
    /// `S`
    LongStr(&'a [u8]),
    /// `T`: seconds since 1970
    Timestamp(u64),
    /// `F`: the fields, without the length before them
    Table(&'a [u8]),
    /// `A`: the values, without the length before them
    Array(&'a [u8]),
    /// `x`
    Binary(&'a [u8]),
    /// `V`
    Void,
}

impl<'a> ValueRef<'a> {
    /// Reads a type octet and the value of that type; returns it with the bytes after it.
    ///
    /// What lies inside a table or array is not looked at.
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (&kind, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        match kind {
            b'S' => long_bytes(rest).map(|(value, rest)| (Self::LongStr(value), rest)),
            b't' => fixed(rest, |[octet]| Self::Bool(octet != 0)),
            b'b' => fixed(rest, |octets| Self::I8(i8::from_be_bytes(octets))),
            b'B' => fixed(rest, |[octet]| Self::U8(octet)),
            b's' => fixed(rest, |octets| Self::I16(i16::from_be_bytes(octets))),
            b'u' => fixed(rest, |octets| Self::U16(u16::from_be_bytes(octets))),
            b'I' => fixed(rest, |octets| Self::I32(i32::from_be_bytes(octets))),
            b'i' => fixed(rest, |octets| Self::U32(u32::from_be_bytes(octets))),
            // RabbitMQ reads both as signed and writes only `l` (errata of AMQP 0-9-1, §3).
            b'l' | b'L' => fixed(rest, |octets| Self::I64(i64::from_be_bytes(octets))),
            b'f' => finite(fixed(rest, |octets| Self::F32(f32::from_be_bytes(octets)))),
            b'd' => finite(fixed(rest, |octets| Self::F64(f64::from_be_bytes(octets)))),
            b'D' => fixed(rest, |[scale, value @ ..]: [u8; 5]| {
                Self::Decimal(crate::Decimal { scale, value: u32::from_be_bytes(value) })
            }),
            b'T' => fixed(rest, |octets| Self::Timestamp(u64::from_be_bytes(octets))),
            b'F' => long_bytes(rest).map(|(fields, rest)| (Self::Table(fields), rest)),
            b'A' => long_bytes(rest).map(|(values, rest)| (Self::Array(values), rest)),
            b'x' => long_bytes(rest).map(|(value, rest)| (Self::Binary(value), rest)),
            b'V' => Ok((Self::Void, rest)),
            unknown => Err(DecodeError::UnknownType(unknown)),
        }
    }

    /// The number, if the value is an integer of any width (no timestamp, no decimal).
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Self::I8(value) => Some(value.into()),
            Self::U8(value) => Some(value.into()),
            Self::I16(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::I32(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::I64(value) => Some(value),
            Self::Bool(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Decimal(_)
            | Self::LongStr(_)
            | Self::Timestamp(_)
            | Self::Table(_)
            | Self::Array(_)
            | Self::Binary(_)
            | Self::Void => None,
        }
    }

    /// The bytes, if the value is a long string.
    pub fn as_long_str(self) -> Option<&'a [u8]> {
        match self {
            Self::LongStr(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether everything inside is well-formed, `depth` tables and arrays being around it.
    fn validate(self, depth: usize) -> Result<(), DecodeError> {
        match self {
            Self::Table(fields) => validate_fields(fields, depth),
            Self::Array(values) => validate_values(values, depth),
            _ => Ok(()),
        }
    }
}

/// Whether `fields` (a table without the length before it) is well-formed to the last byte, nested
/// tables and arrays included.
pub fn validate_table(fields: &[u8]) -> Result<(), DecodeError> {
    validate_fields(fields, 0)
}

/// Whether `values` (an array without the length before it) is well-formed to the last byte.
pub fn validate_array(values: &[u8]) -> Result<(), DecodeError> {
    validate_values(values, 0)
}

/// Whether `fields` (a well-formed table without the length before it) would be written again as the
/// same bytes.
///
/// Two things on the wire have a second spelling that RabbitMQ reads but never writes: a long as `L`
/// and a truth value as an octet above 1. Of damaged fields the answer is `false`.
pub fn is_canonical(fields: &[u8]) -> bool {
    descend(0).is_ok_and(|depth| are_fields_canonical(fields, depth))
}

fn are_fields_canonical(mut rest: &[u8], depth: usize) -> bool {
    while let Some((&len, key_and_value)) = rest.split_first() {
        let Some(value) = key_and_value.get(usize::from(len)..) else {
            return false;
        };
        match split_canonical(value, depth) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

fn are_values_canonical(mut rest: &[u8], depth: usize) -> bool {
    while !rest.is_empty() {
        match split_canonical(rest, depth) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// The bytes after a value, if all of it is canonical; `depth` tables and arrays are around it.
fn split_canonical(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let (value, after) = ValueRef::split(bytes).ok()?;
    let is_canonical = match (value, bytes) {
        (ValueRef::I64(_), [b'L', ..]) | (ValueRef::Bool(_), [_, 2..=255, ..]) => false,
        (ValueRef::Table(fields), _) => are_fields_canonical(fields, descend(depth).ok()?),
        (ValueRef::Array(values), _) => are_values_canonical(values, descend(depth).ok()?),
        _ => true,
    };
    is_canonical.then_some(after)
}

fn validate_fields(fields: &[u8], depth: usize) -> Result<(), DecodeError> {
    let depth = descend(depth)?;
    TableScanner::new(fields).try_for_each(|field| field?.1.validate(depth))
}

fn validate_values(values: &[u8], depth: usize) -> Result<(), DecodeError> {
    let depth = descend(depth)?;
    ArrayScanner::new(values).try_for_each(|value| value?.validate(depth))
}

/// The depth inside a table or array that lies at `depth`.
pub(crate) fn descend(depth: usize) -> Result<usize, DecodeError> {
    if MAX_DEPTH <= depth {
        return Err(DecodeError::TooDeep);
    }
    Ok(depth + 1)
}

/// Iterates over the fields of a table without allocating: `(key, value)` in wire order.
///
/// An error ends the iteration. Over bytes that [`validate_table`] accepted there is none.
#[derive(Clone, Debug)]
pub struct TableScanner<'a> {
    rest: &'a [u8],
}

impl<'a> TableScanner<'a> {
    /// Over `fields`: a table without the length before it.
    pub fn new(fields: &'a [u8]) -> Self {
        Self { rest: fields }
    }

    /// The value of the first field named `key`; none too if damage comes before it.
    ///
    /// Looks the table through from its start, since tables carry no index.
    pub fn find(fields: &'a [u8], key: impl AsRef<[u8]>) -> Option<ValueRef<'a>> {
        let key = key.as_ref();
        Self::new(fields).map_while(Result::ok).find(|(name, _)| *name == key).map(|field| field.1)
    }

    fn split_field(bytes: &'a [u8]) -> Result<(&'a [u8], ValueRef<'a>, &'a [u8]), DecodeError> {
        let (&len, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        let (key, rest) = rest.split_at_checked(len.into()).ok_or(DecodeError::Truncated)?;
        let (value, rest) = ValueRef::split(rest)?;
        Ok((key, value, rest))
    }
}

impl<'a> Iterator for TableScanner<'a> {
    type Item = Result<(&'a [u8], ValueRef<'a>), DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Self::split_field(self.rest) {
            Ok((key, value, rest)) => {
                self.rest = rest;
                Some(Ok((key, value)))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Iterates over the values of an array without allocating. An error ends the iteration.
#[derive(Clone, Debug)]
pub struct ArrayScanner<'a> {
    rest: &'a [u8],
}

impl<'a> ArrayScanner<'a> {
    /// Over `values`: an array without the length before it.
    pub fn new(values: &'a [u8]) -> Self {
        Self { rest: values }
    }
}

impl<'a> Iterator for ArrayScanner<'a> {
    type Item = Result<ValueRef<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match ValueRef::split(self.rest) {
            Ok((value, rest)) => {
                self.rest = rest;
                Some(Ok(value))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Splits off a 32-bit length and as many bytes.
#[inline]
pub(crate) fn long_bytes(bytes: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let (len, rest) = bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| DecodeError::Truncated)?;
    rest.split_at_checked(len).ok_or(DecodeError::Truncated)
}

/// Splits off `N` octets and makes a value of them.
#[inline]
fn fixed<'a, const N: usize>(
    bytes: &'a [u8],
    value: impl FnOnce([u8; N]) -> ValueRef<'a>,
) -> Result<(ValueRef<'a>, &'a [u8]), DecodeError> {
    let (octets, rest) = bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
    Ok((value(*octets), rest))
}

fn finite<'a>(
    read: Result<(ValueRef<'a>, &'a [u8]), DecodeError>,
) -> Result<(ValueRef<'a>, &'a [u8]), DecodeError> {
    match read {
        Ok((ValueRef::F32(value), _)) if !value.is_finite() => Err(DecodeError::NotFinite),
        Ok((ValueRef::F64(value), _)) if !value.is_finite() => Err(DecodeError::NotFinite),
        other => other,
    }
}
