//! The writer's turn: take what was appended, write it, sync once, tell who waits.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::groups::Groups;
use super::segment::{Segment, Step};
use super::{Durability, IDLE_BEFORE_TRIM, Lsn, SPARE_SEGMENTS_MAX, Waiter, Wal};
use crate::{Batch, Error, Flush, GroupId, Log, Payload};

/// The records of one group in one segment.
#[derive(Debug, Default)]
struct Gathered {
    first: u64,
    count: u32,
    spans: Vec<Range<usize>>,
    compacts: bool,
}

/// The segment that chunks are made of.
struct Source {
    sequence: u64,
    bytes: Arc<Vec<u8>>,
}

pub(super) struct Writer<'a> {
    wal: &'a Wal,
    /// The segments of this turn, in order.
    segments: Vec<Segment>,
    waiters: Vec<(Lsn, Arc<dyn Waiter>)>,
    batch: Batch,
    /// Groups of the segment at hand, in order of appearance.
    order: Vec<GroupId>,
    gathered: HashMap<GroupId, Gathered>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(wal: &'a Wal) -> Self {
        Self {
            wal,
            segments: Vec::new(),
            waiters: Vec::new(),
            batch: Batch::default(),
            order: Vec::new(),
            gathered: HashMap::new(),
        }
    }

    pub(super) fn run(&mut self) {
        while self.take_work() {
            if self.wal.failure.get().is_none()
                && let Err(error) = self.write()
            {
                // Only this thread sets it.
                let _ = self.wal.failure.set(error);
            }
            self.recycle();
            self.tell();
        }
    }

    /// Waits for work and takes all of it. False when closed and drained.
    fn take_work(&mut self) -> bool {
        let mut front = self.wal.front.lock();
        let mut trimmed = false;
        while !front.has_work() {
            front.writer_parked = true;
            if trimmed {
                self.wal.work.wait(&mut front);
            } else if self.wal.work.wait_for(&mut front, IDLE_BEFORE_TRIM).timed_out() {
                front.spare = Vec::new();
                if front.current.is_empty() {
                    front.current = Segment::default();
                }
                self.order = Vec::new();
                self.gathered = HashMap::new();
                trimmed = true;
            }
        }
        front.writer_parked = false;
        let has_waiters = !front.waiters.is_empty();
        mem::swap(&mut front.full, &mut self.segments);
        if !front.current.is_empty() {
            let next = front.spare.pop().unwrap_or_default();
            self.segments.push(mem::replace(&mut front.current, next));
        }
        self.waiters.append(&mut front.waiters);
        has_waiters || !self.segments.is_empty() || !front.closed
    }

    /// Writes the segments, publishes their last position.
    fn write(&mut self) -> Result<(), Error> {
        let last = self.segments.iter().rev().find_map(Segment::last);
        let bytes: u64 = self.segments.iter().map(Segment::record_bytes).sum();
        let mut segments = mem::take(&mut self.segments);
        let count = segments.len();
        for (at, segment) in segments.iter_mut().enumerate() {
            let is_last = at + 1 == count;
            let flush = match self.wal.durability {
                Durability::Fsync if is_last && last.is_some() => Flush::Sync,
                Durability::Fsync | Durability::Os => Flush::Write,
            };
            self.write_segment(segment, flush)?;
        }
        self.segments = segments;
        if let Some(last) = last {
            self.wal.durable.store(last.0, Ordering::Release);
            self.wal.pending.fetch_sub(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write_segment(&mut self, segment: &mut Segment, flush: Flush) -> Result<(), Error> {
        let wal = self.wal;
        let mut groups = wal.groups.lock();
        self.gather(segment, &mut groups)?;
        let bytes = Arc::new(mem::take(&mut segment.bytes));
        let source = Source { sequence: groups.next_sequence(), bytes };
        for group in self.order.drain(..) {
            let Some(gathered) = self.gathered.remove(&group) else { continue };
            append_chunk(&mut self.batch, &mut groups, &*wal.log, group, gathered, &source)?;
        }
        wal.log.write(&mut self.batch, flush)?;
        groups.handle_written();
        drop(groups);
        if let Ok(bytes) = Arc::try_unwrap(source.bytes) {
            segment.bytes = bytes;
        }
        Ok(())
    }

    /// Sorts a segment's steps by group; removals go to the batch at once, ahead of what follows
    /// them.
    fn gather(&mut self, segment: &Segment, groups: &mut Groups) -> Result<(), Error> {
        let log = &*self.wal.log;
        for step in &segment.steps {
            match *step {
                Step::Append { group, first, count, ref span } => {
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
                Step::Compact { group, keep_from } => {
                    let known = groups.get(log, group)?;
                    known.floor = known.floor.max(keep_from);
                    let gathered = self.gathered.entry(group).or_default();
                    if gathered.spans.is_empty() && !gathered.compacts {
                        self.order.push(group);
                    }
                    gathered.compacts = true;
                }
                Step::Remove { group } => {
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
    fn recycle(&mut self) {
        for segment in &mut self.segments {
            segment.recycle();
        }
        let mut front = self.wal.front.lock();
        for segment in self.segments.drain(..) {
            if front.spare.len() < SPARE_SEGMENTS_MAX {
                front.spare.push(segment);
            }
        }
    }

    /// Calls those whose position is durable, or everyone once the log has failed.
    fn tell(&mut self) {
        if let Some(error) = self.wal.failure.get() {
            for (_, waiter) in self.waiters.drain(..) {
                waiter.handle_failure(error);
            }
            return;
        }
        let durable = self.wal.durable();
        self.waiters.retain(|(lsn, waiter)| {
            if *lsn <= durable {
                waiter.handle_durable(durable);
            }
            *lsn > durable
        });
    }
}

/// Adds the chunk of a group to the batch and drops the chunks that its floor has overtaken.
fn append_chunk(
    batch: &mut Batch,
    groups: &mut Groups,
    log: &dyn Log,
    group: GroupId,
    gathered: Gathered,
    source: &Source,
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
    let header = known.next_header(source.sequence, first, gathered.count);
    let payload = Payload::gather(header.encode(), Arc::clone(&source.bytes), gathered.spans);
    batch.append(group.of_wal(), known.push_chunk(header), payload);
    if gathered.compacts
        && let Some(keep_from) = known.drop_chunks()
    {
        batch.compact(group.of_wal(), keep_from);
    }
    Ok(())
}
