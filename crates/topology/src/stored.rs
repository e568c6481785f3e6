//! Bytes that are kept: a version, then CBOR with numbered fields.

pub(crate) mod json;
pub(crate) mod snapshot;
pub(crate) mod table;

use minicbor::{Decode, Decoder, Encode};
use thiserror::Error;

/// The version of all that is stored. A change that old code would misread needs another one.
const VERSION: u8 = 1;

/// Why stored bytes are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoredError {
    /// There are no bytes at all.
    #[error("nothing is stored")]
    Empty,
    /// They were written by a version that this one does not know.
    #[error("stored in format {0}, this program knows format {VERSION}")]
    UnknownVersion(u8),
    /// They are damaged.
    #[error("stored bytes are damaged: {0}")]
    Damaged(String),
    /// They contradict themselves.
    #[error("stored state contradicts itself: {0}")]
    Inconsistent(String),
}

pub(crate) fn to_bytes<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    minicbor::encode(value, &mut bytes).expect("a vector takes all bytes");
    bytes
}

pub(crate) fn from_bytes<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, StoredError> {
    let (version, body) = bytes.split_first().ok_or(StoredError::Empty)?;
    if *version != VERSION {
        return Err(StoredError::UnknownVersion(*version));
    }
    let damaged = |error: minicbor::decode::Error| StoredError::Damaged(error.to_string());
    let mut decoder = Decoder::new(body);
    let value = decoder.decode().map_err(damaged)?;
    if decoder.position() != body.len() {
        return Err(StoredError::Damaged("bytes follow the end".to_owned()));
    }
    Ok(value)
}
