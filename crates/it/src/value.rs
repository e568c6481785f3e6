//! Field tables: RabbitMQ's field types as bytes and as text.
//!
//! Text: `5` (32 bits where it fits, else 64), `5:s` with the type's octet after a colon, `true`,
//! `"text"`, `void`, `{k=v, …}`, `[v, …]`, `0x00ff:x`, `1700000000:T`, `2.5:d`, `12345/2:D` (scale 2).

use crate::words::{parts, quote, unquote};

/// A value of a field table, one variant per type octet of RabbitMQ's dialect.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `t`
    Bool(bool),
    /// The integers, floats and times, by type octet (`b B s u I i l L f d T`), as big-endian bytes.
    Number(u8, Vec<u8>),
    /// `D`: scale and digits.
    Decimal(u8, u32),
    /// `S`
    LongString(Vec<u8>),
    /// `x`
    Binary(Vec<u8>),
    /// `V`
    Void,
    /// `F`
    Table(Vec<(String, Self)>),
    /// `A`
    Array(Vec<Self>),
    /// A type octet that does not exist, for tests of just that.
    Unknown(u8),
}

fn width(octet: u8) -> Option<usize> {
    match octet {
        b'b' | b'B' => Some(1),
        b's' | b'u' => Some(2),
        b'I' | b'i' | b'f' => Some(4),
        b'l' | b'L' | b'd' | b'T' => Some(8),
        _ => None,
    }
}

