//! The writer's round: take what was appended, write it, sync once, tell who waits.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::groups::Groups;
use super::segment::{self, Segment};
use super::{Lsn, SPARE_SEGMENTS_MAX, Waiter, Wal};
use crate::{Batch, Error, Flush, GroupId, Log, PageRef, PageStore, Payload};

/// Bytes of attachments after which it is remembered how many are written: a disk that is full then
/// does not get them all again with each attempt.
const ATTACHED_PART_BYTES: usize = 4 << 20;

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything appended before it is durable, and who waited for that was told.
    Wrote,
    /// There is nothing to do.
    Idle,
    /// The disk has no room. The round goes on from there with the next call.
    Full,
    /// The log is closed and everything is written.
    Closed,
}

/// The records of one group in one segment.
#[derive(Debug, Default)]
struct Gathered {
    first: u64,
    count: u32,
    spans: Vec<Range<usize>>,
    compacts: bool,
}

/// A round may stop anywhere for want of room, so all of it is kept here.
#[derive(Default)]
pub(super) struct Writer {
    /// The segments of this round, in order.
    segments: Vec<Segment>,
    /// How many of them are written.
    written: usize,
    /// What the records of the round name, until it is written.
    attachments: Vec<(PageRef, Bytes)>,
    /// How many of them are.
    attached: usize,
    attached_bytes: u64,
    waiters: Vec<(Lsn, Arc<dyn Waiter>)>,
    /// The segment at hand in the log's form, and its bytes.
    batch: Batch,
    batched: Option<Arc<Vec<u8>>>,
    /// Groups of the segment at hand, in order of appearance.
    order: Vec<GroupId>,
    gathered: HashMap<GroupId, Gathered>,
    is_in_round: bool,
}

impl Writer {
    /// Does a round, or goes on with one that found no room.
    pub(super) fn step(&mut self, wal: &Wal) -> Step {
        if !self.is_in_round {
            match self.take_work(wal) {
                Step::Wrote => self.is_in_round = true,
                other => return other,
            }
        }
        if wal.failure.get().is_none() {
            match self.write(wal) {
                Ok(()) => wal.note_room(|room| room.is_stuck = false),
                Err(Error::Full(_)) if !wal.front.lock().closed => {
                    self.wait(wal);
                    return Step::Full;
                }
                Err(error) => {
                    // Only the writer sets it.
                    let _ = wal.failure.set(error);
                }
            }
        }
        self.recycle(wal);
        self.tell(wal);
        self.is_in_round = false;
        Step::Wrote
    }

    /// Takes all there is to do, if there is something.
    fn take_work(&mut self, wal: &Wal) -> Step {
        let mut front = wal.front.lock();
        if !front.has_work() {
            return Step::Idle;
        }
        let has_waiters = !front.waiters.is_empty();
        mem::swap(&mut front.full, &mut self.segments);
        if !front.current.is_empty() {
            let next = front.spare.pop().unwrap_or_default();
            self.segments.push(mem::replace(&mut front.current, next));
        }
        mem::swap(&mut front.attachments, &mut self.attachments);
        self.waiters.append(&mut front.waiters);
        if has_waiters || !self.segments.is_empty() || !front.closed {
            Step::Wrote
        } else {
            Step::Closed
        }
    }

    /// There is no room for the rest of the round. Pages nobody needs give theirs back, and who asks
    /// for what is durable already need not wait for the rest.
    fn wait(&mut self, wal: &Wal) {
        wal.trim_pages();
        wal.note_room(|room| room.is_stuck = true);
        self.waiters.append(&mut wal.front.lock().waiters);
        self.tell(wal);
    }

    /// Writes what is left of the round and publishes its last position.
    fn write(&mut self, wal: &Wal) -> Result<(), Error> {
        self.write_attachments(wal)?;
        let last = self.segments.iter().rev().find_map(Segment::last);
        while self.written < self.segments.len() {
            let is_last = self.written + 1 == self.segments.len();
            let flush = if is_last && last.is_some() {
                wal.options.durability.flush()
            } else {
                Flush::Write
            };
            self.write_segment(wal, flush)?;
            self.written += 1;
        }
        if let Some(last) = last {
            let bytes: u64 = self.segments.iter().map(Segment::record_bytes).sum();
            wal.durable.store(last.0, Ordering::Release);
            wal.pending.fetch_sub(bytes + mem::take(&mut self.attached_bytes), Ordering::Relaxed);
            if let Some(pages) = &wal.options.pages {
                pages.handle_durable(last);
            }
        }
        Ok(())
    }

    /// Makes the pages durable that the round's records name.
    fn write_attachments(&mut self, wal: &Wal) -> Result<(), Error> {
        if self.attachments.is_empty() {
            return Ok(());
        }
        let pages = wal.options.pages.as_ref();
        let pages = pages.expect("who attaches pages opens the log with a store");
        while let Some(part) = next_part(&self.attachments[self.attached..]) {
            write_pages(wal, pages, part)?;
            self.attached += part.len();
        }
        pages.sync()?;
        self.attached = 0;
        self.attached_bytes = self.attachments.drain(..).map(|(_, bytes)| bytes.len() as u64).sum();
        Ok(())
    }

    fn write_segment(&mut self, wal: &Wal, flush: Flush) -> Result<(), Error> {
        if self.batched.is_none() {
            let mut segment = mem::take(&mut self.segments[self.written]);
            let prepared = self.prepare(wal, &mut segment);
            self.segments[self.written] = segment;
            self.batched = Some(prepared?);
        }
        wal.log.write(&mut self.batch, flush)?;
        wal.groups.lock().handle_written();
        let bytes = self.batched.take().and_then(Arc::into_inner);
        self.segments[self.written].bytes = bytes.unwrap_or_default();
        Ok(())
    }

