//! What a queue remembers about single messages: how often they were tried, and where they are if
//! they left their place in the order.
//!
//! Most messages come and go without: an entry is made when a quorum queue gets one back, and when
//! one comes that failed elsewhere. Survives a restart in a section of the journal of its own.

use std::collections::{BTreeMap, VecDeque, btree_map};

use stdx::Timestamp;

use super::consumers::ConsumerId;
use super::effects::DeathReason;
use super::record::{FAILED, Header, PERSISTENT};
use super::recovery::Damaged;
use super::varint;

/// How often a message was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How often somebody had it who did not consume it.
    pub acquired: u32,
    /// How often its delivery failed.
    pub failures: u32,
}

impl Attempts {
    /// One more that came to nothing.
    pub(super) fn after(self, has_failed: bool) -> Self {
        Self {
            acquired: self.acquired.saturating_add(1),
            failures: self.failures.saturating_add(u32::from(has_failed)),
        }
    }
}

/// Where a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has not left its place in the order, or left it for the first time.
    #[default]
    InPlace,
    /// It came back and is ready.
    Returned,
    /// It came back, and somebody has it again.
    Out {
        /// Who.
        holder: ConsumerId,
        /// When that has lasted too long.
        deadline: Timestamp,
    },
    /// It came back and waits for this instant.
    Delayed(Timestamp),
    /// It died, and is kept until it is safe elsewhere.
    Discarded(DeathReason),
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) attempts: Attempts,
    pub(super) fate: Fate,
    pub(super) level: u8,
    /// Grows with each change of fate: messages that came back keep their order.
    pub(super) order: u64,
    /// The journal's entry that says so, 0 for none.
    written: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By seq.
    notes: BTreeMap<u64, Note>,
    next_order: u64,
    /// Changed since the last entry of the journal. May name some twice, or ones that are gone.
    changed: Vec<u64>,
    /// Entry and seq, as written. May name ones that are gone or were written again.
    written: VecDeque<(u64, u64)>,
}

impl Ledger {
    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Note> {
        self.notes.get(&seq)
    }

    /// How often the message was tried. Without an entry, one that may have been delivered before a
    /// crash counts as tried once, as RabbitMQ counts one that was.
    pub(super) fn attempts_of(&self, header: &Header) -> Attempts {
        match self.notes.get(&header.seq) {
            Some(note) => note.attempts,
            None if header.is(FAILED) => Attempts { acquired: 1, failures: 1 },
            None => Attempts::default(),
        }
    }

    pub(super) fn set(&mut self, header: &Header, attempts: Attempts, fate: Fate) {
        self.next_order += 1;
        let order = self.next_order;
        let written = self.notes.get(&header.seq).map_or(0, |note| note.written);
        let note = Note { attempts, fate, level: header.level, order, written };
        self.notes.insert(header.seq, note);
        if header.is(PERSISTENT) {
            self.changed.push(header.seq);
        }
    }

    /// Somebody takes a message that came back. False if it did not.
    pub(super) fn hand_out(&mut self, seq: u64, holder: ConsumerId, deadline: Timestamp) -> bool {
        let note = self.notes.get_mut(&seq).filter(|note| note.fate == Fate::Returned);
        let Some(note) = note else { return false };
        note.fate = Fate::Out { holder, deadline };
        self.changed.push(seq);
        true
    }

    /// A delay is over. Nothing to journal: the instant has passed after a restart, too.
    pub(super) fn end_delay(&mut self, seq: u64) {
        self.next_order += 1;
        if let Some(note) = self.notes.get_mut(&seq) {
            (note.fate, note.order) = (Fate::Returned, self.next_order);
        }
    }

    pub(super) fn forget(&mut self, seq: u64) {
        self.notes.remove(&seq);
    }

    /// Who has which message again since too long, by level and seq.
    pub(super) fn out_past(&self, now: Timestamp) -> impl Iterator<Item = (ConsumerId, u8, u64)> {
        self.notes.iter().filter_map(move |(&seq, note)| match note.fate {
            Fate::Out { holder, deadline } if deadline <= now => Some((holder, note.level, seq)),
            _ => None,
        })
    }

