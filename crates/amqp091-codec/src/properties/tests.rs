use field_table::{DecodeError, FieldTable, FieldValue, ShortStr};
use proptest::prelude::*;

use crate::test_support::session_frames;
use crate::{BasicProperties, Payload, Properties, PropertiesError, Split, split_frame};

fn short(text: &str) -> Option<ShortStr> {
    Some(ShortStr::new(text).unwrap())
}

/// The properties of the recorded session's message, which has all of them.
fn all_properties() -> BasicProperties {
    let values = vec![FieldValue::Bool(true), "x".into(), FieldValue::Void];
    BasicProperties {
        content_type: short("text/plain"),
        content_encoding: short("gzip"),
        headers: Some(FieldTable::new().with("h", 1).with("a", values)),
        delivery_mode: Some(2),
        priority: Some(5),
        correlation_id: short("corr"),
        reply_to: short("reply"),
        expiration: short("60000"),
        message_id: short("id"),
        timestamp: Some(1_700_000_000),
        kind: short("kind"),
        user_id: short("guest"),
        app_id: short("app"),
        cluster_id: short("cluster"),
    }
}

fn recorded_properties() -> Vec<Vec<u8>> {
    let mut recorded = Vec::new();
    for bytes in session_frames() {
        let Ok(Split::Frame(frame)) = split_frame(&bytes, 0) else { panic!("a whole frame") };
        if let Ok(Payload::Header(header)) = frame.parse() {
            recorded.push(header.properties.to_vec());
        }
    }
    recorded
}

#[test]
fn recorded_properties_decode_and_encode_to_the_same_bytes() {
    let recorded = recorded_properties();
    let decoded: Vec<_> =
        recorded.iter().map(|raw| BasicProperties::decode(raw).unwrap()).collect();
    assert!(decoded.contains(&all_properties()));
    assert!(decoded.contains(&BasicProperties::default()));
    for (properties, raw) in decoded.iter().zip(&recorded) {
        assert_eq!(&properties.to_bytes(), raw);
    }
}

#[test]
fn every_truncation_of_all_properties_is_refused() {
    let raw = all_properties().to_bytes();
    for len in 0..raw.len() {
        assert_eq!(Properties::parse(&raw[..len]), Err(PropertiesError::Truncated));
    }
}

#[test]
fn each_property_is_found_behind_the_others() {
    let raw = all_properties().to_bytes();
    let properties = Properties::parse(&raw).unwrap();
    assert_eq!(properties.content_type(), Some(&b"text/plain"[..]));
    assert_eq!(properties.delivery_mode(), Some(2));
    assert_eq!(properties.priority(), Some(5));
    assert_eq!(properties.timestamp(), Some(1_700_000_000));
    assert_eq!(properties.cluster_id(), Some(&b"cluster"[..]));
    let headers = properties.headers().unwrap();
    assert_eq!(headers.get("h").unwrap().as_integer(), Some(1));
    assert_eq!(headers.scan().count(), 2);

    let only_user = BasicProperties { user_id: short("u"), ..BasicProperties::default() };
    let raw = only_user.to_bytes();
    assert_eq!(raw, [0, 0x10, 1, b'u']);
    let properties = Properties::parse(&raw).unwrap();
    assert_eq!((properties.user_id(), properties.app_id()), (Some(&b"u"[..]), None));
}

#[test]
fn flags_of_no_property_are_ignored_and_cleared() {
    let with_continuation = [0x10, 0b11, 2];
    let properties = Properties::parse(&with_continuation).unwrap();
    assert_eq!((properties.delivery_mode(), properties.is_canonical()), (Some(2), false));
    assert_eq!(BasicProperties::from(properties).to_bytes(), [0x10, 0, 2]);
    assert!(Properties::EMPTY.is_canonical());

    let with_a_second_word_of_flags = [0x10, 1, 0, 0, 2];
    assert_eq!(
        Properties::parse(&with_a_second_word_of_flags),
        Err(PropertiesError::TrailingBytes(2))
    );
}

#[test]
fn headers_with_a_second_spelling_are_not_canonical() {
    let raw = [0x20, 0, 0, 0, 0, 4, 1, b'n', b't', 7];
    let properties = Properties::parse(&raw).unwrap();
    assert!(!properties.is_canonical());
    let rewritten = BasicProperties::from(properties).to_bytes();
    assert_eq!(rewritten, [0x20, 0, 0, 0, 0, 4, 1, b'n', b't', 1]);
    assert!(Properties::parse(&rewritten).unwrap().is_canonical());
}

#[test]
fn what_is_wrong_is_told() {
    assert_eq!(Properties::parse(&[0]), Err(PropertiesError::Truncated));
    assert_eq!(Properties::parse(&[0, 0, 7]), Err(PropertiesError::TrailingBytes(1)));
    let bad_headers = [0x20, 0, 0, 0, 0, 3, 1, b'n', b'?'];
    let error = DecodeError::UnknownType(b'?');
    assert_eq!(Properties::parse(&bad_headers), Err(PropertiesError::Headers(error)));
}

#[test]
fn strings_may_be_any_bytes() {
    let raw = [0x80, 0, 2, 0xff, 0xfe];
    let properties = Properties::parse(&raw).unwrap();
    assert_eq!(properties.content_type(), Some(&[0xff, 0xfe][..]));
    assert_eq!(BasicProperties::from(properties).to_bytes(), raw);
}

fn any_short() -> impl Strategy<Value = Option<ShortStr>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..=255);
    prop::option::of(bytes.prop_map(|bytes| ShortStr::new(bytes).unwrap()))
}

prop_compose! {
    fn any_properties()(
        strings in prop::collection::vec(any_short(), 10),
        headers in prop::option::of(any::<i32>()),
        delivery_mode: Option<u8>,
        priority: Option<u8>,
        timestamp: Option<u64>,
    ) -> BasicProperties {
        let mut strings = strings.into_iter();
        let mut string = || strings.next().unwrap();
        BasicProperties {
            content_type: string(),
            content_encoding: string(),
            headers: headers.map(|value| FieldTable::new().with("n", value)),
            delivery_mode,
            priority,
            correlation_id: string(),
            reply_to: string(),
            expiration: string(),
            message_id: string(),
            timestamp,
            kind: string(),
            user_id: string(),
            app_id: string(),
            cluster_id: string(),
        }
    }
}

proptest! {
    #[test]
    fn properties_come_back(properties in any_properties()) {
        prop_assert_eq!(BasicProperties::decode(&properties.to_bytes()), Ok(properties));
    }

    #[test]
    fn any_bytes_are_properties_or_an_error(raw in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(properties) = BasicProperties::decode(&raw) {
            prop_assert_eq!(BasicProperties::decode(&properties.to_bytes()), Ok(properties));
        }
    }
}
