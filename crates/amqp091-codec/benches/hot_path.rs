//! Nanoseconds for what a broker does once per message: `cargo bench -p amqp091-codec`.
//!
//! A figure moves with the machine and its neighbours; compare two of one run.

use std::hint::black_box;
use std::time::Instant;

use amqp091_codec::{
    BasicAck, BasicDeliver, BasicProperties, BasicPublish, Frame, Method, MethodArguments, Payload,
    Properties, Split, encode_ack, encode_deliver, encode_deliver_around, encode_publish,
    split_frame,
};

const MESSAGES: usize = 1000;
const ROUNDS: usize = 300;

/// Prints the time of one of the `MESSAGES` that `work` handles, in the fastest of many rounds.
fn measure(name: &str, mut work: impl FnMut()) {
    let fastest = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .expect("there are rounds");
    let nanoseconds = fastest.as_secs_f64() * 1e9 / MESSAGES as f64;
    println!("{name:40} {nanoseconds:7.1} ns");
}

/// The next frame of a stream that is whole.
#[inline(always)]
fn next_frame<'a>(rest: &mut &'a [u8]) -> Option<Frame<'a>> {
    match split_frame(rest, 131_072) {
        Ok(Split::Frame(frame)) => {
            *rest = &rest[frame.wire_len()..];
            Some(frame)
        }
        Ok(Split::NeedMore(_)) => None,
        Err(error) => panic!("the stream is good: {error}"),
    }
}

fn main() {
    let persistent =
        BasicProperties { delivery_mode: Some(2), ..BasicProperties::default() }.to_bytes();
    let publish = BasicPublish {
        exchange: "amq.direct".into(),
        routing_key: "routing.key".into(),
        ..BasicPublish::default()
    };
    let deliver = BasicDeliver {
        consumer_tag: "amq.ctag-0123456789".into(),
        delivery_tag: 1,
        redelivered: false,
        exchange: publish.exchange,
        routing_key: publish.routing_key,
    };
    let body = [b'x'; 100];
    let large_body = [b'x'; 10_000];

    let mut published = Vec::new();
    for _ in 0..MESSAGES {
        encode_publish(1, &publish, &persistent, &body, 131_072, &mut published);
    }

    measure("split three frames", || {
        let mut rest = &published[..];
        while let Some(frame) = next_frame(&mut rest) {
            black_box(frame);
        }
    });
    measure("parse publish, header and body", || {
        let mut rest = &published[..];
        while let Some(frame) = next_frame(&mut rest) {
            match frame.parse().expect("the stream is good") {
                Payload::Method(raw) => match raw.decode().expect("the stream is good") {
                    Method::BasicPublish(publish) => drop(black_box(publish)),
                    other => panic!("only publishes were written: {other:?}"),
                },
                Payload::Header(header) => drop(black_box(header.body_size)),
                Payload::Body(body) => drop(black_box(body)),
                Payload::Heartbeat => panic!("no heartbeat was written"),
            }
        }
    });
    measure("parse them, expecting a publish", || {
        let mut rest = &published[..];
        while let Some(frame) = next_frame(&mut rest) {
            match frame.parse().expect("the stream is good") {
                Payload::Method(raw) if raw.id == BasicPublish::ID => {
                    black_box(BasicPublish::decode(raw.arguments).expect("the stream is good"));
                }
                Payload::Header(header) => drop(black_box(header.body_size)),
                Payload::Body(body) => drop(black_box(body)),
                other => panic!("only publishes were written: {other:?}"),
            }
        }
    });
    measure("look through properties", || {
        for _ in 0..MESSAGES {
            let properties = Properties::parse(black_box(&persistent)).expect("they are good");
            black_box(properties.delivery_mode());
        }
    });

    let mut out = Vec::with_capacity(MESSAGES * 300);
    measure("encode publish, 100 bytes", || {
        out.clear();
        for _ in 0..MESSAGES {
            encode_publish(1, black_box(&publish), &persistent, &body, 131_072, &mut out);
        }
    });
    measure("encode deliver, 100 bytes", || {
        out.clear();
        for _ in 0..MESSAGES {
            encode_deliver(1, black_box(&deliver), &persistent, &body, 131_072, &mut out);
        }
    });
    measure("encode deliver around 10,000 bytes", || {
        out.clear();
        for _ in 0..MESSAGES {
            let len = black_box(large_body.len());
            let splice =
                encode_deliver_around(1, black_box(&deliver), &persistent, len, 131_072, &mut out);
            for piece in splice.pieces() {
                black_box(piece);
            }
        }
    });
    measure("encode ack", || {
        out.clear();
        for delivery_tag in 0..MESSAGES as u64 {
            encode_ack(1, black_box(&BasicAck { delivery_tag, multiple: false }), &mut out);
        }
    });
}
