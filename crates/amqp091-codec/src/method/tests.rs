use std::collections::HashSet;

use field_table::{DecodeError, FieldTable};
use proptest::prelude::*;

use crate::test_support::session_frames;
use crate::{
    BasicAck, ExchangeDeclare, Frame, Method, MethodError, MethodId, Payload, QueueDeclare,
    RawMethod, ReplyCode, Split, Table, encode_method, split_frame,
};

const QUEUE_DECLARE: MethodId = MethodId { class_id: 50, method_id: 10 };

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    match split_frame(bytes, 0) {
        Ok(Split::Frame(frame)) if frame.wire_len() == bytes.len() => frame,
        other => panic!("not one whole frame: {other:?}"),
    }
}

fn declare(arguments: &[u8]) -> Result<Method<'_>, MethodError> {
    RawMethod { id: QUEUE_DECLARE, arguments }.decode()
}

#[test]
fn the_grammar_is_that_of_rabbitmq() {
    let ids: HashSet<_> = Method::ALL.iter().map(|(id, _)| *id).collect();
    let names: HashSet<_> = Method::ALL.iter().map(|(_, name)| *name).collect();
    assert_eq!((Method::ALL.len(), ids.len(), names.len()), (66, 66, 66));
    for (id, name) in Method::ALL {
        assert!(id.is_known());
        assert_eq!((id.name(), id.to_string()), (Some(*name), (*name).to_owned()));
    }
    assert_eq!(MethodId { class_id: 40, method_id: 51 }.name(), Some("exchange.unbind_ok"));
    assert!(!MethodId { class_id: 40, method_id: 41 }.is_known());
}

#[test]
fn a_recorded_session_decodes_and_encodes_to_the_same_bytes() {
    let mut seen = Vec::new();
    for bytes in session_frames() {
        let frame = only_frame(&bytes);
        let Ok(Payload::Method(raw)) = frame.parse() else { continue };
        let method = raw.decode().unwrap();
        let mut encoded = Vec::new();
        encode_method(frame.channel, &method, &mut encoded);
        assert_eq!(encoded, bytes, "{method:?}");
        assert_eq!(method.ids(), raw.id);
        seen.push(method.name());
    }
    for name in ["connection.start", "queue.declare", "basic.deliver", "channel.close"] {
        assert!(seen.contains(&name), "{name} in {seen:?}");
    }
}

#[test]
fn every_truncation_of_a_recorded_frame_is_refused() {
    for bytes in session_frames() {
        for len in 0..bytes.len() {
            let needs_more = matches!(split_frame(&bytes[..len], 0), Ok(Split::NeedMore(1..)));
            assert!(needs_more, "{len} of {bytes:?}");
        }
        let Ok(Payload::Method(raw)) = only_frame(&bytes).parse() else { continue };
        for len in 0..raw.arguments.len() {
            let arguments = &raw.arguments[..len];
            let error = RawMethod { id: raw.id, arguments }.decode().unwrap_err();
            let arguments = arguments.into();
            assert_eq!(error, MethodError::CannotDecode { method: raw.id, arguments });
        }
    }
}

#[test]
fn arguments_that_do_not_fill_the_frame_cannot_be_decoded() {
    let truncated = declare(&[0, 0, 5, 97, 98]).unwrap_err();
    assert_eq!(truncated.to_string(), "cannot decode <<0,0,5,97,98>>");
    assert_eq!(truncated.reply(), Some((ReplyCode::FrameError, QUEUE_DECLARE)));

    let trailing = declare(&[0, 0, 1, 99, 1, 0, 0, 0, 0, 122, 122]).unwrap_err();
    assert_eq!(trailing.to_string(), "cannot decode <<0,0,1,99,1,0,0,0,0,122,122>>");

    let table_beyond_the_frame = [0, 0, 3, 97, 98, 99, 0, 0, 0, 1, 144, 1, 107, 83, 120];
    assert_eq!(
        declare(&table_beyond_the_frame).unwrap_err().to_string(),
        "cannot decode <<0,0,3,97,98,99,0,0,0,1,144,1,107,83,120>>"
    );
}

