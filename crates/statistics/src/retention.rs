//! How often values are sampled, and how long samples are kept.

/// Samples at one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    /// How long they are kept, seconds.
    pub length_s: u32,
    /// Between two, seconds; not 0.
    pub interval_s: u32,
}

impl Retention {
    /// The number of the interval that a time lies in, counted from 1970.
    pub(crate) fn tick(self, ms: u64) -> u32 {
        u32::try_from(ms / self.interval_ms()).unwrap_or(u32::MAX)
    }

    /// Milliseconds.
    pub(crate) fn interval_ms(self) -> u64 {
        u64::from(self.interval_s.max(1)) * 1000
    }

    /// How many intervals are kept.
    pub(crate) fn ticks(self) -> u32 {
        self.length_s / self.interval_s.max(1)
    }
}

/// RabbitMQ's `sample_retention_policies`: of what how much is kept. Each is sorted by length; none may be
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicies {
    /// For vhosts and the node.
    pub global: Vec<Retention>,
    /// For connections, channels, queues, exchanges.
    pub basic: Vec<Retention>,
    /// For pairs of them.
    pub detailed: Vec<Retention>,
}

impl Default for RetentionPolicies {
    fn default() -> Self {
        let of = |all: &[(u32, u32)]| {
            all.iter()
                .map(|&(length_s, interval_s)| Retention { length_s, interval_s })
                .collect::<Vec<_>>()
        };
        Self {
            global: of(&[(605, 5), (3660, 60), (29_400, 600), (86_400, 1800)]),
            basic: of(&[(605, 5), (3600, 60)]),
            detailed: of(&[(605, 5)]),
        }
    }
}

impl RetentionPolicies {
    /// The shortest interval of all, seconds: how often samples have to be taken.
    pub fn interval_s(&self) -> u32 {
        let all = self.global.iter().chain(&self.basic).chain(&self.detailed);
        all.map(|it| it.interval_s).min().unwrap_or(1).max(1)
    }
}

/// When samples are taken, and when the ones before were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// See `now_ms`.
    pub previous_ms: u64,
}