    pub(super) fn iter(&self) -> btree_map::Iter<'_, u64, Note> {
        self.notes.iter()
    }

    /// Whether the journal has to hear of something.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Nothing in the journal is needed any more.
    pub(super) fn clear_journal(&mut self) {
        self.changed.clear();
        self.written.clear();
    }

    /// Appends the section of entry `index`: what changed, and what only entries before
    /// `compacted_to` say. Nothing if there is none.
    pub(super) fn write(&mut self, tag: u8, compacted_to: u64, index: u64, out: &mut Vec<u8>) {
        while let Some(&(entry, seq)) = self.written.front()
            && entry < compacted_to
        {
            self.written.pop_front();
            if self.notes.get(&seq).is_some_and(|note| note.written == entry) {
                self.changed.push(seq);
            }
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        self.changed.retain(|seq| self.notes.contains_key(seq));
        if self.changed.is_empty() {
            return;
        }
        out.push(tag);
        varint::write(self.changed.len() as u64, out);
        let mut previous = 0;
        for seq in self.changed.drain(..) {
            let Some(note) = self.notes.get_mut(&seq) else { continue };
            note.written = index;
            self.written.push_back((index, seq));
            varint::write(seq - previous, out);
            write_note(note, out);
            previous = seq;
        }
        self.changed.shrink_to(64);
    }

    /// Reads a section of entry `index` into the ledger; returns the end of the seqs in it.
    pub(super) fn restore(&mut self, section: &[(u64, Note)], index: u64) -> u64 {
        let mut end = 0;
        for &(seq, note) in section {
            end = seq + 1;
            self.next_order = self.next_order.max(note.order);
            self.notes.insert(seq, Note { written: index, ..note });
            self.written.push_back((index, seq));
        }
        end
    }

    /// Messages `first..end` of a level are gone.
    pub(super) fn forget_range(&mut self, level: u8, first: u64, end: u64) {
        for seq in self.noted(level, first, end) {
            self.notes.remove(&seq);
        }
    }

    /// The messages among `first..end` of a level that have an entry.
    pub(super) fn noted(&self, level: u8, first: u64, end: u64) -> Vec<u64> {
        let noted = self.notes.range(first..end).filter(|(_, note)| note.level == level);
        noted.map(|(&seq, _)| seq).collect()
    }
}

const IN_PLACE: u8 = 0;
const RETURNED: u8 = 1;
const OUT: u8 = 2;
const DELAYED: u8 = 3;
const REJECTED: u8 = 4;
const EXPIRED: u8 = 5;
const MAXLEN: u8 = 6;
const DELIVERY_LIMIT: u8 = 7;

fn write_note(note: &Note, out: &mut Vec<u8>) {
    out.push(note.level);
    varint::write(note.attempts.acquired.into(), out);
    varint::write(note.attempts.failures.into(), out);
    varint::write(note.order, out);
    match note.fate {
        Fate::InPlace => out.push(IN_PLACE),
        Fate::Returned => out.push(RETURNED),
        Fate::Out { .. } => out.push(OUT),
        Fate::Delayed(until) => {
            out.push(DELAYED);
            varint::write(until.0, out);
        }
        Fate::Discarded(DeathReason::Rejected) => out.push(REJECTED),
        Fate::Discarded(DeathReason::Expired) => out.push(EXPIRED),
        Fate::Discarded(DeathReason::Maxlen) => out.push(MAXLEN),
        Fate::Discarded(DeathReason::DeliveryLimit) => out.push(DELIVERY_LIMIT),
    }
}

/// Reads the section whose tag was just taken off `bytes`. Seqs end before `seq_end`.
pub(super) fn parse(bytes: &mut &[u8], seq_end: u64) -> Result<Vec<(u64, Note)>, Damaged> {
    let count = number(bytes)?;
    let mut notes = Vec::new();
    let mut previous = 0u64;
    for _ in 0..count {
        let seq = previous.checked_add(number(bytes)?).filter(|&seq| seq < seq_end);
        let seq = seq.ok_or(Damaged::OutOfRange)?;
        let level = *bytes.split_off_first().ok_or(Damaged::Truncated)?;
        let attempts = Attempts { acquired: small(bytes)?, failures: small(bytes)? };
        let order = number(bytes)?;
        let fate = match *bytes.split_off_first().ok_or(Damaged::Truncated)? {
            IN_PLACE => Fate::InPlace,
            RETURNED => Fate::Returned,
            OUT => Fate::Out { holder: ConsumerId(0), deadline: Timestamp(u64::MAX) },
            DELAYED => Fate::Delayed(Timestamp(number(bytes)?)),
            REJECTED => Fate::Discarded(DeathReason::Rejected),
            EXPIRED => Fate::Discarded(DeathReason::Expired),
            MAXLEN => Fate::Discarded(DeathReason::Maxlen),
            DELIVERY_LIMIT => Fate::Discarded(DeathReason::DeliveryLimit),
            _ => return Err(Damaged::OutOfRange),
        };
        notes.push((seq, Note { attempts, fate, level, order, written: 0 }));
        previous = seq;
    }
    Ok(notes)
}

fn number(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    varint::read(bytes).ok_or(Damaged::Truncated)
}

fn small(bytes: &mut &[u8]) -> Result<u32, Damaged> {
    u32::try_from(number(bytes)?).map_err(|_| Damaged::OutOfRange)
}
