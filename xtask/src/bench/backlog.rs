//! Backlogs: filled, left behind by a stop and by a crash, drained to the last message.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Bench;
use super::broker::{Broker, Leveret, Summary};
use super::figure::{Bar, Better, Figure, quantity};
use super::process::settle;

const ONE: &str = "backlog of 10 M messages of 100 B in one queue";
const MANY: &str = "backlog of 10,000 queues of 1,000 messages of 100 B";
const ONE_QUORUM: &str = "backlog of 10 M messages of 100 B in one quorum queue";

/// Names of the scenarios of this file.
pub(super) const NAMES: [&str; 3] = [ONE, MANY, ONE_QUORUM];

const MIB: f64 = 1024.0 * 1024.0;

/// The reference fills and drains a tenth: its rates do not need more, and it takes its time.
const REFERENCE_SHARE: u64 = 10;

/// A backlog and how it comes and goes.
struct Backlog {
    name: &'static str,
    messages: u64,
    queues: u64,
    queue_args: &'static str,
}

const BACKLOGS: [Backlog; 3] = [
    Backlog { name: ONE, messages: 10_000_000, queues: 1, queue_args: "x-queue-type=classic" },
    Backlog {
        name: MANY,
        messages: 10_000_000,
        queues: 10_000,
        queue_args: "x-queue-type=classic",
    },
    Backlog {
        name: ONE_QUORUM,
        messages: 10_000_000,
        queues: 1,
        queue_args: "x-queue-type=quorum",
    },
];

/// What one broker made of a backlog.
#[derive(Default)]
struct Outcome {
    fill_rate: Option<f64>,
    drain_rate: Option<f64>,
    /// Bytes that the backlog added, or all there are for Leveret.
    memory: Option<f64>,
    /// Milliseconds until it listens again.
    restart_clean: Option<f64>,
    restart_killed: Option<f64>,
    memory_after_restart: Option<f64>,
    /// Bytes of files when full and when drained.
    disk: Option<(f64, f64)>,
}

/// Runs those that are wanted.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    for backlog in &BACKLOGS {
        if bench.options.wants(backlog.name) {
            measure(bench, backlog)?;
        }
    }
    Ok(())
}

impl Backlog {
    fn common(&self, messages: u64) -> String {
        let Self { queues, queue_args, .. } = self;
        let last = queues - 1;
        format!(
            "--size 100 --flag persistent --auto-delete false --time 0 --threads 2 \
             --queue-args {queue_args} --queue-pattern backlog-%d --queue-pattern-from 0 \
             --queue-pattern-to {last} --confirm 20000 --qos 2000 --pmessages {messages} \
             --cmessages {messages}"
        )
    }

    fn fill(&self, broker: &Broker, messages: u64) -> Result<Summary> {
        let queues = self.queues;
        let words = format!(
            "{} --producers 1 --consumers 0 --routing-key-pattern backlog-%d \
             --routing-key-count {queues} --routing-key-run 10",
            self.common(messages)
        );
        let summary = load(broker, &words)?;
        ensure!(summary.sent == messages, "{} were sent", summary.sent);
        Ok(summary)
    }

    fn drain(&self, broker: &Broker, messages: u64) -> Result<Summary> {
        let words = format!(
            "{} --producers 0 --consumers 1 --spread --predeclared --delete",
            self.common(messages)
        );
        let summary = load(broker, &words)?;
        ensure!(summary.received >= messages, "{} came back", summary.received);
        Ok(summary)
    }
}

fn load(broker: &Broker, words: &str) -> Result<Summary> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    broker.load(&words, 600)
}

fn measure(bench: &mut Bench<'_>, backlog: &Backlog) -> Result<()> {
    let messages = if bench.options.quick { backlog.messages / 50 } else { backlog.messages };
    bench.tell(backlog.name, "Leveret");
    let own = own(bench, backlog, messages)?;
    let mut reference = Outcome::default();
    if let Some(broker) = &bench.reference {
        bench.tell(backlog.name, broker.name);
        let messages = messages / REFERENCE_SHARE;
        let before = broker.resident()?;
        reference.fill_rate = Some(backlog.fill(broker, messages)?.confirm_rate);
        settle(bench.settling())?;
        reference.memory = before.zip(broker.resident()?).map(|(before, after)| after - before);
        reference.drain_rate = Some(backlog.drain(broker, messages)?.receiving_rate);
    }
    add(bench, backlog, &own, &reference);
    Ok(())
}

fn own(bench: &Bench<'_>, backlog: &Backlog, messages: u64) -> Result<Outcome> {
    let mut leveret = Leveret::start(bench.binary, bench.work)?;
    let mut outcome = Outcome {
        fill_rate: Some(backlog.fill(&leveret.broker, messages)?.confirm_rate),
        ..Outcome::default()
    };
    settle(bench.settling())?;
    outcome.memory = leveret.broker.resident()?;
    let full = bytes_of(&leveret.data_dir)?;
    leveret.stop()?;
    leveret.start_again()?;
    outcome.restart_clean = Some(leveret.listening_after.as_secs_f64() * 1e3);
    leveret.kill()?;
    leveret.start_again()?;
    outcome.restart_killed = Some(leveret.listening_after.as_secs_f64() * 1e3);
    settle(bench.settling())?;
    outcome.memory_after_restart = leveret.broker.resident()?;
    outcome.drain_rate = Some(backlog.drain(&leveret.broker, messages)?.receiving_rate);
    settle(bench.settling())?;
    outcome.disk = Some((full, bytes_of(&leveret.data_dir)?));
    Ok(outcome)
}

fn add(bench: &mut Bench<'_>, backlog: &Backlog, own: &Outcome, reference: &Outcome) {
    let mut add = |what: &str, unit, better, own, reference, bar, note: String| {
        bench.add(Figure {
            name: format!("{}: {what}", backlog.name),
            unit,
            better,
            leveret: own,
            reference,
            bars: bar,
            note,
        });
    };
    let mib = |bytes: Option<f64>| bytes.map(|it| it / MIB);
    let share = format!("the reference with one in {REFERENCE_SHARE}");
    let (more, less) = (Better::More, Better::Less);
    let rates = [(own.fill_rate, reference.fill_rate), (own.drain_rate, reference.drain_rate)];
    add("filled", "msg/s", more, rates[0].0, rates[0].1, bars(1e6), share.clone());
    add("memory when full", "MiB", less, mib(own.memory), None, bars(100.0), String::new());
    let none = String::new;
    add("restart after a clean stop", "ms", less, own.restart_clean, None, bars(100.0), none());
    add("restart after kill -9", "ms", less, own.restart_killed, None, bars(1000.0), none());
    let after = mib(own.memory_after_restart);
    add("memory after the restart", "MiB", less, after, None, bars(100.0), none());
    add("drained", "msg/s", more, rates[1].0, rates[1].1, bars(500e3), share);
    if let Some((full, drained)) = own.disk {
        let note = format!("{} MiB when full", quantity(full / MIB));
        add("disk when drained", "MiB", less, Some(drained / MIB), None, Vec::new(), note);
    }
}

fn bars(bound: f64) -> Vec<Bar> {
    vec![Bar::Own(bound)]
}

/// Bytes that the files of a folder take on disk.
fn bytes_of(folder: &Path) -> Result<f64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_of(&entry.path())?,
            false => (entry.metadata()?.blocks() * 512) as f64,
        };
    }
    Ok(bytes)
}
