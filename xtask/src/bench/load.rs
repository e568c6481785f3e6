//! Throughput and latency: the loads, and what is asked of each.

use anyhow::Result;

use super::Bench;
use super::broker::{Quantiles, Summary};
use super::figure::{Bar, Better, Figure, median, quantity};

/// Seconds at the start of each load that do not count.
const WARMUP: u64 = 2;

/// The share of what was published that must be consumed, in percent.
const CONSUMED_MIN: f64 = 95.0;

/// Parts of command lines of `leveret perf`.
const SMALL: &str = "--size 12";
const LARGE: &str = "--size 1024";
const TRANSIENT: &str = "--autoack";
const DURABLE: &str =
    "--flag persistent --auto-delete false --queue perf-durable --confirm 5000 --qos 5000";
const QUORUM: &str = "--flag persistent --auto-delete false --queue perf-quorum \
    --queue-args x-queue-type=quorum --confirm 5000 --qos 5000";
/// A core for each side, so that the broker and not the loader is measured.
const WIDE: &str = "--threads 2 --write-batch 262144";
const FOUR: &str = "--producers 4 --consumers 4";
const FANOUT: &str = "--exchange perf-fanout --type fanout --consumers 100 \
    --queue-pattern perf-fanout-%d --queue-pattern-to 100";
/// Ten queues, as a queue of 100,000 bindings is more than RabbitMQ deletes in its time.
const TOPIC: &str = "--exchange perf-topic --type topic --auto-delete false --consumers 10 \
    --queue-pattern perf-topic-%d --queue-pattern-to 10 \
    --binding-pattern sensor.%d.# --binding-count 100000 \
    --routing-key-pattern sensor.%d.temperature --routing-key-count 100000";

/// A load without limit of its rate.
pub(super) struct Load {
    pub(super) name: &'static str,
    /// Parts of the command line of `leveret perf`.
    arguments: &'static [&'static str],
    bars: &'static [Bar],
    /// Deliveries that one message makes.
    copies: f64,
    /// Rounds at most: some loads take minutes to set up.
    rounds_max: usize,
}

impl Load {
    const fn new(
        name: &'static str,
        arguments: &'static [&'static str],
        bars: &'static [Bar],
    ) -> Self {
        Self { name, arguments, bars, copies: 1.0, rounds_max: usize::MAX }
    }
}

/// The load whose best rate at the reference sets the second rate for latencies.
const SMALL_TRANSIENT: Load = Load::new(
    "12 B, transient, auto-ack, 1:1",
    &[SMALL, TRANSIENT, WIDE],
    &[Bar::Own(3e6), Bar::Times(15.0)],
);

pub(super) const LOADS: [Load; 12] = [
    SMALL_TRANSIENT,
    Load::new(
        "1 KB, transient, auto-ack, 1:1",
        &[LARGE, TRANSIENT],
        &[Bar::Own(800e3), Bar::Times(10.0)],
    ),
    Load::new(
        "12 B, persistent, confirms, manual acks, 1:1",
        &[SMALL, DURABLE],
        &[Bar::Own(1.5e6), Bar::Times(20.0)],
    ),
    Load::new(
        "1 KB, persistent, confirms, manual acks, 1:1",
        &[LARGE, DURABLE],
        &[Bar::Own(400e3)],
    ),
    Load::new(
        "12 B, quorum queue of one member, confirms, manual acks, 1:1",
        &[SMALL, QUORUM],
        &[Bar::Own(500e3), Bar::Ahead],
    ),
    Load::new(
        "1 KB, quorum queue of one member, confirms, manual acks, 1:1",
        &[LARGE, QUORUM],
        &[Bar::Own(200e3), Bar::Ahead],
    ),
    Load::new(
        "12 B, transient, auto-ack, 4:4 on one queue",
        &[SMALL, TRANSIENT, FOUR],
        &[Bar::Ahead],
    ),
    Load::new(
        "12 B, transient, auto-ack, 4:4 on four queues",
        &[SMALL, TRANSIENT, FOUR, "--queue-pattern perf-four-%d --queue-pattern-to 4"],
        &[Bar::Ahead],
    ),
    Load::new(
        "12 B, persistent, confirms, manual acks, 4:4 on one queue",
        &[SMALL, DURABLE, FOUR],
        &[Bar::Ahead],
    ),
    Load::new(
        "12 B, persistent, confirms, manual acks, 4:4 on four queues",
        &[SMALL, DURABLE, FOUR, "--queue-pattern perf-durable-%d --queue-pattern-to 4"],
        &[Bar::Ahead],
    ),
    Load {
        copies: 100.0,
        ..Load::new(
            "12 B, fan-out to 100 queues, deliveries",
            &[SMALL, TRANSIENT, FANOUT],
            &[Bar::Ahead],
        )
    },
    Load {
        rounds_max: 1,
        ..Load::new(
            "12 B, topic routing with 100,000 bindings",
            &[SMALL, TRANSIENT, TOPIC],
            &[Bar::Ahead],
        )
    },
];

