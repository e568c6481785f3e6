//! Any bytes as the arguments of any method: what decodes comes back, what does not has its text.
#![no_main]

use amqp091_codec::{Method, Payload, RawMethod, Split, encode_method, split_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (selector, arguments) = input;
    let (id, name) = Method::ALL[usize::from(selector) % Method::ALL.len()];
    let method = match (RawMethod { id, arguments }).decode() {
        Ok(method) => method,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!((method.ids(), method.name()), (id, name));

    let mut encoded = Vec::new();
    encode_method(1, &method, &mut encoded);
    let Ok(Split::Frame(frame)) = split_frame(&encoded, 0) else { panic!("one whole frame") };
    let Ok(Payload::Method(raw)) = frame.parse() else { panic!("a method frame") };
    assert_eq!((frame.wire_len(), raw.id), (encoded.len(), id));
    assert_eq!(raw.decode(), Ok(method));
});
