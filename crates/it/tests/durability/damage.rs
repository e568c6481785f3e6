//! Files damaged between two runs: the broker starts, says what it lost, and goes on.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use it::{RawClient, Server};
use simulator::Chance;

/// Damaged starts per run.
const CASES: u32 = 12;

const MESSAGES: usize = 200;

/// Bytes of each body.
const BODY_LEN: usize = 50;

/// A connection with a queue of its own on channel 1, in confirm mode.
fn client(server: &Server) -> RawClient {
    let mut client = server.channel();
    client.call(1, "confirm.select").expect("confirms");
    client.call(1, "queue.declare queue=q durable").expect("declared");
    client
}

/// Each message is confirmed before the next is published, so that each is a write of its own.
fn fill(client: &mut RawClient) {
    for number in 0..MESSAGES {
        let body = format!("{number:0>BODY_LEN$}");
        let publish = format!("basic.publish routing-key=q {{delivery-mode=2}} \"{body}\"");
        client.call(1, &publish).expect("a confirm");
    }
}

/// The log files that hold something.
fn log_files(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("log")).expect("a log directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "log"));
    files.sort();
    files
}

/// The bytes that were written, without the reserved space behind them.
fn used_len(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&octet| octet != 0).map_or(0, |at| at + 1)
}

/// What was done to a file.
#[derive(Debug)]
enum Damage {
    /// It ends here.
    Cut(usize),
    /// One bit of this octet is another.
    Flipped(usize),
    /// These octets are zero.
    Zeroed(Range<usize>),
}

impl Damage {
    /// Does something to `bytes`, which are written from `spared` to `used`.
    fn choose(spared: usize, used: usize, chance: &mut Chance) -> Self {
        let at = spared + chance.below((used - spared) as u64) as usize;
        match chance.below(3) {
            0 => Self::Cut(at),
            1 => Self::Flipped(at),
            _ => Self::Zeroed(at..used.min(at + chance.below(5000) as usize)),
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>, chance: &mut Chance) {
        match self {
            Self::Cut(at) => bytes.truncate(*at),
            Self::Flipped(at) => bytes[*at] ^= 1 << chance.below(8),
            Self::Zeroed(range) => bytes[range.clone()].fill(0),
        }
    }

    /// Messages that may be lost to it at most, all of which a body of `BODY_LEN` took from the file.
    fn cost_max(&self) -> usize {
        match self {
            Self::Cut(_) => MESSAGES,
            Self::Flipped(_) => 1,
            // One more at each end.
            Self::Zeroed(range) => range.len() / BODY_LEN + 2,
        }
    }
}

/// All that the queue holds, taken from it.
fn drain(client: &mut RawClient) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let got = client.call(1, "basic.get queue=q no-ack").expect("an answer");
        if got.starts_with("basic.get-empty") {
            return found;
        }
        found.push(got.split('"').nth_back(1).expect("a body").to_owned());
    }
}

#[test]
fn a_damaged_log_costs_what_is_damaged_and_is_reported() {
    let seed = crate::seed();
    println!("LEVERET_SEED={seed}");
    let mut chance = Chance::new(seed);
    for case in 0..CASES {
        let mut server = Server::start("");
        let mut publisher = client(&server);
        // Without its first user and vhost nobody could ask the broker what is left.
        let file = log_files(&server.dir().join("data")).pop().expect("a log file");
        let spared = used_len(&fs::read(&file).expect("readable"));
        fill(&mut publisher);
        server.kill();
        let mut bytes = fs::read(&file).expect("readable");
        let used = used_len(&bytes);
        let damage = Damage::choose(spared, used, &mut chance);
        let place = format!("LEVERET_SEED={seed} case {case}: {damage:?} of {spared}..{used}");
        println!("{place}");
        damage.apply(&mut bytes, &mut chance);
        fs::write(&file, bytes).expect("writable");
        server.restart();
        let log = server.log();
        assert!(!log.contains("panicked"), "{place}\n{log}");
        // What is left is whole, in order, and the broker takes more.
        let mut client = client(&server);
        let publish = "basic.publish routing-key=q {delivery-mode=2} \"after\"";
        client.call(1, publish).expect(&place);
        let mut found = drain(&mut client);
        assert_eq!(found.pop().as_deref(), Some("after"), "{place}");
        let numbers: Vec<usize> = found.iter().map(|it| it.parse().expect(&place)).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{place}: {numbers:?}");
        assert!(MESSAGES - numbers.len() <= damage.cost_max(), "{place}: {numbers:?}");
        // A log that merely ends early looks like one that was never synced further.
        let is_front = numbers.iter().enumerate().all(|(at, &number)| at == number);
        let is_cut = matches!(damage, Damage::Cut(_));
        assert!(is_front || !is_cut, "{place}: {numbers:?}");
        let file = file.display().to_string();
        let is_warning = |line: &str| {
            line.contains("[warning]") && line.contains(&file) && line.contains("offset=")
        };
        if !is_front {
            let log = server.log_with("offset=");
            assert!(log.lines().any(is_warning), "{place}\n{log}");
        }
    }
}
