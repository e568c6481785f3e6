//! Reading records back, at the start.

use std::ops::Range;
use std::path::PathBuf;

use super::chunk::{self, Header};
use super::groups::Group;
use crate::{Error, GroupId, Log};

/// Bytes of chunks that a replay reads at once, apart from a single larger one.
const REPLAY_BYTES: usize = 1 << 20;

/// Why a chunk is skipped that the log should have and does not.
const MISSING: &str = "the log does not hold the chunk";

/// Records that were appended once and cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Their group.
    pub group: GroupId,
    /// The first of them.
    pub first: u64,
    /// The one behind the last. `None` when nothing readable follows, so that nobody knows.
    pub end: Option<u64>,
    /// Why.
    pub reason: String,
    /// The damaged places of the log, file and offset, as far as they are known.
    pub places: Vec<(PathBuf, u64)>,
}

/// What a replay found of a group.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) group: GroupId,
    pub(super) known: Group,
    pub(super) lost: Vec<Lost>,
    /// The record behind the last one that could be read.
    end: u64,
    /// Damaged chunks before the next one that can be read.
    gap: Option<Gap>,
}

/// Records in a row that cannot be read.
#[derive(Debug)]
struct Gap {
    /// The first record that may lie in them.
    first: u64,
    /// What is wrong with the first of them.
    reason: String,
    places: Vec<(PathBuf, u64)>,
}

/// Why a chunk cannot be read, and where it is, if that is known.
struct Unreadable {
    reason: String,
    place: Option<(PathBuf, u64)>,
}

impl Unreadable {
    fn nowhere(reason: &str) -> Self {
        Self { reason: reason.to_owned(), place: None }
    }
}

impl Found {
    /// A group whose chunks begin at `first_chunk`. The newest of them knows the latest floor.
    fn new(group: GroupId, first_chunk: u64, newest: Option<Header>) -> Self {
        let floor = newest.map_or(0, |header| header.floor);
        let (known, lost) = (Group::new(first_chunk, floor), Vec::new());
        Self { group, known, lost, end: 0, gap: None }
    }

    /// Takes the next chunk in order and hands out its records.
    fn take(&mut self, bytes: &[u8], visit: &mut dyn FnMut(u64, &[u8])) {
        let Some((header, mut records)) = chunk::decode(bytes) else {
            return self.skip(Unreadable::nowhere("the chunk is malformed"));
        };
        if header.count == 0 {
            // It carries the floor only.
            let first = self.end.max(self.known.floor);
            self.known.push_chunk(Header { first, ..header });
            return;
        }
        if header.first < self.end {
            return self.skip(Unreadable::nowhere("the chunk is out of order"));
        }
        self.close_gap(Some(header.first));
        self.known.push_chunk(header);
        let end = header.first + u64::from(header.count);
        self.end = header.first;
        for index in header.first..end {
            let Some(record) = chunk::next_record(&mut records) else {
                let reason = "the chunk is cut short".to_owned();
                self.gap = Some(Gap { first: index, reason, places: Vec::new() });
                // Who appends goes on behind what was handed out.
                self.known.next = None;
                return;
            };
            self.end = index + 1;
            if index >= self.known.floor {
                visit(index, record);
            }
        }
        self.known.next = Some(end);
    }

    /// Takes a chunk that cannot be read.
    fn skip(&mut self, Unreadable { reason, place }: Unreadable) {
        let first = self.known.first_unknown();
        let gap = self.gap.get_or_insert(Gap { first, reason, places: Vec::new() });
        gap.places.extend(place);
        self.known.push_lost_chunk();
    }

    /// The gap ends in front of the record `end`, if anything readable follows.
    fn close_gap(&mut self, end: Option<u64>) {
        if let Some(gap) = self.gap.take() {
            self.note_lost(end, gap);
        }
    }

    fn note_lost(&mut self, end: Option<u64>, Gap { first, reason, places }: Gap) {
        let first = first.max(self.known.floor);
        if end.is_none_or(|end| first < end) {
            self.lost.push(Lost { group: self.group, first, end, reason, places });
        }
    }

    /// There are no more chunks.
    fn finish(mut self) -> Self {
        self.close_gap(None);
        self
    }
}

/// Reads a group from the log: its records at or above the floor go to `visit`, damaged chunks are
/// skipped. `None` when the log does not know the group.
pub(super) fn replay(
    log: &dyn Log,
    group: GroupId,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<Option<Found>, Error> {
    let in_log = group.of_wal();
    let Some((first, last)) = log.span(in_log) else { return Ok(None) };
    let newest = newest_header(log, in_log, first..last + 1)?;
    let mut found = Found::new(group, first, newest);
    let mut at = first;
    while at <= last {
        let from = at;
        let range = at..last + 1;
        let outcome = readable(log.fetch(in_log, range, REPLAY_BYTES, &mut |index, bytes| {
            while at < index {
                found.skip(Unreadable::nowhere(MISSING));
                at += 1;
            }
            found.take(bytes, visit);
            at += 1;
        }))?;
        if outcome.is_err() || at == from {
            at = pass_damage(log, &mut found, at..last + 1, visit)?;
        }
    }
    Ok(Some(found.finish()))
}

/// Goes on one chunk at a time until the one that cannot be read is passed. Returns the next.
fn pass_damage(
    log: &dyn Log,
    found: &mut Found,
    range: Range<u64>,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<u64, Error> {
    for index in range.clone() {
        if !take_one(log, found, index, visit)? {
            return Ok(index + 1);
        }
    }
    Ok(range.end)
}

/// Reads one chunk. False when it had to be skipped.
fn take_one(
    log: &dyn Log,
    found: &mut Found,
    index: u64,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<bool, Error> {
    let mut is_there = false;
    let in_log = found.group.of_wal();
    let outcome = readable(log.fetch(in_log, index..index + 1, 0, &mut |_, bytes| {
        is_there = true;
        found.take(bytes, visit);
    }))?;
    if !is_there {
        found.skip(outcome.err().unwrap_or_else(|| Unreadable::nowhere(MISSING)));
    }
    Ok(is_there)
}

/// The front of the last chunk that can be read.
fn newest_header(
    log: &dyn Log,
    in_log: GroupId,
    chunks: Range<u64>,
) -> Result<Option<Header>, Error> {
    for index in chunks.rev() {
        if let Some(header) = read_header(log, in_log, index)? {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

/// The front of a chunk, `None` when it cannot be read.
fn read_header(log: &dyn Log, in_log: GroupId, index: u64) -> Result<Option<Header>, Error> {
    let mut header = None;
    let outcome = log.fetch(in_log, index..index + 1, 0, &mut |_, bytes| {
        header = chunk::decode(bytes).map(|(header, _)| header);
    });
    Ok(readable(outcome)?.ok().and(header))
}

/// Tells damage, with its reason, from a log that cannot be read at all.
fn readable(outcome: Result<(), Error>) -> Result<Result<(), Unreadable>, Error> {
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(Error::Corrupt { reason, place, .. }) => Ok(Err(Unreadable { reason, place })),
        Err(error) => Err(error),
    }
}
