use proptest::prelude::*;

use crate::{
    BasicAck, BasicDeliver, BasicPublish, CLASS_BASIC, SplicePiece, encode_ack, encode_content,
    encode_content_around, encode_deliver, encode_deliver_around, encode_method, encode_publish,
};

const PROPERTIES: &[u8] = &[0x10, 0, 2];

fn deliver() -> BasicDeliver<'static> {
    BasicDeliver {
        consumer_tag: "tag".into(),
        delivery_tag: 3,
        redelivered: true,
        exchange: "x".into(),
        routing_key: "k".into(),
    }
}

#[test]
fn an_ack_by_hand_is_an_ack_by_the_grammar() {
    for multiple in [false, true] {
        let ack = BasicAck { delivery_tag: 0x0102_0304_0506_0708, multiple };
        let (mut by_hand, mut by_grammar) = (Vec::new(), Vec::new());
        encode_ack(513, &ack, &mut by_hand);
        encode_method(513, &ack.into(), &mut by_grammar);
        assert_eq!(by_hand, by_grammar);
    }
}

#[test]
fn a_publish_is_its_method_and_content() {
    let publish =
        BasicPublish { routing_key: "k".into(), mandatory: true, ..BasicPublish::default() };
    let (mut at_once, mut in_parts) = (Vec::new(), Vec::new());
    encode_publish(1, &publish, PROPERTIES, b"body", 8192, &mut at_once);
    encode_method(1, &publish.into(), &mut in_parts);
    encode_content(1, CLASS_BASIC, PROPERTIES, b"body", 8192, &mut in_parts);
    assert_eq!(at_once, in_parts);
}

#[test]
fn a_delivery_reserves_what_it_takes() {
    let longest = "x".repeat(255);
    let name = longest.as_str().into();
    let deliver =
        BasicDeliver { consumer_tag: name, exchange: name, routing_key: name, ..deliver() };
    let mut out = Vec::new();
    encode_deliver(1, &deliver, PROPERTIES, &[0; 20_000], 8192, &mut out);
    assert_eq!(out.capacity(), out.len());
}

#[test]
fn names_that_are_too_long_are_cut_as_by_the_grammar() {
    let too_long = "x".repeat(300);
    let name = too_long.as_str().into();
    let deliver =
        BasicDeliver { consumer_tag: name, exchange: name, routing_key: name, ..deliver() };
    let (mut at_once, mut in_parts) = (Vec::new(), Vec::new());
    encode_deliver(1, &deliver, PROPERTIES, b"", 8192, &mut at_once);
    encode_method(1, &deliver.into(), &mut in_parts);
    encode_content(1, CLASS_BASIC, PROPERTIES, b"", 8192, &mut in_parts);
    assert_eq!(at_once, in_parts);
}

proptest! {
    #[test]
    fn a_delivery_around_its_body_is_the_delivery(
        body in prop::collection::vec(any::<u8>(), 0..200),
        frame_max in prop_oneof![Just(0), 1..220_u32],
        already_there in 0..3_usize,
    ) {
        let mut whole = vec![0xaa; already_there];
        encode_deliver(9, &deliver(), PROPERTIES, &body, frame_max, &mut whole);

        let mut in_parts = Vec::new();
        encode_method(9, &deliver().into(), &mut in_parts);
        encode_content(9, CLASS_BASIC, PROPERTIES, &body, frame_max, &mut in_parts);
        prop_assert_eq!(&whole[already_there..], &in_parts);

        let mut framing = vec![0xaa; already_there];
        let splice =
            encode_deliver_around(9, &deliver(), PROPERTIES, body.len(), frame_max, &mut framing);
        let spliced: Vec<u8> = splice
            .pieces()
            .flat_map(|piece| match piece {
                SplicePiece::Framing(range) => framing[range].to_vec(),
                SplicePiece::Body(range) => body[range].to_vec(),
            })
            .collect();
        prop_assert_eq!(&spliced, &in_parts);
    }

    #[test]
    fn a_content_around_its_body_is_the_content(
        body in proptest::collection::vec(any::<u8>(), 0..40),
        frame_max in prop_oneof![Just(0), 9..32_u32],
    ) {
        let (mut whole, mut framing) = (Vec::new(), b"before".to_vec());
        encode_content(9, CLASS_BASIC, PROPERTIES, &body, frame_max, &mut whole);
        let splice = encode_content_around(
            9, CLASS_BASIC, PROPERTIES, body.len(), frame_max, &mut framing,
        );
        let spliced: Vec<u8> = splice
            .pieces()
            .flat_map(|piece| match piece {
                SplicePiece::Framing(range) => framing[range].to_vec(),
                SplicePiece::Body(range) => body[range].to_vec(),
            })
            .collect();
        prop_assert_eq!(&spliced, &whole);
    }
}
