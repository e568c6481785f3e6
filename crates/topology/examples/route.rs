//! Measures routing and the memory of the control plane.
//!
//! `cargo run --release -p topology --example route [BINDINGS]` prints nanoseconds per route and
//! bytes per binding (resident memory, Linux) for a topic exchange with that many bindings (100,000
//! by default), and bytes per durable queue.

use std::hint::black_box;
use std::time::Instant;

use field_table::FieldTable;
use smallvec::SmallVec;
use topology::{
    AddVhost, BindingSpec, Command, DeclareQueue, DestinationKind, QueueId, State, Vhost,
};

/// The server's own, so that the bytes are those of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUTES: usize = 1_000_000;

/// The best slice counts: what else the machine does only adds to it.
const ROUTES_PER_SLICE: usize = 20_000;

/// What the keys look like, and the key of the binding with a number.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 3] = [
    ("three words, 1 % with *, 0.1 % with #", mixed),
    ("device.<n>.temperature", |n| format!("device.{n}.temperature")),
    ("a key of its own in a flat space", |n| format!("k{n}")),
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap_or_default());
    let count = arguments.next().filter(|count| *count != 0).unwrap_or(100_000);
    match arguments.next() {
        // Each in a process of its own, whose memory is untouched.
        None => (0..=SHAPES.len()).for_each(|shape| run_alone(count, shape)),
        Some(shape) => match SHAPES.get(shape) {
            Some((name, key)) => measure_topic(name, count, *key),
            None => measure_queues(count),
        },
    }
}

fn run_alone(count: usize, shape: usize) {
    let program = std::env::current_exe().expect("a running program has a file");
    let arguments = [count.to_string(), shape.to_string()];
    let status = std::process::Command::new(program).args(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "the measurement failed");
}

fn mixed(n: usize) -> String {
    let (a, b, c) = (n % 100, n / 100 % 100, n / 10_000);
    match n % 1000 {
        0 => format!("region{a}.#"),
        1..=10 => format!("region{a}.*.kind{c}"),
        _ => format!("region{a}.site{b}.kind{c}"),
    }
}

fn measure_topic(name: &str, count: usize, key: fn(usize) -> String) {
    let mut log = Log::default();
    let queues: usize = 100;
    for queue in 0..queues {
        log.declare_queue(&format!("q{queue}"));
    }
    let before = resident_bytes();
    let start = Instant::now();
    for n in 0..count {
        log.bind("amq.topic", &format!("q{}", n % queues), &key(n));
    }
    let bind_ns = start.elapsed().as_nanos() / count as u128;
    let bytes = (resident_bytes() - before) / count;

    let keys: Vec<String> = (0..ROUTES).map(|n| key(n * 7919 % count)).collect();
    let vhost = log.vhost();
    let mut out = SmallVec::new();
    let mut found = 0;
    let mut route_ns = u128::MAX;
    for slice in keys.chunks(ROUTES_PER_SLICE) {
        let start = Instant::now();
        for key in slice {
            route(vhost, key, &mut out);
            found += out.len();
        }
        route_ns = route_ns.min(start.elapsed().as_nanos() / slice.len() as u128);
    }
    println!(
        "{count} topic bindings, {name}: {route_ns} ns/route ({:.1} queues each), \
         {bind_ns} ns/bind, {bytes} B/binding",
        found as f64 / ROUTES as f64
    );
}

fn route(vhost: &Vhost, key: &str, out: &mut SmallVec<[QueueId; 4]>) {
    vhost
        .route("amq.topic", &[black_box(key.as_bytes())], &FieldTable::new, 0, out)
        .expect("the exchange is predeclared");
}

fn measure_queues(count: usize) {
    let mut log = Log::default();
    let before = resident_bytes();
    let start = Instant::now();
    for queue in 0..count {
        log.declare_queue(&format!("queue-{queue:06}"));
    }
    let declare_ns = start.elapsed().as_nanos() / count as u128;
    let bytes = (resident_bytes() - before) / count;
    println!("{count} durable queues: {declare_ns} ns/declare, {bytes} B/queue");
}

struct Log {
    state: State,
    index: u64,
}

impl Default for Log {
    fn default() -> Self {
        let mut log = Self { state: State::default(), index: 0 };
        log.apply(&Command::AddVhost(AddVhost { name: "/".into(), ..AddVhost::default() }));
        log
    }
}

impl Log {
    fn apply(&mut self, command: &Command) {
        self.index += 1;
        self.state.apply(self.index, command, &mut Vec::new()).expect("commands are right");
    }

    fn declare_queue(&mut self, name: &str) {
        self.apply(&Command::DeclareQueue(DeclareQueue {
            vhost: "/".into(),
            name: name.into(),
            durable: true,
            ..DeclareQueue::default()
        }));
    }

    fn bind(&mut self, source: &str, queue: &str, key: &str) {
        self.apply(&Command::Bind(BindingSpec {
            vhost: "/".into(),
            source: source.into(),
            destination_kind: DestinationKind::Queue,
            destination: queue.into(),
            key: key.into(),
            arguments: FieldTable::new(),
        }));
    }

    fn vhost(&self) -> &Vhost {
        self.state.vhost("/").expect("was added")
    }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}
