//! Files damaged between two runs: the broker starts, says what it lost, and goes on.

use std::fs;
use std::path::{Path, PathBuf};

use it::{Login, RawClient, Server};
use simulator::Chance;

/// Damaged starts per run.
const CASES: u32 = 12;

const MESSAGES: usize = 200;

fn client(server: &Server) -> RawClient {
    let mut client =
        RawClient::connect_open(&server.address(), &Login::default()).expect("it accepts");
    client.call(1, "channel.open").expect("a channel");
    client.call(1, "confirm.select").expect("confirms");
    client
}

fn fill(server: &Server) {
    let mut client = client(server);
    client.call(1, "queue.declare queue=q durable").expect("declared");
    for number in 0..MESSAGES {
        let body = format!("{number:0>50}");
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

/// Damages one file behind its first `spared` bytes; returns what was done to it.
fn damage(data: &Path, spared: usize, chance: &mut Chance) -> String {
    let file = log_files(data).pop().expect("a log file");
    let mut bytes = fs::read(&file).expect("readable");
    let used = used_len(&bytes);
    let at = spared + chance.below((used - spared) as u64) as usize;
    let done = match chance.below(3) {
        0 => {
            bytes.truncate(at);
            format!("cut at {at} of {used}")
        }
        1 => {
            bytes[at] ^= 1 << chance.below(8);
            format!("flipped a bit at {at} of {used}")
        }
        _ => {
            let end = used.min(at + chance.below(5000) as usize);
            bytes[at..end].fill(0);
            format!("zeroed {at}..{end} of {used}")
        }
    };
    fs::write(&file, bytes).expect("writable");
    done
}

#[test]
fn a_damaged_log_is_survived_and_reported() {
    let seed = crate::seed();
    println!("LEVERET_SEED={seed}");
    let mut chance = Chance::new(seed);
    for case in 0..CASES {
        let mut server = Server::start("");
        let data = server.dir().join("data");
        // Without its first user and vhost nobody could ask the broker what is left.
        let first_boot = fs::read(log_files(&data).pop().expect("a log file")).expect("readable");
        fill(&server);
        server.kill();
        let done = damage(&data, used_len(&first_boot), &mut chance);
        let place = format!("LEVERET_SEED={seed} case {case}: {done}");
        println!("{place}");
        server.restart();
        let log = server.log();
        assert!(!log.contains("panicked"), "{place}\n{log}");
        // What is left is whole, in order, and the broker takes more.
        let mut client = client(&server);
        client.call(1, "queue.declare queue=q durable").expect(&place);
        let publish = "basic.publish routing-key=q {delivery-mode=2} \"after\"";
        client.call(1, publish).expect(&place);
        let mut found = Vec::new();
        loop {
            let got = client.call(1, "basic.get queue=q no-ack").expect(&place);
            if got.starts_with("basic.get-empty") {
                break;
            }
            found.push(got.split('"').nth_back(1).expect("a body").to_owned());
        }
        assert_eq!(found.pop().as_deref(), Some("after"), "{place}");
        let numbers: Vec<usize> = found.iter().map(|it| it.parse().expect(&place)).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{place}: {numbers:?}");
        // A log that merely ends early looks like one that was never synced further.
        let is_hole = numbers.iter().enumerate().any(|(at, &number)| at != number);
        assert!(!is_hole || log.contains("[warning]"), "{place}\n{log}");
    }
}
