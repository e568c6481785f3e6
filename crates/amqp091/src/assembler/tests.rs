use amqp091_codec::{BasicPublish, CLASS_BASIC, ContentHeader, Method, Payload};

use super::{ANNOUNCED_BODY_MAX, Assembly};

const MIB: usize = 1024 * 1024;

/// A publish to exchange `e` with key `k` whose header has announced `body_size` bytes.
fn announced(body_size: usize) -> Assembly {
    let publish =
        BasicPublish { exchange: "e".into(), routing_key: "k".into(), ..BasicPublish::default() };
    let mut assembly = Assembly::default();
    assembly.begin(&Method::BasicPublish(publish));
    let header = ContentHeader {
        class_id: CLASS_BASIC,
        weight: 0,
        body_size: body_size as u64,
        properties: &[0, 0],
    };
    let done = assembly.take(&Payload::Header(header), 16 * MIB as u64).expect("it is one");
    assert!(done.is_none());
    assembly
}

#[test]
fn an_announced_body_costs_nothing_before_it_comes() {
    let Assembly::Body(partial) = announced(16 * MIB) else { panic!("a body is due") };
    assert!(partial.bytes.capacity() < 2 * ANNOUNCED_BODY_MAX);
}

#[test]
fn a_large_body_is_not_copied_again_and_again() {
    let mut assembly = announced(16 * MIB);
    let piece = vec![1; 128 * 1024];
    let mut capacities = Vec::new();
    while let Assembly::Body(partial) = &assembly {
        capacities.push(partial.bytes.capacity());
        assembly.take(&Payload::Body(&piece), 16 * MIB as u64).expect("it fits");
    }
    capacities.dedup();
    assert!(capacities.len() <= 6, "{capacities:?}");
    assert!(*capacities.last().expect("it grew") < 16 * MIB + 1024);
}

#[test]
fn a_body_of_many_pieces_ends_in_memory_of_its_size() {
    let body: Vec<u8> = (0..MIB + 7).map(|at| (at % 251) as u8).collect();
    let mut assembly = announced(body.len());
    let mut assembled = None;
    for piece in body.chunks(100_000) {
        if let Assembly::Body(partial) = &assembly {
            let come = body.len() - partial.remaining as usize;
            assert!(partial.bytes.capacity() <= 2 * (come + ANNOUNCED_BODY_MAX + 100_000));
        }
        assembled = assembly.take(&Payload::Body(piece), 16 * MIB as u64).expect("it fits");
    }
    let image = assembled.expect("all of it came").image.expect("it was kept");
    let message = image.as_ref();
    assert_eq!((message.exchange, message.routing_key), (&b"e"[..], &b"k"[..]));
    assert_eq!(message.properties, [0, 0]);
    assert!(message.body == body);
}
