//! What a broker costs while it waits, and what it holds when it is flooded.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Bench;
use super::broker::{Broker, Leveret};
use super::figure::{Bar, Better, Figure, quantity};
use super::process::settle;

const QUORUM: &str = "10,000 idle quorum queues";
const TTLS: &str = "1 M messages with times to live of their own";
const EXPIRES: &str = "100,000 queues with x-expires";
const HEARTBEATS: &str = "19,000 idle connections with heartbeats";
const LATENESS: &str = "expiry of messages";
const FLOOD: &str = "flood by 200 publishers, watermark 256 MB";

/// Names of the scenarios of this file.
pub(super) const NAMES: [&str; 6] = [QUORUM, TTLS, EXPIRES, HEARTBEATS, LATENESS, FLOOD];

const KIB: f64 = 1024.0;
const MB: f64 = 1e6;

/// Share of a core that waiting may cost, in percent.
const IDLE_CPU_MAX: f64 = 2.0;

/// Time over which the processor time of waiting is taken.
const WATCHED: Duration = Duration::from_secs(20);

/// The timeout that RabbitMQ suggests to its clients, in seconds; either side sends twice as often.
const HEARTBEAT_S: u64 = 60;

/// Runs those that are wanted, each on a Leveret of its own.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    quorum(bench)?;
    waiting(bench, TTLS, |broker, quick| {
        let messages = if quick { 50_000 } else { 1_000_000 };
        let words = format!(
            "--producers 1 --consumers 0 --size 12 --flag persistent --auto-delete false --time 0 \
             --queue ttls --confirm 5000 --pmessages {messages} --expiration-from 300000 \
             --expiration-to 3000000"
        );
        broker.load(&split(&words), 600).map(drop)
    })?;
    waiting(bench, EXPIRES, |broker, quick| {
        declare(broker, if quick { 2000 } else { 100_000 }, "x-expires=3600000")
    })?;
    if bench.options.wants(HEARTBEATS) {
        heartbeats(bench)?;
    }
    if bench.options.wants(LATENESS) {
        lateness(bench)?;
    }
    if bench.options.wants(FLOOD) {
        flood(bench)?;
    }
    Ok(())
}

fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn declare(broker: &Broker, queues: usize, queue_args: &str) -> Result<()> {
    let words = format!(
        "--producers 0 --consumers 0 --time 0 --flag persistent --auto-delete false \
         --queue-pattern waiting-%d --queue-pattern-from 0 --queue-pattern-to {last} \
         --queue-args {queue_args}",
        last = queues - 1
    );
    broker.load(&split(&words), 600).map(drop)
}

fn watched(bench: &Bench<'_>) -> Duration {
    if bench.options.quick { WATCHED / 10 } else { WATCHED }
}

fn less(name: String, unit: &'static str, leveret: Option<f64>, bar: f64, note: &str) -> Figure {
    Figure {
        name,
        unit,
        better: Better::Less,
        leveret,
        reference: None,
        bars: vec![Bar::Own(bar)],
        note: note.to_owned(),
    }
}

fn quorum(bench: &mut Bench<'_>) -> Result<()> {
    if !bench.options.wants(QUORUM) {
        return Ok(());
    }
    bench.tell(QUORUM, "Leveret");
    let queues = if bench.options.quick { 1000 } else { 10_000 };
    let leveret = Leveret::start(bench.binary, bench.work)?;
    settle(bench.settling())?;
    let before = leveret.broker.resident()?;
    declare(&leveret.broker, queues, "x-queue-type=quorum")?;
    // One message each, come and gone: what a queue keeps once it was used.
    let words = format!(
        "--producers 1 --consumers 1 --spread --predeclared --time 0 --flag persistent \
         --auto-delete false --confirm 1000 --pmessages {queues} --cmessages {queues} \
         --queue-pattern waiting-%d --queue-pattern-from 0 --queue-pattern-to {last} \
         --routing-key-pattern waiting-%d --routing-key-count {queues}",
        last = queues - 1
    );
    leveret.broker.load(&split(&words), 600)?;
    settle(bench.settling())?;
    let after = leveret.broker.resident()?;
    let bytes = before.zip(after).map(|(before, after)| (after - before) / queues as f64 / KIB);
    bench.add(less(format!("{QUORUM}: memory of each"), "KiB", bytes, 8.0, "after a message each"));
    let cpu = leveret.broker.idle_cpu(watched(bench))?;
    bench.add(less(format!("{QUORUM}: processor"), "% of a core", cpu, IDLE_CPU_MAX, ""));
    Ok(())
}

