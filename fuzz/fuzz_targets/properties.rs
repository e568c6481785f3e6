//! Any bytes as the properties of a message: what decodes comes back, canonical ones as the
//! same bytes.
#![no_main]

use amqp091_codec::{BasicProperties, Properties};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let Ok(properties) = Properties::parse(raw) else {
        assert!(BasicProperties::decode(raw).is_err());
        return;
    };
    let owned = BasicProperties::from(properties);
    let encoded = owned.to_bytes();
    assert_eq!(encoded.len(), raw.len(), "encoding keeps every length");
    assert_eq!(encoded == raw, properties.is_canonical());
    assert_eq!(BasicProperties::decode(&encoded), Ok(owned));
});
