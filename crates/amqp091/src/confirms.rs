//! Which publishes of a channel wait for what before they are confirmed.

use std::collections::VecDeque;

use std::sync::Arc;

use broker::Lsn;

/// Not handed to its queues yet.
const UNDECIDED: u64 = u64::MAX;
/// Refused by a queue.
const REFUSED: u64 = u64::MAX - 1;

/// What to tell the publisher; `tag` and, if `is_multiple`, all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) tag: u64,
    pub(crate) is_multiple: bool,
    /// `basic.ack`, otherwise `basic.nack`.
    pub(crate) is_ack: bool,
}

/// The publishes of a channel in confirm mode that are not confirmed, by tag.
///
/// Eight bytes a publish: the journal position it waits for. All verdicts go out in tag order,
/// which lets one frame speak for a whole run.
#[derive(Debug)]
pub(crate) struct Confirms {
    /// Tag of the front of `waiting`.
    first: u64,
    waiting: VecDeque<u64>,
    /// From which tag on publishes are to which exchange. One, if the client only uses one.
    exchanges: VecDeque<(u64, Arc<str>)>,
}

impl Default for Confirms {
    fn default() -> Self {
        Self { first: 1, waiting: VecDeque::new(), exchanges: VecDeque::new() }
    }
}

impl Confirms {
    /// The tag of the next publish, which is to `exchange`.
    #[inline]
    pub(crate) fn assign(&mut self, exchange: &Arc<str>) -> u64 {
        let tag = self.first + self.waiting.len() as u64;
        if !self.exchanges.back().is_some_and(|(_, last)| Arc::ptr_eq(last, exchange)) {
            self.exchanges.push_back((tag, exchange.clone()));
        }
        self.waiting.push_back(UNDECIDED);
        tag
    }

    /// The publish is where it should be once `lsn` is durable; [`Lsn`] 0 is at once.
    pub(crate) fn resolve(&mut self, tag: u64, lsn: Lsn) {
        if let Some(waiting) = self.at(tag) {
            *waiting = lsn.0.min(REFUSED - 1);
        }
    }

    /// A queue refused the publish.
    pub(crate) fn refuse(&mut self, tag: u64) {
        if let Some(waiting) = self.at(tag) {
            *waiting = REFUSED;
        }
    }

    /// How many publishes are unconfirmed.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes what can be said now that everything up to `durable` is safe. `count` is told how many
    /// publishes to which exchange are confirmed.
    pub(crate) fn advance(
        &mut self,
        durable: Lsn,
        mut say: impl FnMut(Verdict),
        mut count: impl FnMut(&Arc<str>, u64),
    ) {
        loop {
            let run = self.waiting.iter().take_while(|&&lsn| lsn <= durable.0).count();
            if 0 < run {
                self.waiting.drain(..run);
                self.pass(run as u64, &mut count);
                let is_multiple = 1 < run;
                say(Verdict { tag: self.first - 1, is_multiple, is_ack: true });
            }
            let run = self.waiting.iter().take_while(|&&lsn| lsn == REFUSED).count();
            if run == 0 {
                break;
            }
            self.waiting.drain(..run);
            self.pass(run as u64, |_, _| {});
            // RabbitMQ says `multiple` in every basic.nack, even for one message.
            say(Verdict { tag: self.first - 1, is_multiple: true, is_ack: false });
        }
        if self.waiting.is_empty() && 1024 < self.waiting.capacity() {
            self.waiting.shrink_to(64);
        }
    }

    /// The next `run` publishes are done with; says to which exchanges they were.
    fn pass(&mut self, run: u64, mut of_exchange: impl FnMut(&Arc<str>, u64)) {
        let end = self.first + run;
        while self.first < end {
            let next = self.exchanges.get(1).map_or(end, |(tag, _)| end.min(*tag));
            if let Some((_, exchange)) = self.exchanges.front() {
                of_exchange(exchange, next - self.first);
            }
            self.first = next;
            if self.exchanges.get(1).is_some_and(|(tag, _)| *tag <= next) {
                self.exchanges.pop_front();
            }
        }
    }

    fn at(&mut self, tag: u64) -> Option<&mut u64> {
        let idx = usize::try_from(tag.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(idx)
    }
}

#[cfg(test)]
mod tests;