impl Value {
    /// Reads the text form.
    ///
    /// # Errors
    /// When it is none of the forms above.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('"') {
            return unquote(text).map(Self::LongString);
        }
        if let Some(inner) = text.strip_prefix('{') {
            return parse_table(inner.strip_suffix('}').ok_or("unclosed table")?).map(Self::Table);
        }
        if let Some(inner) = text.strip_prefix('[') {
            let items = parts(inner.strip_suffix(']').ok_or("unclosed array")?)?;
            let items: Result<Vec<Self>, String> = items.iter().map(|i| Self::parse(i)).collect();
            return items.map(Self::Array);
        }
        match text {
            "true" => return Ok(Self::Bool(true)),
            "false" => return Ok(Self::Bool(false)),
            "void" => return Ok(Self::Void),
            _ => {}
        }
        let (digits, octet) = match text.rsplit_once(':') {
            Some((digits, octet)) if octet.len() == 1 => (digits, octet.as_bytes()[0]),
            Some(_) => return Err(format!("not a field value: {text}")),
            None if text.parse::<i32>().is_ok() => (text, b'I'),
            None => (text, b'l'),
        };
        Self::parse_typed(digits, octet).ok_or_else(|| format!("not a field value: {text}"))
    }

    fn parse_typed(digits: &str, octet: u8) -> Option<Self> {
        match octet {
            b'x' => {
                let hex = digits.strip_prefix("0x")?;
                let bytes = (0..hex.len()).step_by(2);
                let bytes: Option<Vec<u8>> =
                    bytes.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
                Some(Self::Binary(bytes?))
            }
            b'D' => {
                let (digits, scale) = digits.split_once('/')?;
                Some(Self::Decimal(scale.parse().ok()?, digits.parse().ok()?))
            }
            b'f' => Some(Self::Number(octet, digits.parse::<f32>().ok()?.to_be_bytes().to_vec())),
            b'd' => Some(Self::Number(octet, digits.parse::<f64>().ok()?.to_be_bytes().to_vec())),
            _ => {
                let Some(width) = width(octet) else { return Some(Self::Unknown(octet)) };
                let number: i128 = digits.parse().ok()?;
                Some(Self::Number(octet, number.to_be_bytes()[16 - width..].to_vec()))
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.extend([b't', u8::from(*value)]),
            Self::Number(octet, bytes) => {
                out.push(*octet);
                out.extend(bytes);
            }
            Self::Decimal(scale, digits) => {
                out.extend([b'D', *scale]);
                out.extend(digits.to_be_bytes());
            }
            Self::LongString(bytes) => long(b'S', bytes, out),
            Self::Binary(bytes) => long(b'x', bytes, out),
            Self::Void => out.push(b'V'),
            Self::Unknown(octet) => out.push(*octet),
            Self::Table(fields) => {
                out.push(b'F');
                out.extend(encode_table(fields));
            }
            Self::Array(items) => {
                let mut inner = Vec::new();
                items.iter().for_each(|item| item.encode(&mut inner));
                long(b'A', &inner, out);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let octet = take(bytes, 1)?[0];
        Some(match octet {
            b't' => Self::Bool(take(bytes, 1)?[0] != 0),
            b'D' => {
                let raw = take(bytes, 5)?;
                Self::Decimal(raw[0], u32::from_be_bytes(raw[1..].try_into().ok()?))
            }
            b'S' => Self::LongString(take_long(bytes)?.to_vec()),
            b'x' => Self::Binary(take_long(bytes)?.to_vec()),
            b'V' => Self::Void,
            b'F' => Self::Table(decode_table(bytes)?),
            b'A' => {
                let mut inner = take_long(bytes)?;
                let mut items = Vec::new();
                while !inner.is_empty() {
                    items.push(Self::decode(&mut inner)?);
                }
                Self::Array(items)
            }
            _ => Self::Number(octet, take(bytes, width(octet)?)?.to_vec()),
        })
    }

    fn number_text(octet: u8, bytes: &[u8]) -> Option<String> {
        Some(match octet {
            b'f' => format!("{}:f", f32::from_be_bytes(bytes.try_into().ok()?)),
            b'd' => format!("{}:d", f64::from_be_bytes(bytes.try_into().ok()?)),
            _ => {
                let is_signed = matches!(octet, b'b' | b's' | b'I' | b'l' | b'L');
                let negative = is_signed && bytes.first().is_some_and(|first| 0x80 <= *first);
                let mut wide = [if negative { 0xff } else { 0 }; 16];
                wide[16 - bytes.len()..].copy_from_slice(bytes);
                let number = i128::from_be_bytes(wide);
                let bare = if i32::try_from(number).is_ok() { b'I' } else { b'l' };
                if octet == bare {
                    number.to_string()
                } else {
                    format!("{number}:{}", char::from(octet))
                }
            }
        })
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(octet, bytes) => {
                f.write_str(&Self::number_text(*octet, bytes).unwrap_or_else(|| "?".to_owned()))
            }
            Self::Decimal(scale, digits) => write!(f, "{digits}/{scale}:D"),
            Self::LongString(bytes) => f.write_str(&quote(bytes)),
            Self::Binary(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                write!(f, "0x{hex}:x")
            }
            Self::Void => f.write_str("void"),
            Self::Unknown(octet) => write!(f, "0:{}", char::from(*octet)),
            Self::Table(fields) => f.write_str(&table_text(fields)),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

fn long(octet: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(octet);
    let length = u32::try_from(bytes.len()).expect("test values are small");
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

pub(crate) fn take_long<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(take(bytes, 4)?.try_into().ok()?);
    take(bytes, usize::try_from(length).ok()?)
}

/// The fields of `k=v, k=v`.
pub(crate) fn parse_table(list: &str) -> Result<Vec<(String, Value)>, String> {
    let mut fields = Vec::new();
    for part in parts(list)? {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("expected k=v: {part}"))?;
        fields.push((key.to_owned(), Value::parse(value)?));
    }
    Ok(fields)
}

/// The text form of a table.
pub(crate) fn table_text(fields: &[(String, Value)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// A table with its length in front.
#[must_use]
pub fn encode_table(fields: &[(String, Value)]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (key, value) in fields {
        inner.push(u8::try_from(key.len()).expect("test keys are short"));
        inner.extend(key.as_bytes());
        value.encode(&mut inner);
    }
    let mut out = u32::try_from(inner.len()).expect("test tables are small").to_be_bytes().to_vec();
    out.extend(inner);
    out
}

/// Reads a table with its length in front; `None` when it is cut short or has an unknown type.
pub fn decode_table(bytes: &mut &[u8]) -> Option<Vec<(String, Value)>> {
    let mut inner = take_long(bytes)?;
    let mut fields = Vec::new();
    while !inner.is_empty() {
        let length = usize::from(take(&mut inner, 1)?[0]);
        let key = String::from_utf8_lossy(take(&mut inner, length)?).into_owned();
        fields.push((key, Value::decode(&mut inner)?));
    }
    Some(fields)
}
