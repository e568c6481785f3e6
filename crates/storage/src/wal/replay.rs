//! Reading records back, at the start.

use std::collections::BinaryHeap;

use super::chunk::{self, Header};
use super::groups::Group;
use crate::{Error, GroupId, Log};

/// Bytes of chunks that a replay reads at once, apart from a single larger one.
const REPLAY_BYTES: usize = 1 << 20;

/// Reads a group from the log: its records at or above the floor go to `visit`.
pub(super) fn replay(
    log: &dyn Log,
    group: GroupId,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<Option<Group>, Error> {
    let in_log = group.of_wal();
    let Some((first, last)) = log.span(in_log) else { return Ok(None) };
    // The last chunk knows the latest floor, so it is read first.
    let mut found = Group::new(first, read_header(log, in_log, last)?.floor);
    let mut at = first;
    while at <= last {
        let from = at;
        let mut bad = None;
        log.fetch(in_log, at..last + 1, REPLAY_BYTES, &mut |index, bytes| {
            at = index + 1;
            if bad.is_none() && visit_chunk(&mut found, bytes, visit).is_none() {
                bad = Some(index);
            }
        })?;
        if let Some(index) = bad.or((at == from).then_some(at)) {
            return Err(malformed(in_log, index));
        }
    }
    Ok(Some(found))
}

/// A chunk to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    sequence: u64,
    /// Index into the groups.
    group: usize,
    index: u64,
}

/// Reads many groups, in the order in which their chunks were written.
///
/// The log reads a whole block to get at one entry and remembers only the last. Group by group,
/// each block would be read once for every group that has something in it; in the order of
/// writing, once. That order is not known beforehand, but each chunk knows the segment of the one
/// before it: a first pass goes back from the last chunks and finds it.
pub(super) fn replay_all(
    log: &dyn Log,
    groups: &[GroupId],
    visit: &mut dyn FnMut(GroupId, u64, &[u8]),
) -> Result<Vec<Group>, Error> {
    let mut found = Vec::with_capacity(groups.len());
    let mut firsts = Vec::with_capacity(groups.len());
    let mut ends = BinaryHeap::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let in_log = group.of_wal();
        let Some((first, last)) = log.span(in_log) else {
            found.push(Group::default());
            firsts.push(0);
            continue;
        };
        let header = read_header(log, in_log, last)?;
        found.push(Group::new(first, header.floor));
        firsts.push(first);
        ends.push(Place { sequence: header.sequence, group: at, index: last });
    }
    let mut places = Vec::new();
    while let Some(place) = ends.pop() {
        places.push(place);
        if place.index > firsts[place.group] {
            let header = read_header(log, groups[place.group].of_wal(), place.index)?;
            let index = place.index - 1;
            ends.push(Place { sequence: header.previous, group: place.group, index });
        }
    }
    for place in places.into_iter().rev() {
        let group = groups[place.group];
        let mut whole = None;
        log.fetch(group.of_wal(), place.index..place.index + 1, 0, &mut |_, bytes| {
            whole = visit_chunk(&mut found[place.group], bytes, &mut |index, record| {
                visit(group, index, record);
            });
        })?;
        whole.ok_or_else(|| malformed(group.of_wal(), place.index))?;
    }
    Ok(found)
}

fn read_header(log: &dyn Log, in_log: GroupId, index: u64) -> Result<Header, Error> {
    let mut header = None;
    log.fetch(in_log, index..index + 1, 0, &mut |_, bytes| {
        header = chunk::decode(bytes).map(|(header, _)| header);
    })?;
    header.ok_or_else(|| malformed(in_log, index))
}

fn malformed(group: GroupId, index: u64) -> Error {
    Error::Corrupt { group, index, reason: "the chunk is malformed".to_owned() }
}

fn visit_chunk(group: &mut Group, bytes: &[u8], visit: &mut dyn FnMut(u64, &[u8])) -> Option<()> {
    let (header, mut records) = chunk::decode(bytes)?;
    group.push_chunk(header);
    let end = header.first + u64::from(header.count);
    for index in header.first..end {
        let record = chunk::next_record(&mut records)?;
        if index >= group.floor {
            visit(index, record);
        }
    }
    group.next = Some(end);
    Some(())
}
