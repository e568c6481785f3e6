//! JSON values inside CBOR: as their text.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use serde_json::Value;

pub(crate) fn encode<C, W: Write>(
    value: &Value,
    encoder: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    encoder.str(&value.to_string())?;
    Ok(())
}

pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Value, DecodeError> {
    serde_json::from_str(decoder.str()?).map_err(DecodeError::message)
}
