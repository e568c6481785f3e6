//! Field tables that own their fields.

use crate::scan::{descend, long_bytes};
use crate::value::with_length;
use crate::{DecodeError, FieldValue, ShortStr, TableScanner};

/// Named values in the order they came in.
///
/// A key may stand in a table more than once, as on the wire; looking one up finds the first, as in
/// RabbitMQ. Lookups walk the table: the tables of arguments and headers are short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldTable(Vec<(ShortStr, FieldValue)>);

impl FieldTable {
    /// A table without fields. Does not allocate.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the first field named `key` (a `&str` or bytes).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&FieldValue> {
        let key = key.as_ref();
        self.0.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, value)| value)
    }

    /// As [`get`](Self::get), to change the value in its place.
    pub fn get_mut(&mut self, key: impl AsRef<[u8]>) -> Option<&mut FieldValue> {
        let key = key.as_ref();
        self.0.iter_mut().find(|(name, _)| name.as_bytes() == key).map(|(_, value)| value)
    }

    /// Whether a field is named `key`.
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> bool {
        self.get(key).is_some()
    }

    /// Gives the first field named `key` this value in its place, or appends a field. Returns the
    /// value that was there.
    pub fn insert(&mut self, key: ShortStr, value: impl Into<FieldValue>) -> Option<FieldValue> {
        match self.get_mut(&key) {
            Some(present) => Some(std::mem::replace(present, value.into())),
            None => {
                self.push(key, value);
                None
            }
        }
    }

    /// As [`insert`](Self::insert) for a name written in the program.
    ///
    /// # Panics
    /// If the name is longer than 255 bytes, see [`ShortStr::literal`].
    pub fn set(&mut self, key: &'static str, value: impl Into<FieldValue>) -> Option<FieldValue> {
        self.insert(ShortStr::literal(key), value)
    }

    /// As [`set`](Self::set), for building a table in one expression.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<FieldValue>) -> Self {
        self.set(key, value);
        self
    }

    /// Appends a field, whether or not its key is there already.
    pub fn push(&mut self, key: ShortStr, value: impl Into<FieldValue>) {
        self.0.push((key, value.into()));
    }

    /// Puts a field before all others.
    pub fn push_front(&mut self, key: ShortStr, value: impl Into<FieldValue>) {
        self.0.insert(0, (key, value.into()));
    }

    /// Takes the first field named `key` out and returns its value. The others keep their order.
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Option<FieldValue> {
        let key = key.as_ref();
        let idx = self.0.iter().position(|(name, _)| name.as_bytes() == key)?;
        Some(self.0.remove(idx).1)
    }

    /// Keeps the fields that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&ShortStr, &FieldValue) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// Orders the fields by key, byte by byte; equal keys keep their order.
    pub fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// Orders the fields by key and keeps the first of equal ones: RabbitMQ's form of a table that it
    /// had to write anew.
    pub fn sort_unique(&mut self) {
        self.sort();
        self.0.dedup_by(|(later, _), (earlier, _)| later == earlier);
    }

    /// The fields in their order.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&ShortStr, &FieldValue)> + ExactSizeIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the 32-bit length and the fields.
    ///
    /// # Panics
    /// If the table takes 4 GiB or more.
    pub fn encode(&self, out: &mut Vec<u8>) {
        with_length(out, |out| self.encode_fields(out));
    }

    /// Appends the fields without a length before them.
    ///
    /// # Panics
    /// If a value takes 4 GiB or more.
    pub fn encode_fields(&self, out: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            let len = u8::try_from(key.len()).expect("a short string has at most 255 bytes");
            out.push(len);
            out.extend_from_slice(key.as_bytes());
            value.encode(out);
        }
    }

    /// The table that `bytes` (length first) start with, and the bytes after it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (fields, rest) = long_bytes(bytes)?;
        Ok((Self::from_fields(fields, 0)?, rest))
    }

    /// The table that `bytes` (length first) hold and nothing else.
    pub fn decode_all(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (table, rest) = Self::decode(bytes)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes(rest.len()));
        }
        Ok(table)
    }

    /// The table whose fields are `bytes`, without a length before them.
    pub fn decode_fields(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_fields(bytes, 0)
    }

    /// Reads `(key, value)` pairs of a table (without the length before it) in place.
    pub fn scan(fields: &[u8]) -> TableScanner<'_> {
        TableScanner::new(fields)
    }

    /// An owned copy of `fields`, around which lie `depth` tables and arrays.
    pub(crate) fn from_fields(fields: &[u8], depth: usize) -> Result<Self, DecodeError> {
        let depth = descend(depth)?;
        let owned = TableScanner::new(fields).map(|field| {
            let (key, value) = field?;
            Ok((ShortStr::from_wire(key), FieldValue::from_ref(value, depth)?))
        });
        Ok(Self(owned.collect::<Result<_, _>>()?))
    }
}

impl FromIterator<(ShortStr, FieldValue)> for FieldTable {
    fn from_iter<I: IntoIterator<Item = (ShortStr, FieldValue)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Extend<(ShortStr, FieldValue)> for FieldTable {
    fn extend<I: IntoIterator<Item = (ShortStr, FieldValue)>>(&mut self, fields: I) {
        self.0.extend(fields);
    }
}

impl IntoIterator for FieldTable {
    type Item = (ShortStr, FieldValue);
    type IntoIter = std::vec::IntoIter<(ShortStr, FieldValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a FieldTable {
    type Item = &'a (ShortStr, FieldValue);
    type IntoIter = std::slice::Iter<'a, (ShortStr, FieldValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
