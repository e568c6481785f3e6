//! Values as they are shown: how much, how fast, and how it was.

/// A stretch of time and its steps, as a client asks for it (`msg_rates_age` and `msg_rates_incr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Milliseconds since 1970.
    pub first_ms: u64,
    /// The newest sample's; a whole number of steps after `first_ms`.
    pub last_ms: u64,
    /// Between two samples; not 0.
    pub step_ms: u64,
}

impl Range {
    /// Samples it has at most.
    pub const SAMPLES_MAX: u64 = 500;

    /// The `age_s` seconds before now in steps of `step_s`, which end with a whole step: the last one that
    /// is over, or the one under way (`is_open`). `None` if there are none, or too many.
    pub fn ending(now_ms: u64, age_s: u64, step_s: u64, is_open: bool) -> Option<Self> {
        if age_s == 0 || step_s == 0 || age_s / step_s > Self::SAMPLES_MAX {
            return None;
        }
        let step_ms = step_s.checked_mul(1000)?;
        let last_ms = if is_open { now_ms.div_ceil(step_ms) } else { now_ms / step_ms };
        let last_ms = last_ms.checked_mul(step_ms)?;
        Some(Self { first_ms: last_ms.checked_sub(age_s.checked_mul(1000)?)?, last_ms, step_ms })
    }

    pub(crate) fn len_ms(&self) -> u64 {
        self.last_ms - self.first_ms
    }

    /// Of its samples, oldest first.
    pub(crate) fn times(&self) -> Vec<u64> {
        let step = usize::try_from(self.step_ms.max(1)).unwrap_or(usize::MAX);
        (self.first_ms..=self.last_ms).step_by(step).collect()
    }
}

/// The ranges of a request; what has none is shown without samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// `lengths_age` and `lengths_incr`: messages in queues.
    pub lengths: Option<Range>,
    /// `msg_rates_...`: messages that pass.
    pub messages: Option<Range>,
    /// `data_rates_...`: bytes of connections.
    pub data: Option<Range>,
    /// `node_stats_...`: the node.
    pub node: Option<Range>,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// How much.
    pub value: u64,
    /// Growth per second in the last interval.
    pub rate: f64,
    /// If a range was asked for.
    pub course: Option<Course>,
}

/// How a value was over a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Mean of the samples and growth per second from the first to the last; none with one sample.
    pub average: Option<(f64, f64)>,
    /// Milliseconds since 1970 and the value then, newest first.
    pub samples: Vec<(u64, u64)>,
}

/// Values by RabbitMQ's keys.
pub type Figures = Vec<(&'static str, Figure)>;

/// Some values at once.
#[derive(Clone, Debug)]
pub(crate) struct Reading<const N: usize> {
    pub(crate) values: [u64; N],
    pub(crate) rates: [f64; N],
    pub(crate) course: Option<(Range, Vec<[u64; N]>)>,
}

impl<const N: usize> Default for Reading<N> {
    fn default() -> Self {
        Self { values: [0; N], rates: [0.0; N], course: None }
    }
}

impl<const N: usize> Reading<N> {
    /// The sum of these values.
    pub(crate) fn figure(&self, columns: &[usize]) -> Figure {
        let sum = |values: &[u64; N]| columns.iter().map(|&it| values[it]).sum::<u64>();
        let rate = columns.iter().map(|&it| self.rates[it]).sum();
        let Some((range, points)) = &self.course else {
            return Figure { value: sum(&self.values), rate, course: None };
        };
        let mut samples: Vec<_> = range.times().into_iter().zip(points.iter().map(sum)).collect();
        samples.reverse();
        Figure {
            value: samples.first().map_or(0, |&(_, value)| value),
            rate: samples.get(..2).map_or(0.0, |two| growth(two[1], two[0])),
            course: Some(Course { average: average(&samples), samples }),
        }
    }

    /// Adds what something else has over the same range.
    pub(crate) fn add(&mut self, other: Self) {
        for index in 0..N {
            self.values[index] += other.values[index];
            self.rates[index] += other.rates[index];
        }
        match (&mut self.course, other.course) {
            (Some((_, mine)), Some((_, points))) => {
                for (mine, points) in mine.iter_mut().zip(points) {
                    mine.iter_mut().zip(points).for_each(|(mine, more)| *mine += more);
                }
            }
            (mine, course) => *mine = mine.take().or(course),
        }
    }
}

/// Per second, from one sample to a later one.
fn growth((from_ms, from): (u64, u64), (to_ms, to): (u64, u64)) -> f64 {
    (to as f64 - from as f64) * 1000.0 / to_ms.saturating_sub(from_ms).max(1) as f64
}

fn average(samples: &[(u64, u64)]) -> Option<(f64, f64)> {
    let [newest, .., oldest] = samples else { return None };
    let total: f64 = samples.iter().map(|&(_, value)| value as f64).sum();
    Some((total / samples.len() as f64, growth(*oldest, *newest)))
}
