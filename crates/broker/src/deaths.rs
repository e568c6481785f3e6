//! Dead letters counted for the whole node, as RabbitMQ's global counters are.

use std::sync::atomic::{AtomicU64, Ordering};

use statistics::DeadLetterCount;
use topology::QueueKind;

use crate::{Broker, DeathReason};

/// What queues do with what dies in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// It has nowhere to go.
    Disabled,
    /// It is published, whatever comes of that.
    AtMostOnce,
    /// It is kept until it is safe elsewhere.
    AtLeastOnce,
}

impl Strategy {
    const ALL: [Self; 3] = [Self::Disabled, Self::AtMostOnce, Self::AtLeastOnce];

    /// The label of Prometheus' metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AtMostOnce => "at_most_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

/// What can be counted: RabbitMQ lists these whether they happened or not.
const COUNTED: [(QueueKind, Strategy, &[DeathReason]); 5] = {
    use DeathReason::{DeliveryLimit, Expired, Maxlen, Rejected};
    use QueueKind::{Classic, Quorum};
    use Strategy::{AtLeastOnce, AtMostOnce, Disabled};
    [
        (Classic, AtMostOnce, &[Expired, Maxlen, Rejected]),
        (Classic, Disabled, &[Expired, Maxlen, Rejected]),
        (Quorum, AtLeastOnce, &[DeliveryLimit, Expired, Rejected]),
        (Quorum, AtMostOnce, &[DeliveryLimit, Expired, Maxlen, Rejected]),
        (Quorum, Disabled, &[DeliveryLimit, Expired, Maxlen, Rejected]),
    ]
};

const REASONS: usize = 4;

/// Dead letters of one queue that were not counted yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deaths {
    by_strategy: [[u32; REASONS]; Strategy::ALL.len()],
    has_some: bool,
}

impl Deaths {
    pub(crate) fn add(&mut self, strategy: Strategy, reason: DeathReason) {
        self.by_strategy[strategy as usize][reason as usize] += 1;
        self.has_some = true;
    }
}

/// All that were counted since the node started.
#[derive(Default)]
pub(crate) struct DeadLetterCounters {
    by_kind: [[[AtomicU64; REASONS]; Strategy::ALL.len()]; QueueKind::ALL.len()],
    /// Kept ones that are safe now.
    confirmed: AtomicU64,
}

impl DeadLetterCounters {
    /// Counts what died in a queue.
    #[inline]
    pub(crate) fn count(&self, kind: QueueKind, deaths: &mut Deaths) {
        if deaths.has_some {
            self.add_all(kind, &std::mem::take(deaths));
        }
    }

    #[cold]
    fn add_all(&self, kind: QueueKind, deaths: &Deaths) {
        let counters = self.by_kind[kind as usize].iter().flatten();
        for (counter, count) in counters.zip(deaths.by_strategy.iter().flatten()) {
            counter.fetch_add(u64::from(*count), Ordering::Relaxed);
        }
    }

    /// Counts kept dead letters that all queues they are for have taken.
    pub(crate) fn confirm(&self, count: usize) {
        self.confirmed.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Broker {
    /// What died since the node started, by type of queue, strategy and reason; and with reason
    /// `confirmed` how many of those kept are safe elsewhere.
    pub fn dead_letter_counts(&self) -> Vec<DeadLetterCount> {
        let counters = &self.dead_letter_counters;
        let row = |kind: QueueKind, strategy: Strategy, reason, counter: &AtomicU64| {
            let (queue_type, strategy) = (kind.name(), strategy.name());
            DeadLetterCount { queue_type, strategy, reason, count: counter.load(Ordering::Relaxed) }
        };
        let mut rows = Vec::new();
        for (kind, strategy, reasons) in COUNTED {
            let of_strategy = &counters.by_kind[kind as usize][strategy as usize];
            rows.extend(reasons.iter().map(|&reason| {
                row(kind, strategy, reason.as_str(), &of_strategy[reason as usize])
            }));
        }
        let (kind, strategy) = (QueueKind::Quorum, Strategy::AtLeastOnce);
        rows.push(row(kind, strategy, "confirmed", &counters.confirmed));
        rows
    }
}