/// Sets something up that has deadlines, and measures what waiting for them costs.
fn waiting(
    bench: &mut Bench<'_>,
    name: &str,
    set_up: impl FnOnce(&Broker, bool) -> Result<()>,
) -> Result<()> {
    if !bench.options.wants(name) {
        return Ok(());
    }
    bench.tell(name, "Leveret");
    let leveret = Leveret::start(bench.binary, bench.work)?;
    set_up(&leveret.broker, bench.options.quick)?;
    settle(bench.settling())?;
    let cpu = leveret.broker.idle_cpu(watched(bench))?;
    bench.add(less(format!("{name}: processor"), "% of a core", cpu, IDLE_CPU_MAX, ""));
    Ok(())
}

fn heartbeats(bench: &mut Bench<'_>) -> Result<()> {
    bench.tell(HEARTBEATS, "Leveret");
    let connections = if bench.options.quick { 500 } else { 19_000 };
    let leveret = Leveret::start(bench.binary, bench.work)?;
    let words = format!(
        "--producers 0 --consumers 0 --predeclared --time 600 --heartbeat {HEARTBEAT_S} \
         --idle-connections {connections}"
    );
    let held = leveret.broker.begin_load(&words)?;
    settle(bench.settling())?;
    let whole_round = Duration::from_secs(HEARTBEAT_S);
    let cpu = leveret.broker.idle_cpu(watched(bench).max(whole_round))?;
    drop(held);
    let note = "60 s, as RabbitMQ suggests: a heartbeat each way every 30 s";
    bench.add(less(format!("{HEARTBEATS}: processor"), "% of a core", cpu, IDLE_CPU_MAX, note));
    Ok(())
}

/// Messages that live a second, dead-lettered to where they are consumed.
fn lateness(bench: &mut Bench<'_>) -> Result<()> {
    const TTL_MS: f64 = 1000.0;
    bench.tell(LATENESS, "Leveret");
    let leveret = Leveret::start(bench.binary, bench.work)?;
    let words = "--producers 0 --consumers 0 --time 0 --flag persistent --auto-delete false \
        --queue living --queue-args x-dead-letter-exchange=,x-dead-letter-routing-key=dead";
    leveret.broker.load(&split(words), 60)?;
    let seconds = bench.options.seconds + 2;
    let words = format!(
        "--queue dead --routing-key living --size 12 --rate 20000 --autoack --warmup 2 \
         --time {seconds} --expiration-from {TTL_MS} --expiration-to {TTL_MS}"
    );
    let summary = leveret.broker.load(&split(&words), seconds)?;
    let late = summary.consumer_latency_us.map(|it| it.p99_9 / 1e3 - TTL_MS);
    let note =
        "behind a time to live of 1 s, 20,000 messages a second, p99.9 of their dead letters";
    bench.add(less(format!("{LATENESS}: lateness"), "ms", late, 100.0, note));
    Ok(())
}

/// Publishers without limit or confirms, and consumers that must not starve.
fn flood(bench: &mut Bench<'_>) -> Result<()> {
    bench.tell(FLOOD, "Leveret");
    let seconds = if bench.options.quick { 3 } else { 60 };
    let config = "vm_memory_high_watermark.absolute = 256MB\n";
    let leveret = Leveret::start_with(bench.binary, bench.work, config)?;
    let words = format!(
        "--producers 200 --consumers 0 --size 1024 --flag persistent --auto-delete false \
         --queue flood --time {seconds}"
    );
    let publishers = leveret.broker.begin_load(&words)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut memory_max = 0.0f64;
    let mut rate_min = f64::INFINITY;
    let words = "--producers 0 --consumers 2 --size 1024 --predeclared --flag persistent \
        --auto-delete false --queue flood --qos 500 --time 1";
    while Instant::now() < end {
        let summary = leveret.broker.load(&split(words), 1)?;
        rate_min = rate_min.min(summary.receiving_rate);
        memory_max = memory_max.max(leveret.broker.resident()?.unwrap_or(0.0));
    }
    drop(publishers);
    let note = format!("{seconds} s, looked at once a second");
    bench.add(less(format!("{FLOOD}: memory"), "MB", Some(memory_max / MB), 400.0, &note));
    bench.add(Figure {
        name: format!("{FLOOD}: consumed in the worst second"),
        unit: "msg/s",
        better: Better::More,
        leveret: Some(rate_min),
        reference: None,
        bars: vec![Bar::Own(1000.0)],
        note: format!(
            "by two consumers that come anew each second; {} MB",
            quantity(memory_max / MB)
        ),
    });
    Ok(())
}