    /// Brings a segment into the log's form. Returns its bytes, which the batch shares.
    fn prepare(&mut self, wal: &Wal, segment: &mut Segment) -> Result<Arc<Vec<u8>>, Error> {
        let mut groups = wal.groups.lock();
        self.gather(&*wal.log, segment, &mut groups)?;
        let bytes = Arc::new(mem::take(&mut segment.bytes));
        for group in self.order.drain(..) {
            let Some(gathered) = self.gathered.remove(&group) else { continue };
            append_chunk(&mut self.batch, &mut groups, &*wal.log, group, gathered, &bytes)?;
        }
        Ok(bytes)
    }

    /// Sorts a segment's steps by group; removals go to the batch at once, ahead of what follows
    /// them.
    fn gather(
        &mut self,
        log: &dyn Log,
        segment: &Segment,
        groups: &mut Groups,
    ) -> Result<(), Error> {
        for step in &segment.steps {
            match *step {
                segment::Step::Append { group, first, count, ref span } => {
                    let known = groups.get(log, group)?;
                    if let Some(next) = known.next
                        && next != first
                    {
                        let last = next.saturating_sub(1);
                        return Err(Error::Gap { group, index: first, first: known.floor, last });
                    }
                    known.next = Some(first + u64::from(count));
                    let gathered = self.gathered.entry(group).or_default();
                    if gathered.spans.is_empty() {
                        if !gathered.compacts {
                            self.order.push(group);
                        }
                        gathered.first = first;
                    }
                    gathered.count += count;
                    match gathered.spans.last_mut() {
                        Some(last) if last.end == span.start => last.end = span.end,
                        _ => gathered.spans.push(span.clone()),
                    }
                }
                segment::Step::Compact { group, keep_from } => {
                    let known = groups.get(log, group)?;
                    known.floor = known.floor.max(keep_from);
                    let gathered = self.gathered.entry(group).or_default();
                    if gathered.spans.is_empty() && !gathered.compacts {
                        self.order.push(group);
                    }
                    gathered.compacts = true;
                }
                segment::Step::Remove { group } => {
                    if self.gathered.remove(&group).is_some() {
                        self.order.retain(|&other| other != group);
                    }
                    groups.remove(group);
                    self.batch.remove(group.of_wal());
                }
            }
        }
        Ok(())
    }

    /// Gives the segments back to the producers.
    fn recycle(&mut self, wal: &Wal) {
        for segment in &mut self.segments {
            segment.recycle();
        }
        self.written = 0;
        self.attachments.clear();
        self.attached = 0;
        let mut front = wal.front.lock();
        for segment in self.segments.drain(..) {
            if front.spare.len() < SPARE_SEGMENTS_MAX {
                front.spare.push(segment);
            }
        }
    }

    /// Gives back what a burst of groups took.
    pub(super) fn trim(&mut self) {
        self.order = Vec::new();
        self.gathered = HashMap::new();
    }

    /// Calls those whose position is durable, or everyone once the log has failed.
    fn tell(&mut self, wal: &Wal) {
        if let Some(error) = wal.failure.get() {
            for (_, waiter) in self.waiters.drain(..) {
                waiter.handle_failure(error);
            }
            return;
        }
        let durable = wal.durable();
        self.waiters.retain(|(lsn, waiter)| {
            if *lsn <= durable {
                waiter.handle_durable(durable);
            }
            *lsn > durable
        });
    }
}

/// The pages to be written next: a few MiB, or a large one.
fn next_part(attachments: &[(PageRef, Bytes)]) -> Option<&[(PageRef, Bytes)]> {
    let mut bytes = 0;
    let is_in = |(_, page): &&(PageRef, Bytes)| {
        bytes += page.len();
        bytes <= ATTACHED_PART_BYTES
    };
    let count = attachments.iter().take_while(is_in).count().max(1);
    attachments.get(..count)
}

/// Writes pages, if need be where the reserve was.
fn write_pages(wal: &Wal, pages: &PageStore, part: &[(PageRef, Bytes)]) -> Result<(), Error> {
    match (pages.write(part), &wal.options.reserve) {
        (Err(Error::Full(_)), Some(reserve)) => {
            wal.trim_pages();
            reserve.or_give_up(|| pages.write(part))
        }
        (written, _) => written,
    }
}

/// Adds the chunk of a group to the batch and drops the chunks that its floor has overtaken.
fn append_chunk(
    batch: &mut Batch,
    groups: &mut Groups,
    log: &dyn Log,
    group: GroupId,
    gathered: Gathered,
    bytes: &Arc<Vec<u8>>,
) -> Result<(), Error> {
    let known = groups.get(log, group)?;
    if gathered.count == 0 && !known.has_chunks() {
        // Nothing was ever appended, so there is nothing to compact and nothing to remember.
        return Ok(());
    }
    let first = if gathered.count > 0 {
        gathered.first
    } else {
        // Carries the floor only.
        known.next.unwrap_or(known.floor)
    };
    let header = known.next_header(first, gathered.count);
    let payload = Payload::gather(header.encode(), Arc::clone(bytes), gathered.spans);
    batch.append(group.of_wal(), known.push_chunk(header), payload);
    if gathered.compacts
        && let Some(keep_from) = known.drop_chunks()
    {
        batch.compact(group.of_wal(), keep_from);
    }
    Ok(())
}
