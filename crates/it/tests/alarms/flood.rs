//! Publishers that send as fast as the socket takes it.

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use it::{Received, Server, Words, encode_method, method_named};

const PUBLISHERS: usize = 50;

/// Bytes of each body.
const BODY_LEN: usize = 1024;

/// Bytes of a body in one frame.
const BODY_FRAME_LEN: usize = 100_000;

/// Messages written at once.
const BATCH: usize = 64;

/// Messages that the consumer gets while the publishers go on: more than fits in memory.
const DELIVERIES: usize = 150_000;

/// After this time without a delivery there is none to come.
const PATIENCE: Duration = Duration::from_secs(60);

const WATERMARK_MB: usize = 96;

/// What the process may take, with what comes in until the alarm has acted.
const PEAK_MB_MAX: usize = 192;

/// A persistent message to a queue, as its frames.
pub(crate) fn publish(queue: &str, body: &[u8]) -> Vec<u8> {
    let method = method_named("basic.publish").expect("in the grammar");
    let words = Words::parse(&format!("basic.publish routing-key={queue}")).expect("well-formed");
    let mut header = vec![0, 60, 0, 0];
    header.extend((body.len() as u64).to_be_bytes());
    header.extend([0x10, 0, 2]);
    let method = encode_method(method, &words).expect("well-formed");
    let mut bytes = Vec::new();
    let pieces = body.chunks(BODY_FRAME_LEN).map(|piece| (3, piece));
    for (kind, payload) in [(1, method.as_slice()), (2, &header)].into_iter().chain(pieces) {
        bytes.extend([kind, 0, 1]);
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        bytes.push(0xce);
    }
    bytes
}

#[test]
fn a_flood_keeps_memory_near_the_watermark_and_a_consumer_busy() {
    let conf = format!("vm_memory_high_watermark.absolute = {WATERMARK_MB}MB");
    let server = Server::start(&conf);
    let mut consumer = server.channel();
    consumer.call(1, "queue.declare queue=q durable").expect("declared");
    consumer.call(1, "basic.consume queue=q no-ack").expect("subscribed");
    let batch = publish("q", &[b'x'; BODY_LEN]).repeat(BATCH);
    let is_over = AtomicBool::new(false);
    let received = thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            let mut publisher = server.channel();
            let (batch, is_over) = (&batch, &is_over);
            scope.spawn(move || {
                while !is_over.load(Relaxed) {
                    publisher.send_bytes(batch);
                }
            });
        }
        let mut deliveries = iter::from_fn(|| match consumer.receive_within(PATIENCE) {
            Received::Silence | Received::Closed => None,
            received => Some(matches!(received, Received::Method(..))),
        });
        let received = deliveries.by_ref().filter(|it| *it).take(DELIVERIES).count();
        is_over.store(true, Relaxed);
        received
    });
    let peak_mb = server.peak_memory() >> 20;
    assert!(peak_mb < PEAK_MB_MAX, "{peak_mb} MB");
    assert_eq!(received, DELIVERIES);
}
