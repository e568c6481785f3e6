//! Any bytes as a stream of frames under any frame size: every split is progress, every cut of it
//! asks for as much as is missing at most, and every error has its text.
#![no_main]

use amqp091_codec::{ProtocolHeader, Split, split_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (frame_max, mut rest) = input;
    let frame_max = u32::from(frame_max);
    ProtocolHeader::parse(rest);
    loop {
        match split_frame(rest, frame_max) {
            Ok(Split::Frame(frame)) => {
                let cut = &rest[..frame.wire_len() - 1];
                assert!(matches!(split_frame(cut, frame_max), Ok(Split::NeedMore(1..))));
                if let Err(error) = frame.parse() {
                    assert!(!error.to_string().is_empty());
                }
                rest = &rest[frame.wire_len()..];
            }
            Ok(Split::NeedMore(missing)) => {
                assert_ne!(missing, 0);
                return;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    }
});
