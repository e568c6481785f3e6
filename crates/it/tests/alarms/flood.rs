//! Publishers that send as fast as the socket takes it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use it::{Received, Server, Words, encode_method, method_named};

use crate::kit::open;

const PUBLISHERS: usize = 50;

/// Bytes of each body.
const BODY_LEN: usize = 1024;

/// Messages written at once.
const BATCH: usize = 64;

const DURATION: Duration = Duration::from_secs(8);

/// Longest time without a delivery: a look at memory, and what the allocator takes to give it back.
const GAP_MAX: Duration = Duration::from_secs(5);

const WATERMARK_MB: u64 = 96;

/// What the process may take, with what comes in until the alarm has acted.
const RSS_MB_MAX: u64 = 192;

/// A persistent message to a queue, as its three frames.
pub(crate) fn publish(queue: &str, body: &[u8]) -> Vec<u8> {
    let method = method_named("basic.publish").expect("in the grammar");
    let words = Words::parse(&format!("basic.publish routing-key={queue}")).expect("well-formed");
    let mut header = vec![0, 60, 0, 0];
    header.extend((body.len() as u64).to_be_bytes());
    header.extend([0x10, 0, 2]);
    let method = encode_method(method, &words).expect("well-formed");
    let mut bytes = Vec::new();
    for (kind, payload) in [(1, method.as_slice()), (2, &header), (3, body)] {
        bytes.extend([kind, 0, 1]);
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        bytes.push(0xce);
    }
    bytes
}

/// Resident memory of the broker, in MB.
fn rss_mb(server: &Server) -> u64 {
    let pid = server.pid().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kib: u64 = line.split_whitespace().nth(1).expect("a value").parse().expect("a number");
    kib / 1024
}

#[test]
fn a_flood_keeps_memory_near_the_watermark_and_a_consumer_busy() {
    let conf = format!("vm_memory_high_watermark.absolute = {WATERMARK_MB}MB");
    let server = Server::start(&conf);
    let mut consumer = open(&server);
    consumer.call(1, "queue.declare queue=q durable").expect("declared");
    consumer.call(1, "basic.consume queue=q no-ack").expect("subscribed");
    let batch = publish("q", &[b'x'; BODY_LEN]).repeat(BATCH);
    let (is_over, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let (rss_max, gap_max) = thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            let mut publisher = open(&server);
            let (batch, is_over) = (&batch, &is_over);
            scope.spawn(move || {
                while !is_over.load(Relaxed) {
                    publisher.send_bytes(batch);
                }
            });
        }
        let (received, is_over) = (&received, &is_over);
        let reading = scope.spawn(move || {
            let (mut last, mut gap_max) = (Instant::now(), Duration::ZERO);
            while !is_over.load(Relaxed) {
                if let Received::Method(..) = consumer.receive_within(GAP_MAX) {
                    received.fetch_add(1, Relaxed);
                    gap_max = gap_max.max(last.elapsed());
                    last = Instant::now();
                }
            }
            gap_max.max(last.elapsed())
        });
        let started = Instant::now();
        let mut rss_max = 0;
        while started.elapsed() < DURATION {
            rss_max = rss_max.max(rss_mb(&server));
            // A look at another process now and then.
            thread::park_timeout(Duration::from_millis(20));
        }
        is_over.store(true, Relaxed);
        (rss_max, reading.join().expect("no panic"))
    });
    let received = received.into_inner();
    println!("{rss_max} MB at most, {received} received, {gap_max:?} without a delivery at most");
    assert!(rss_max < RSS_MB_MAX, "{rss_max} MB");
    assert!(0 < received && gap_max < GAP_MAX, "{received} received, a gap of {gap_max:?}");
}
