//! What was measured, as it goes and in the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Numbers that all connections add to, a batch at a time.
pub(crate) struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    confirmed: AtomicU64,
    nacked: AtomicU64,
    returned: AtomicU64,
    redelivered: AtomicU64,
    is_over: watch::Sender<bool>,
    latencies: Mutex<Latencies>,
}

/// Nanoseconds, since the last reading and in all.
struct Latencies {
    consume: Histogram<u64>,
    confirm: Histogram<u64>,
}

/// Three digits are plenty for a latency.
fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

/// Counts at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) confirmed: u64,
    pub(crate) nacked: u64,
    pub(crate) returned: u64,
    pub(crate) redelivered: u64,
}

impl Counts {
    /// What came after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            received: self.received - earlier.received,
            confirmed: self.confirmed - earlier.confirmed,
            nacked: self.nacked - earlier.nacked,
            returned: self.returned - earlier.returned,
            redelivered: self.redelivered - earlier.redelivered,
        }
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            nacked: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            redelivered: AtomicU64::new(0),
            is_over: watch::Sender::new(false),
            latencies: Mutex::new(Latencies { consume: histogram(), confirm: histogram() }),
        }
    }

    pub(crate) fn add_sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    /// Asks producers and consumers to stop.
    pub(crate) fn end(&self) {
        self.is_over.send_replace(true);
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }

    /// Resolves when the load is to stop.
    pub(crate) async fn over(&self) {
        let mut is_over = self.is_over.subscribe();
        // Whoever could hang up is `self`.
        drop(is_over.wait_for(|is_over| *is_over).await);
    }

    pub(crate) fn add_returned(&self, count: u64) {
        self.returned.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_confirmed(&self, count: u64) {
        self.confirmed.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_nacked(&self, count: u64) {
        self.nacked.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_redelivered(&self, count: u64) {
        if count > 0 {
            self.redelivered.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_received(&self, count: u64, latencies: &[u64]) {
        if count > 0 {
            self.received.fetch_add(count, Ordering::Relaxed);
        }
        if !latencies.is_empty() {
            let histogram = &mut self.latencies().consume;
            // Messages of one write carry one time: record runs, not messages.
            for run in latencies.chunk_by(|a, b| a == b) {
                // An auto-resizing histogram takes any value.
                histogram.record_n(run[0], run.len() as u64).expect("resizes");
            }
        }
    }

    pub(crate) fn record_confirm(&self, nanos: u64) {
        self.latencies().confirm.record(nanos).expect("resizes");
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            confirmed: self.confirmed.load(Ordering::Relaxed),
            nacked: self.nacked.load(Ordering::Relaxed),
            returned: self.returned.load(Ordering::Relaxed),
            redelivered: self.redelivered.load(Ordering::Relaxed),
        }
    }

    /// Takes the latencies recorded since the last call: consumers', confirms'.
    pub(crate) fn take_latencies(&self) -> (Histogram<u64>, Histogram<u64>) {
        let mut latencies = self.latencies();
        let consume = std::mem::replace(&mut latencies.consume, histogram());
        let confirm = std::mem::replace(&mut latencies.confirm, histogram());
        (consume, confirm)
    }
}

/// The figures over the measured time.
pub(crate) struct Summary {
    pub(crate) counts: Counts,
    pub(crate) elapsed: Duration,
    /// Until exchange, queues and bindings were there.
    pub(crate) declared_in: Duration,
    pub(crate) consume: Histogram<u64>,
    pub(crate) confirm: Histogram<u64>,
}

impl Summary {
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            declared_in: Duration::ZERO,
            consume: histogram(),
            confirm: histogram(),
        }
    }

    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "sending rate avg: {:.0} msg/s\nreceiving rate avg: {:.0} msg/s\n",
            self.rate(self.counts.sent),
            self.rate(self.counts.received)
        );
        if self.counts.confirmed + self.counts.nacked > 0 {
            text += &format!("confirm rate avg: {:.0} msg/s\n", self.rate(self.counts.confirmed));
        }
        for (name, count) in [
            ("nacked", self.counts.nacked),
            ("returned", self.counts.returned),
            ("redelivered", self.counts.redelivered),
        ] {
            if count > 0 {
                text += &format!("{name}: {count}\n");
            }
        }
        for (name, histogram) in
            [("consumer latency", &self.consume), ("confirm latency", &self.confirm)]
        {
            if !histogram.is_empty() {
                text += &format!("{name} {}\n", latency_text(histogram));
            }
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "seconds": self.elapsed.as_secs_f64(),
            "declaring_seconds": self.declared_in.as_secs_f64(),
            "sent": self.counts.sent,
            "received": self.counts.received,
            "confirmed": self.counts.confirmed,
            "nacked": self.counts.nacked,
            "returned": self.counts.returned,
            "redelivered": self.counts.redelivered,
            "sending_rate": self.rate(self.counts.sent),
            "receiving_rate": self.rate(self.counts.received),
            "confirm_rate": self.rate(self.counts.confirmed),
            "consumer_latency_us": latency_json(&self.consume),
            "confirm_latency_us": latency_json(&self.confirm),
        })
    }
}

const QUANTILES: [(&str, f64); 5] =
    [("median", 0.5), ("75th", 0.75), ("95th", 0.95), ("99th", 0.99), ("99.9th", 0.999)];

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

pub(crate) fn latency_text(histogram: &Histogram<u64>) -> String {
    let names: Vec<_> = QUANTILES.iter().map(|(name, _)| *name).collect();
    let values: Vec<_> = QUANTILES
        .iter()
        .map(|(_, quantile)| format!("{:.0}", micros(histogram.value_at_quantile(*quantile))))
        .collect();
    format!(
        "min/{}/max: {:.0}/{}/{:.0} µs",
        names.join("/"),
        micros(histogram.min()),
        values.join("/"),
        micros(histogram.max())
    )
}

fn latency_json(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    json!({
        "min": micros(histogram.min()),
        "p50": micros(histogram.value_at_quantile(0.5)),
        "p95": micros(histogram.value_at_quantile(0.95)),
        "p99": micros(histogram.value_at_quantile(0.99)),
        "p99_9": micros(histogram.value_at_quantile(0.999)),
        "max": micros(histogram.max()),
    })
}
