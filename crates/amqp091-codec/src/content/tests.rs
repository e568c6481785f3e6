use crate::test_support::session_frames;
use crate::{ContentHeader, Payload, Split, encode_content, split_frame};

/// The frames in `bytes`, each as kind and payload length.
fn shape(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let Ok(Split::Frame(frame)) = split_frame(bytes, 0) else { panic!("whole frames") };
        frames.push((frame.kind, frame.payload.len()));
        bytes = &bytes[frame.wire_len()..];
    }
    frames
}

fn encode(body_len: usize, frame_max: u32) -> Vec<(u8, usize)> {
    let mut out = Vec::new();
    encode_content(1, 60, &[0, 0], &vec![b'x'; body_len], frame_max, &mut out);
    shape(&out)
}

#[test]
fn a_body_is_cut_into_frames_of_the_negotiated_size() {
    assert_eq!(encode(0, 8192), [(2, 14)]);
    assert_eq!(encode(8184, 8192), [(2, 14), (3, 8184)]);
    assert_eq!(encode(8185, 8192), [(2, 14), (3, 8184), (3, 1)]);
    assert_eq!(encode(3 * 8184, 8192), [(2, 14), (3, 8184), (3, 8184), (3, 8184)]);
    assert_eq!(encode(1_000_000, 0), [(2, 14), (3, 1_000_000)]);
}

#[test]
fn a_frame_size_without_room_still_carries_the_body() {
    assert_eq!(encode(2, 8), [(2, 14), (3, 1), (3, 1)]);
    assert_eq!(encode(2, 1), [(2, 14), (3, 1), (3, 1)]);
}

#[test]
fn recorded_headers_decode_and_encode_to_the_same_bytes() {
    let mut headers = 0;
    for bytes in session_frames() {
        let Ok(Split::Frame(frame)) = split_frame(&bytes, 0) else { panic!("a whole frame") };
        let Ok(Payload::Header(header)) = frame.parse() else { continue };
        let body = vec![0; usize::try_from(header.body_size).unwrap()];
        let mut encoded = Vec::new();
        encode_content(frame.channel, header.class_id, header.properties, &body, 0, &mut encoded);
        assert_eq!(encoded[..bytes.len()], bytes);
        assert!(header.properties().is_ok());
        headers += 1;
    }
    assert_eq!(headers, 5);
}

#[test]
fn a_header_without_its_fixed_part_is_none() {
    let payload = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    assert!((0..payload.len()).all(|len| ContentHeader::decode(&payload[..len]).is_none()));
    let header = ContentHeader::decode(&payload).unwrap();
    assert_eq!((header.class_id, header.weight, header.body_size), (60, 0, 5));
    assert!(header.properties().is_err(), "flags are missing");
}
