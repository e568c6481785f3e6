//! What the tests of this crate share.

/// A session between a client and RabbitMQ 4.3.6, frame by frame.
const SESSION: &str = include_str!("golden_frames.txt");

/// The frames of the session in their order.
pub(crate) fn session_frames() -> Vec<Vec<u8>> {
    let frames: Vec<_> = SESSION
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| split_publish(from_hex(&line[2..])))
        .collect();
    assert!(40 < frames.len());
    frames
}

/// The client wrote method, header and body of a publish at once.
fn split_publish(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let size = u32::from_be_bytes(rest[3..7].try_into().unwrap()) as usize;
        let (frame, after) = rest.split_at(size + 8);
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

pub(crate) fn from_hex(digits: &str) -> Vec<u8> {
    assert_eq!(digits.len() % 2, 0);
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}
