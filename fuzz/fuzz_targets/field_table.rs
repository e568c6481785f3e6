//! Any bytes as a field table: validating, scanning and owning agree, and what decodes comes back.
#![no_main]

use field_table::{DecodeError, FieldTable, is_canonical, validate_table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|fields: &[u8]| {
    let owned = FieldTable::decode_fields(fields);
    assert_eq!(validate_table(fields), owned.as_ref().map(|_| ()).map_err(DecodeError::clone));
    let scanned = FieldTable::scan(fields).filter(Result::is_ok).count();
    let Ok(table) = owned else { return };
    assert_eq!(table.len(), scanned);

    let mut encoded = Vec::new();
    table.encode(&mut encoded);
    assert_eq!(encoded.len(), fields.len() + 4, "encoding keeps every length");
    assert_eq!(&encoded[4..] == fields, is_canonical(fields));
    assert_eq!(FieldTable::decode_all(&encoded), Ok(table));
});
