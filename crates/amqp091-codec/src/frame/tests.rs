use crate::{
    EMPTY_FRAME_SIZE, FRAME_END, Frame, FrameError, HEARTBEAT, Payload, ReplyCode, Snippet, Split,
    encode_heartbeat, split_frame,
};

/// What RabbitMQ 4.3.6 says of frames: kind, extent quoted, payload in hexadecimal, end octet (or
/// `-` where the kind is what is wrong), text with `⏎` for a line break.
const ERROR_TEXTS: &str = include_str!("error_texts.tsv");

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.push(FRAME_END);
    bytes
}

fn split(bytes: &[u8], frame_max: u32) -> String {
    match split_frame(bytes, frame_max) {
        Ok(Split::Frame(frame)) => format!("{frame:?}"),
        Ok(Split::NeedMore(missing)) => format!("need {missing} more"),
        Err(error) => error.to_string(),
    }
}

fn parse(kind: u8, channel: u16, payload: &[u8]) -> String {
    match (Frame { kind, channel, payload }.parse()) {
        Ok(payload) => format!("{payload:?}"),
        Err(error) => format!("{:?}: {error}", error.reply_code()),
    }
}

#[test]
fn a_frame_is_asked_for_byte_by_byte() {
    let bytes = frame(3, 1, b"abc");
    assert_eq!(split(&bytes[..0], 0), "need 7 more");
    assert_eq!(split(&bytes[..6], 0), "need 1 more");
    assert_eq!(split(&bytes[..7], 0), "need 4 more");
    assert_eq!(split(&bytes[..10], 0), "need 1 more");
    let Ok(Split::Frame(whole)) = split_frame(&bytes, 0) else { panic!("the frame is whole") };
    assert_eq!(whole, Frame { kind: 3, channel: 1, payload: b"abc" });
    assert_eq!(whole.wire_len(), bytes.len());
}

#[test]
fn what_follows_a_frame_is_left_alone() {
    let bytes = [frame(3, 1, b"abc"), frame(8, 0, b"")].concat();
    let Ok(Split::Frame(first)) = split_frame(&bytes, 8192) else { panic!("the frame is whole") };
    let rest = &bytes[first.wire_len()..];
    assert_eq!(rest, HEARTBEAT);
    let mut heartbeat = Vec::new();
    encode_heartbeat(&mut heartbeat);
    assert_eq!(heartbeat, frame(8, 0, b""));
    assert_eq!(heartbeat.len(), EMPTY_FRAME_SIZE);
}

#[test]
fn a_payload_may_exceed_the_limit_by_an_empty_frame() {
    let header = |size: u32| [&[3, 0, 1][..], &size.to_be_bytes()].concat();
    assert_eq!(split(&header(8192), 8192), "need 8193 more");
    assert_eq!(
        split(&header(8193), 8192),
        "type 3, all octets = <<>>: {frame_too_large,8193,8184}"
    );
    assert_eq!(
        split(&header(2_147_483_647), 131_072),
        "type 3, all octets = <<>>: {frame_too_large,2147483647,131064}"
    );
    assert_eq!(split(&header(u32::MAX), 0), "need 4294967296 more");
}

#[test]
fn a_wrong_end_octet_is_quoted_with_the_payload() {
    let mut bytes = frame(1, 1, &[0, 50, 0, 10, 0, 0, 1, 99, 1, 0, 0, 0, 0]);
    *bytes.last_mut().unwrap() = 0;
    assert_eq!(
        split(&bytes, 131_072),
        "type 1, all octets = <<0,50,0,10,0,0,1,99,1,0,0,0,0>>: {invalid_frame_end_marker,\n\
         \u{20}                                                       0}"
    );
}

#[test]
fn kinds_are_told_by_octet_and_shape() {
    assert_eq!(parse(8, 0, b""), "Heartbeat");
    assert_eq!(parse(3, 1, b""), "Body([])");
    assert_eq!(
        parse(8, 0, b"xx"),
        "Some(FrameError): type 8, all octets = <<\"xx\">>: unknown_frame"
    );
    assert_eq!(parse(9, 0, b""), "Some(FrameError): type 9, all octets = <<>>: unknown_frame");
    assert_eq!(parse(1, 0, b""), "Some(FrameError): type 1, all octets = <<>>: unknown_frame");
    assert_eq!(
        parse(2, 1, &[0; 11]),
        "Some(FrameError): type 2, all octets = <<0,0,0,0,0,0,0,0,0,0,0>>: unknown_frame"
    );
    assert_eq!(parse(1, 0, &[0, 99, 0, 10]), "None: unknown method 99,10");
    assert!(matches!(
        Frame { kind: 1, channel: 1, payload: &[0, 50, 0, 10] }.parse(),
        Ok(Payload::Method(method)) if method.arguments.is_empty()
    ));
}

#[test]
fn an_unexpected_frame_is_quoted() {
    let heartbeat = Frame { kind: 8, channel: 1, payload: b"" };
    let error = heartbeat.unexpected();
    assert_eq!(error.to_string(), "type 8, all octets = <<>>");
    assert_eq!((error.reply_code(), error.channel()), (Some(ReplyCode::UnexpectedFrame), 1));
    let long = Frame { kind: 3, channel: 1, payload: b"0123456789abcdefg" };
    assert_eq!(long.unexpected().to_string(), "type 3, first 16 octets = <<\"0123456789abcdef\">>");
}

#[test]
fn error_texts_are_those_of_rabbitmq() {
    for line in ERROR_TEXTS.lines() {
        let [kind, extent, octets, end, text] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let mut payload = crate::test_support::from_hex(octets);
        if extent == "first" {
            payload.push(0);
        }
        let payload = Snippet::new(&payload);
        let (kind, channel) = (kind.parse().unwrap(), 1);
        let error = match end {
            "-" => FrameError::Unknown { kind, channel, payload },
            end => FrameError::InvalidEnd { kind, channel, payload, end: end.parse().unwrap() },
        };
        let expected = text.replace('⏎', "\n");
        assert_eq!(error.to_string(), expected, "{line}");
    }
}
