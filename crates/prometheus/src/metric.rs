//! What a metric is: a line of the table.

use crate::text::Labels;

/// How Prometheus reads a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Neither is said.
    Untyped,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
        }
    }
}

/// The number of one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Whole ones, the most.
    Whole(u64),
    /// Shares and seconds. Not a number: there is an object without a value.
    Real(f64),
    /// The metric does not have this object.
    None,
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<Option<u64>> for Number {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::None, Self::Whole)
    }
}

impl std::ops::Add for Number {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, it) | (it, Self::None) => it,
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.saturating_add(other)),
            (one, other) => Self::Real(one.real() + other.real()),
        }
    }
}

impl Number {
    fn real(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
            Self::None => 0.0,
        }
    }
}

/// An object that metrics are of.
pub(crate) trait Row {
    /// What tells it from others.
    fn put_labels(&self, labels: &mut Labels<'_>);
}

/// One metric of objects of one kind.
pub(crate) struct Metric<R> {
    /// Without the prefix that it has on a path.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) value: fn(&R) -> Number,
    /// Whether `/metrics` has the sum of all objects.
    pub(crate) has_sum: bool,
}

pub(crate) const fn gauge<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Number,
) -> Metric<R> {
    Metric { name, help, kind: Kind::Gauge, value, has_sum: true }
}

pub(crate) const fn counter<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Number,
) -> Metric<R> {
    Metric { name, help, kind: Kind::Counter, value, has_sum: true }
}

pub(crate) const fn untyped<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Number,
) -> Metric<R> {
    Metric { name, help, kind: Kind::Untyped, value, has_sum: true }
}

/// A gauge whose sum would mean nothing.
pub(crate) const fn gauge_of_each<R>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Number,
) -> Metric<R> {
    Metric { name, help, kind: Kind::Gauge, value, has_sum: false }
}

/// Metrics of objects of one kind, asked for by one name on `/metrics/detailed`.
pub(crate) struct Family<R: 'static> {
    pub(crate) name: &'static str,
    pub(crate) metrics: &'static [Metric<R>],
}
