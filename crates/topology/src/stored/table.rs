//! Field tables inside CBOR: as bytes of AMQP's encoding, none for an empty one.

use field_table::FieldTable;
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

pub(crate) fn encode<C, W: Write>(
    table: &FieldTable,
    encoder: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    let mut bytes = Vec::new();
    table.encode_fields(&mut bytes);
    encoder.bytes(&bytes)?;
    Ok(())
}

pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<FieldTable, DecodeError> {
    FieldTable::decode_fields(decoder.bytes()?).map_err(DecodeError::message)
}
