//! Field values that own their bytes.

use crate::scan::descend;
use crate::{ArrayScanner, DecodeError, FieldTable, ValueRef};

/// A decimal number: `value` divided by ten to the power of `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// How many digits stand after the point.
    pub scale: u8,
    /// The digits. RabbitMQ reads them as unsigned.
    pub value: u32,
}

/// A value of one of the types that RabbitMQ knows; each variant names its type octet.
#[derive(Clone, Debug)]
pub enum FieldValue {
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
    /// `l`; what came as `L` leaves as `l`, as from RabbitMQ
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`
    Decimal(Decimal),
    /// `S`: any bytes, mostly UTF-8
    LongStr(Box<[u8]>),
    /// `T`: seconds since 1970
    Timestamp(u64),
    /// `F`
    Table(FieldTable),
    /// `A`
    Array(Vec<Self>),
    /// `x`
    Binary(Box<[u8]>),
    /// `V`
    Void,
}

impl FieldValue {
    /// RabbitMQ's name of the type, as its error texts and its HTTP API give it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::I8(_) => "byte",
            Self::U8(_) => "unsignedbyte",
            Self::I16(_) => "short",
            Self::U16(_) => "unsignedshort",
            Self::I32(_) => "signedint",
            Self::U32(_) => "unsignedint",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Decimal(_) => "decimal",
            Self::LongStr(_) => "longstr",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Array(_) => "array",
            Self::Binary(_) => "binary",
            Self::Void => "void",
        }
    }

    /// The octet that announces the type on the wire.
    pub fn type_octet(&self) -> u8 {
        match self {
            Self::Bool(_) => b't',
            Self::I8(_) => b'b',
            Self::U8(_) => b'B',
            Self::I16(_) => b's',
            Self::U16(_) => b'u',
            Self::I32(_) => b'I',
            Self::U32(_) => b'i',
            Self::I64(_) => b'l',
            Self::F32(_) => b'f',
            Self::F64(_) => b'd',
            Self::Decimal(_) => b'D',
            Self::LongStr(_) => b'S',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Array(_) => b'A',
            Self::Binary(_) => b'x',
            Self::Void => b'V',
        }
    }

    /// The number, if the value is an integer of any width (no timestamp, no decimal).
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::I8(value) => Some((*value).into()),
            Self::U8(value) => Some((*value).into()),
            Self::I16(value) => Some((*value).into()),
            Self::U16(value) => Some((*value).into()),
            Self::I32(value) => Some((*value).into()),
            Self::U32(value) => Some((*value).into()),
            Self::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if the value is a long string of UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.as_long_str()?).ok()
    }

    /// The bytes, if the value is a long string.
    pub fn as_long_str(&self) -> Option<&[u8]> {
        match self {
            Self::LongStr(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The table, if the value is one.
    pub fn as_table(&self) -> Option<&FieldTable> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The values, if the value is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// Appends the type octet and the value.
    ///
    /// # Panics
    /// If a string, table or array holds 4 GiB or more: its length has 32 bits.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.type_octet());
        match self {
            Self::Bool(value) => out.push((*value).into()),
            Self::I8(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::U8(value) => out.push(*value),
            Self::I16(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::U16(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::I32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::U32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::I64(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::F32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::F64(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Decimal(Decimal { scale, value }) => {
                out.push(*scale);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::LongStr(bytes) | Self::Binary(bytes) => {
                with_length(out, |out| out.extend_from_slice(bytes));
            }
            Self::Timestamp(seconds) => out.extend_from_slice(&seconds.to_be_bytes()),
            Self::Table(table) => table.encode(out),
            Self::Array(values) => {
                with_length(out, |out| values.iter().for_each(|value| value.encode(out)));
            }
            Self::Void => {}
        }
    }

    /// The value that `bytes` (a type octet and what follows it) start with, and the bytes after it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (value, rest) = ValueRef::split(bytes)?;
        Ok((Self::from_ref(value, 0)?, rest))
    }

    /// An owned copy of `value`, which has `depth` tables and arrays around it.
    pub(crate) fn from_ref(value: ValueRef<'_>, depth: usize) -> Result<Self, DecodeError> {
        Ok(match value {
            ValueRef::Bool(value) => Self::Bool(value),
            ValueRef::I8(value) => Self::I8(value),
            ValueRef::U8(value) => Self::U8(value),
            ValueRef::I16(value) => Self::I16(value),
            ValueRef::U16(value) => Self::U16(value),
            ValueRef::I32(value) => Self::I32(value),
            ValueRef::U32(value) => Self::U32(value),
            ValueRef::I64(value) => Self::I64(value),
            ValueRef::F32(value) => Self::F32(value),
            ValueRef::F64(value) => Self::F64(value),
            ValueRef::Decimal(value) => Self::Decimal(value),
            ValueRef::LongStr(bytes) => Self::LongStr(bytes.into()),
            ValueRef::Timestamp(seconds) => Self::Timestamp(seconds),
            ValueRef::Table(fields) => Self::Table(FieldTable::from_fields(fields, depth)?),
            ValueRef::Array(values) => {
                let depth = descend(depth)?;
                let owned = ArrayScanner::new(values).map(|value| Self::from_ref(value?, depth));
                Self::Array(owned.collect::<Result<_, _>>()?)
            }
            ValueRef::Binary(bytes) => Self::Binary(bytes.into()),
            ValueRef::Void => Self::Void,
        })
    }
}

/// Equal when the bytes on the wire are: floats compare by their bits, so that equality is total.
impl PartialEq for FieldValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I8(a), Self::I8(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            (Self::I16(a), Self::I16(b)) => a == b,
            (Self::U16(a), Self::U16(b)) => a == b,
            (Self::I32(a), Self::I32(b)) => a == b,
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::LongStr(a), Self::LongStr(b)) | (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Table(a), Self::Table(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Void, Self::Void) => true,
            _ => false,
        }
    }
}

impl Eq for FieldValue {}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for FieldValue {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<f64> for FieldValue {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::LongStr(text.as_bytes().into())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::LongStr(text.into_bytes().into())
    }
}

impl From<&[u8]> for FieldValue {
    fn from(bytes: &[u8]) -> Self {
        Self::LongStr(bytes.into())
    }
}

impl From<FieldTable> for FieldValue {
    fn from(table: FieldTable) -> Self {
        Self::Table(table)
    }
}

impl From<Vec<Self>> for FieldValue {
    fn from(values: Vec<Self>) -> Self {
        Self::Array(values)
    }
}

/// Appends what `write` appends, with the 32-bit length before it.
pub(crate) fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = u32::try_from(out.len() - start - 4).expect("a table has fewer than 4 GiB");
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}
