//! A member over a list of records, which a crash cuts off anywhere behind what was persisted.

use super::Member;
use crate::{Error, NodeId, Record, Terms};

const ME: NodeId = NodeId(1);

/// What a member gave out, and how much of it is on the disk.
#[derive(Default)]
struct Disk {
    records: Vec<(u64, Vec<u8>)>,
    persisted: usize,
}

impl Disk {
    fn propose(&mut self, member: &mut Member, data: &str) -> u64 {
        let save = &mut |index, record: &[u8]| self.records.push((index, record.to_vec()));
        member.propose(&[data.as_bytes()], save).unwrap()
    }

    fn persist(&mut self, member: &mut Member) {
        self.persisted = self.records.len();
        member.handle_persisted(self.records.last().map_or(0, |(index, _)| *index));
    }

    /// Loses all but `kept` records and starts again.
    fn crash(&mut self, kept: usize) -> Member {
        self.records.truncate(kept);
        self.persisted = kept;
        let mut terms = Terms::default();
        for (index, record) in &self.records {
            terms.push(*index, Record::parse(record).unwrap().term).unwrap();
        }
        Member::alone(ME, terms).unwrap()
    }

    /// The records as `index/term data`.
    fn texts(&self) -> Vec<String> {
        let text = |(index, record): &(u64, Vec<u8>)| {
            let record = Record::parse(record).unwrap();
            let data = record.data.map_or("-", |data| std::str::from_utf8(data).unwrap());
            format!("{index}/{} {data}", record.term)
        };
        self.records.iter().map(text).collect()
    }
}

fn new_member() -> Member {
    Member::alone(ME, Terms::default()).unwrap()
}

#[test]
fn what_the_only_member_proposes_is_committed_once_it_is_persisted() {
    let (mut disk, mut member) = (Disk::default(), new_member());
    assert_eq!(disk.propose(&mut member, "a"), 2);
    assert_eq!(disk.propose(&mut member, "b"), 3);
    assert_eq!(disk.texts(), ["1/1 -", "2/1 a", "3/1 b"]);
    assert_eq!(member.committed(), 0);
    member.handle_persisted(2);
    assert_eq!(member.committed(), 2);
    member.handle_persisted(2);
    assert_eq!(member.committed(), 2);
    member.handle_persisted(3);
    assert_eq!((member.committed(), member.last()), (3, 3));
}

#[test]
fn the_parts_of_an_entry_are_joined_and_one_without_a_byte_is_blank() {
    let mut member = new_member();
    let mut disk = Disk::default();
    let mut save = |index, record: &[u8]| disk.records.push((index, record.to_vec()));
    member.propose(&[b"head ", b"", b"body"], &mut save).unwrap();
    member.propose(&[], &mut save).unwrap();
    assert_eq!(disk.texts(), ["1/1 -", "2/1 head body", "3/1 -"]);
}

#[test]
fn a_restart_goes_on_in_a_new_term() {
    let (mut disk, mut member) = (Disk::default(), new_member());
    disk.propose(&mut member, "a");
    disk.persist(&mut member);
    let mut member = disk.crash(2);
    assert_eq!((member.term(), member.committed()), (2, 2));
    assert_eq!(disk.propose(&mut member, "b"), 4);
    assert_eq!(disk.texts(), ["1/1 -", "2/1 a", "3/2 -", "4/2 b"]);
}

#[test]
fn a_term_that_nothing_durable_belongs_to_is_used_again() {
    let (mut disk, mut member) = (Disk::default(), new_member());
    disk.propose(&mut member, "lost");
    let mut member = disk.crash(0);
    disk.propose(&mut member, "kept");
    assert_eq!(disk.texts(), ["1/1 -", "2/1 kept"]);
}

#[test]
fn what_is_committed_does_not_stay_in_memory() {
    let (mut disk, mut member) = (Disk::default(), new_member());
    for _ in 0..100 {
        disk.propose(&mut member, "a");
    }
    assert_eq!(member.node.store().uncommitted.len(), 101);
    disk.persist(&mut member);
    assert_eq!(member.node.store().uncommitted.len(), 0);
    assert_eq!(member.node.raft.raft_log.unstable_entries().len(), 0);
    assert_eq!(member.given_out.len(), 0);
    assert!(!member.node.has_ready());
}

#[test]
fn only_what_is_committed_can_be_compacted_and_the_last_entry_stays() {
    let (mut disk, mut member) = (Disk::default(), new_member());
    for data in ["a", "b", "c"] {
        disk.propose(&mut member, data);
    }
    assert_eq!(member.compact(3), 1);
    member.handle_persisted(3);
    assert_eq!(member.compact(4), 3);
    member.handle_persisted(4);
    assert_eq!(member.compact(100), 4);
    assert_eq!(disk.propose(&mut member, "d"), 5);
    member.handle_persisted(5);
    assert_eq!((member.committed(), member.compact(2)), (5, 4));
}

/// Random proposals, syncs, compactions and crashes against the list of what was committed.
#[test]
fn nothing_committed_is_lost() {
    for seed in 1..=200_u64 {
        let mut chance = seed;
        let mut draw = |below: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            (chance >> 33) as usize % below
        };
        let (mut disk, mut member) = (Disk::default(), new_member());
        let mut committed: Vec<String> = Vec::new();
        let mut kept_from = 1;
        for step in 0..200 {
            match draw(8) {
                0 => {
                    let kept = disk.persisted + draw(disk.records.len() - disk.persisted + 1);
                    let before = member.term();
                    member = disk.crash(kept);
                    assert!(member.term() <= before + 1, "seed {seed}, step {step}");
                }
                1 => {
                    let first = member.compact(draw(step + 1) as u64);
                    assert!(first <= member.committed().max(1), "seed {seed}, step {step}");
                    let dropped = (first - kept_from) as usize;
                    kept_from = first;
                    disk.records.drain(..dropped);
                    disk.persisted -= dropped;
                    committed.drain(..dropped);
                }
                2..4 => disk.persist(&mut member),
                _ => {
                    disk.propose(&mut member, &step.to_string());
                }
            }
            let texts = disk.texts();
            assert_eq!(texts[..committed.len()], committed, "seed {seed}, step {step}");
            let count = (member.committed() + 1 - kept_from.min(member.committed() + 1)) as usize;
            assert!(
                committed.len() <= count && count <= disk.persisted,
                "seed {seed}, step {step}"
            );
            committed = texts[..count].to_vec();
        }
    }
}

#[test]
fn a_record_that_no_member_writes_is_damaged() {
    let whole = crate::record::with_data(7, &[b"data"]);
    assert_eq!(Record::parse(&whole), Ok(Record { term: 7, data: Some(b"data") }));
    for (bytes, what) in [
        (&[][..], "the record is empty"),
        (&whole[..5], "the record is cut off"),
        (&[3, 0, 0, 0, 0, 0, 0, 0, 0], "no record is of kind 3"),
        (&[2, 1, 0, 0, 0, 0, 0, 0, 0, 9], "no record is of kind 2"),
    ] {
        assert_eq!(Record::parse(bytes), Err(Error::Damaged(what.to_owned())));
    }
}