#[test]
fn a_name_that_is_not_utf8_is_malformed() {
    let error = declare(&[0, 0, 1, 0xff, 0, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "Malformed UTF-8 in shortstr");
    assert_eq!(error.reply(), Some((ReplyCode::FrameError, MethodId::NONE)));
}

#[test]
fn a_bad_table_drops_the_socket_unless_an_argument_before_it_is_bad() {
    let unknown_type = [0, 0, 1, 97, 0, 0, 0, 0, 3, 1, 110, b'?'];
    let error = declare(&unknown_type).unwrap_err();
    let inner = DecodeError::UnknownType(b'?');
    assert_eq!(error, MethodError::BadTable { method: QUEUE_DECLARE, error: inner });
    assert_eq!(error.reply(), None);

    let name_not_utf8_either = [0, 0, 1, 0xff, 0, 0, 0, 0, 3, 1, 110, b'?'];
    assert_eq!(
        declare(&name_not_utf8_either).unwrap_err().to_string(),
        "Malformed UTF-8 in shortstr"
    );
}

#[test]
fn methods_with_content_take_any_bytes_for_names() {
    let id = MethodId { class_id: 60, method_id: 40 };
    let method = RawMethod { id, arguments: &[0, 0, 0, 2, b'k', 0xff, 1] }.decode().unwrap();
    let Method::BasicPublish(publish) = method else { panic!("a publish was sent") };
    assert_eq!(publish.routing_key.as_bytes(), [b'k', 0xff]);
    assert_eq!((publish.routing_key.as_str(), publish.mandatory), (None, true));
    assert_eq!(publish.routing_key.to_text(), "kÿ");
    assert!(method.has_content());
}

#[test]
fn bits_share_an_octet_lowest_first() {
    let declare = ExchangeDeclare { exchange: "x", durable: true, nowait: true, ..<_>::default() };
    let mut bytes = Vec::new();
    encode_method(1, &declare.into(), &mut bytes);
    assert_eq!(bytes[11..], [0, 0, 1, b'x', 0, 0b1_0010, 0, 0, 0, 0, 0xce]);
}

#[test]
fn a_short_string_is_cut_to_what_fits() {
    let long = format!("{}ü", "x".repeat(254));
    let mut bytes = Vec::new();
    encode_method(1, &QueueDeclare { queue: &long, ..<_>::default() }.into(), &mut bytes);
    let Ok(Payload::Method(raw)) = only_frame(&bytes).parse() else { panic!("a method was sent") };
    let Ok(Method::QueueDeclare(cut)) = raw.decode() else { panic!("a declare was sent") };
    assert_eq!(cut.queue, "x".repeat(254));
}

#[test]
fn an_unknown_method_cannot_be_decoded() {
    let id = MethodId { class_id: 99, method_id: 10 };
    let error = RawMethod { id, arguments: &[] }.decode().unwrap_err();
    assert_eq!((error.reply(), error), (None, MethodError::Unknown(id)));
}

/// Makes arguments of any method out of bytes: what decodes must come back as it was.
fn check_round_trip(id: MethodId, arguments: &[u8]) {
    let Ok(method) = (RawMethod { id, arguments }).decode() else { return };
    let mut encoded = Vec::new();
    encode_method(7, &method, &mut encoded);
    let Ok(Payload::Method(raw)) = only_frame(&encoded).parse() else { panic!("{method:?}") };
    assert_eq!(raw.id, id);
    assert_eq!(raw.decode().unwrap(), method);
}

/// Arguments of the method's own shape, filled from `bytes`: its default, decoded after the octets
/// that are not lengths were overwritten.
fn default_arguments(id: MethodId) -> Vec<u8> {
    let zeros = [0; 64];
    let len = (0..zeros.len())
        .find(|&len| RawMethod { id, arguments: &zeros[..len] }.decode().is_ok())
        .expect("all-zero arguments of the right length decode");
    zeros[..len].to_vec()
}

#[test]
fn every_method_has_arguments_of_all_zeros() {
    for (id, name) in Method::ALL {
        let arguments = default_arguments(*id);
        check_round_trip(*id, &arguments);
        assert!(arguments.len() <= 20, "{name} takes {}", arguments.len());
    }
}

proptest! {
    #[test]
    fn what_decodes_comes_back(
        idx in 0..Method::ALL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        name in "[a-z.]{0,12}",
    ) {
        let (id, _) = Method::ALL[idx];
        let mut arguments = default_arguments(id);
        for (at, octet) in edits {
            if arguments.is_empty() {
                continue;
            }
            // A length that became larger gets as many bytes after it.
            let at = at.index(arguments.len());
            arguments[at] = octet;
            let filler = name.bytes().cycle().take(if name.is_empty() { 0 } else { octet.into() });
            arguments.splice(at + 1..at + 1, filler);
            check_round_trip(id, &arguments);
        }
    }

    #[test]
    fn any_bytes_are_a_method_or_an_error(
        idx in 0..Method::ALL.len(),
        arguments in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        check_round_trip(Method::ALL[idx].0, &arguments);
    }

    #[test]
    fn declares_come_back(
        ticket: u16,
        queue in "\\PC{0,60}",
        bits: [bool; 5],
        seconds: u64,
    ) {
        let [passive, durable, exclusive, auto_delete, nowait] = bits;
        let mut fields = Vec::new();
        let table = FieldTable::new()
            .with("x-expires", i64::from_ne_bytes(seconds.to_ne_bytes()))
            .with("x-queue-type", "quorum");
        table.encode_fields(&mut fields);
        let arguments = Table::new(&fields).unwrap();
        let declare = QueueDeclare {
            ticket,
            queue: &queue,
            passive,
            durable,
            exclusive,
            auto_delete,
            nowait,
            arguments,
        };
        let mut encoded = Vec::new();
        encode_method(1, &declare.into(), &mut encoded);
        let Ok(Payload::Method(raw)) = only_frame(&encoded).parse() else { panic!("a method") };
        prop_assert_eq!(raw.decode().unwrap(), Method::QueueDeclare(declare));
        prop_assert_eq!(arguments.decode(), table);
    }

    #[test]
    fn acks_come_back(delivery_tag: u64, multiple: bool) {
        let ack = BasicAck { delivery_tag, multiple };
        let mut encoded = Vec::new();
        encode_method(u16::MAX, &ack.into(), &mut encoded);
        let Ok(Payload::Method(raw)) = only_frame(&encoded).parse() else { panic!("a method") };
        prop_assert_eq!(raw.decode().unwrap(), Method::BasicAck(ack));
    }
}
