//! What a queue's member costs: memory while it is idle, and time per proposal.
//!
//! `cargo run --release -p consensus --example member`

use std::time::Instant;

use consensus::{Member, NodeId, Terms};

const MEMBERS: usize = 100_000;
const PROPOSALS: u32 = 100_000;
/// Proposals between two syncs.
const PER_SYNC: u32 = 16;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a kernel's line");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("a number") * 1024
}

fn main() {
    let before = resident_bytes();
    let mut members = Vec::with_capacity(MEMBERS);
    for _ in 0..MEMBERS {
        let mut member = Member::alone(NodeId(1), Terms::default()).expect("it leads");
        let last = member.propose(&[b"one entry"], &mut |_, _| {}).expect("it leads");
        member.handle_persisted(last);
        members.push(member);
    }
    println!("an idle member: {} bytes", (resident_bytes() - before) / MEMBERS);

    let mut member = members.pop().expect("one was made");
    for len in [1_000, 64_000] {
        let entry = vec![7; len];
        let mut saved = 0;
        let start = Instant::now();
        for count in 1..=PROPOSALS {
            let save = &mut |_, record: &[u8]| saved += record.len();
            let last = member.propose(&[&entry], save).expect("it leads");
            if count.is_multiple_of(PER_SYNC) {
                member.handle_persisted(last);
            }
        }
        println!("a proposal of {len} bytes: {:.2?}", start.elapsed() / PROPOSALS);
        assert!(saved >= len * PROPOSALS as usize);
    }
}