/// Names of the scenarios of this file.
pub(super) fn names() -> Vec<String> {
    let latencies = [latency_name("1,000/s"), latency_name("half of the reference's best rate")];
    LOADS.iter().map(|load| load.name.to_owned()).chain(latencies).collect()
}

fn latency_name(rate: &str) -> String {
    format!("12 B, latency at {rate}")
}

/// Runs the loads that are wanted, then the latencies.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut best_of_reference = None;
    for load in &LOADS {
        if bench.options.wants(load.name) {
            let medians = throughput(bench, load)?;
            if load.name == SMALL_TRANSIENT.name {
                best_of_reference = medians;
            }
        }
    }
    if bench.options.wants(&latency_name("1,000/s")) {
        latency(bench, &latency_name("1,000/s"), 1000.0)?;
    }
    let name = latency_name("half of the reference's best rate");
    if bench.options.reference.is_some() && bench.options.wants(&name) {
        let best = match best_of_reference {
            Some(best) => best,
            None => {
                let arguments = arguments(&SMALL_TRANSIENT, bench.options.seconds);
                let summary = bench.load_reference(&name, &arguments)?;
                summary.map_or(0.0, |it| it.receiving_rate)
            }
        };
        let rate = (best / 2.0).floor().max(1.0);
        latency(bench, &format!("{name} ({}/s)", quantity(rate)), rate)?;
    }
    Ok(())
}

fn arguments(load: &Load, seconds: u64) -> Vec<String> {
    let words = load.arguments.iter().flat_map(|it| it.split_whitespace()).map(str::to_owned);
    words.chain(common(seconds)).collect()
}

fn common(seconds: u64) -> [String; 5] {
    let [warmup, seconds] = [WARMUP, seconds].map(|it| it.to_string());
    ["--delete".to_owned(), "--warmup".to_owned(), warmup, "--time".to_owned(), seconds]
}

/// The runs of one scenario, by broker.
#[derive(Default)]
struct Runs {
    leveret: Vec<Summary>,
    reference: Vec<Summary>,
}

impl Runs {
    /// Loads both brokers in turn, round by round.
    fn measure(bench: &mut Bench<'_>, name: &str, words: &[String], rounds: usize) -> Result<Self> {
        let mut runs = Self::default();
        for _ in 0..rounds {
            runs.leveret.extend(bench.load_leveret(name, words)?);
            runs.reference.extend(bench.load_reference(name, words)?);
        }
        Ok(runs)
    }

    fn medians(&self, of: impl Fn(&Summary) -> f64) -> (Option<f64>, Option<f64>) {
        let median = |runs: &[Summary]| median(runs.iter().map(&of).collect());
        (median(&self.leveret), median(&self.reference))
    }
}

/// Adds a load's figures; gives the reference's rate.
fn throughput(bench: &mut Bench<'_>, load: &Load) -> Result<Option<f64>> {
    let words = arguments(load, bench.options.seconds);
    let rounds = bench.options.rounds.min(load.rounds_max);
    let runs = Runs::measure(bench, load.name, &words, rounds)?;
    let (leveret, reference) = runs.medians(|it| it.receiving_rate);
    bench.add(Figure {
        name: load.name.to_owned(),
        unit: "msg/s",
        better: Better::More,
        leveret,
        reference,
        bars: load.bars.to_vec(),
        note: String::new(),
    });
    // What waits in sockets counts as published, so this tells nothing where much waits there.
    let (consumed, _) =
        runs.medians(|it| it.received as f64 * 100.0 / (it.sent as f64 * load.copies).max(1.0));
    bench.add(Figure {
        name: format!("{}: consumed of published", load.name),
        unit: "%",
        better: Better::More,
        leveret: consumed,
        reference: None,
        bars: vec![Bar::Own(CONSUMED_MIN)],
        note: String::new(),
    });
    Ok(reference)
}

/// Picks one of the quantiles.
type Quantile = fn(&Quantiles) -> f64;

fn latency(bench: &mut Bench<'_>, name: &str, rate: f64) -> Result<()> {
    let seconds = bench.options.seconds;
    let words = ["--size", "12", "--autoack", "--rate", &rate.to_string()].map(str::to_owned);
    let words: Vec<String> = words.into_iter().chain(common(seconds)).collect();
    let runs = Runs::measure(bench, name, &words, bench.options.rounds)?;
    let quantiles: [(&str, Quantile); 3] =
        [("p50", |it| it.p50), ("p99", |it| it.p99), ("p99.9", |it| it.p99_9)];
    for (quantile, value) in quantiles {
        let (leveret, reference) =
            runs.medians(|it| it.consumer_latency_us.as_ref().map_or(f64::NAN, value));
        bench.add(Figure {
            name: format!("{name}, {quantile}"),
            unit: "µs",
            better: Better::Less,
            leveret,
            reference,
            bars: vec![Bar::Ahead],
            note: String::new(),
        });
    }
    Ok(())
}
