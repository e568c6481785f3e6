//! Makes statistics of what the broker counted: takes it in, and takes samples from time to time.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{Broker, QueueRef};
use node::{Node, Resources};
use parking_lot::{Mutex, MutexGuard};
use statistics::{Known, Lengths, NodeGauges, Retention, RetentionPolicies, Statistics};

/// Objects that are looked at under one lock: others get their turn in between.
const SLICE: usize = 256;

/// Between two collections.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// The node's statistics. Nobody who serves a client waits for its locks.
pub(crate) struct Collector {
    broker: Arc<Broker>,
    resources: Arc<Resources>,
    settings: config::Statistics,
    /// Traffic is taken by one at a time.
    taking: Mutex<()>,
    statistics: Mutex<Statistics>,
}

fn policies(kept: &config::SampleRetention) -> RetentionPolicies {
    let retentions = |kept: &[(u32, u32)]| {
        let all = kept.iter();
        all.map(|&(length_s, interval_s)| Retention { length_s, interval_s }).collect()
    };
    RetentionPolicies {
        global: retentions(&kept.global),
        basic: retentions(&kept.basic),
        detailed: retentions(&kept.detailed),
    }
}

impl Collector {
    pub(crate) fn new(node: &Node, settings: &config::Statistics) -> Self {
        let has_pairs = settings.rates_mode == config::RatesMode::Detailed;
        let policies = policies(&settings.retention);
        Self {
            broker: node.broker.clone(),
            resources: node.resources.clone(),
            settings: settings.clone(),
            taking: Mutex::new(()),
            statistics: Mutex::new(Statistics::new(policies, has_pairs, net::now().0)),
        }
    }

    pub(crate) fn settings(&self) -> &config::Statistics {
        &self.settings
    }

    pub(crate) fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock()
    }

    /// Takes in what was counted up to now.
    pub(crate) fn refresh(&self) {
        let _taking = self.taking.lock();
        self.broker.take_traffic(&mut |traffic| self.statistics.lock().add(&traffic));
    }

    /// Collects for ever, at whole multiples of the interval, so that samples are as old as they say.
    pub(crate) async fn run(self: Arc<Self>) {
        let interval = self.settings.interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        let interval_ms = interval.as_millis() as u64;
        loop {
            let wait = interval_ms - net::now().0 % interval_ms;
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let collector = self.clone();
            // It may be a few milliseconds' work.
            let collected = tokio::task::spawn_blocking(move || collector.collect());
            if collected.await.is_err() {
                tracing::error!("collecting statistics ended by a bug");
            }
        }
    }

    fn collect(&self) {
        self.refresh();
        if !self.settings.is_disabled {
            self.statistics.lock().begin(net::now().0);
            let held = self.sample_queues();
            self.sample_connections();
            self.sample_channels();
            self.sample_vhosts(&held);
            self.sample_node();
        }
        self.forget_gone();
    }

    /// Returns what the queues of each vhost hold together.
    fn sample_queues(&self) -> HashMap<Arc<str>, Lengths> {
        let mut held: HashMap<Arc<str>, Lengths> = HashMap::new();
        let queues = self.broker.queues();
        for slice in queues.chunks(SLICE) {
            let lengths: Vec<Lengths> =
                slice.iter().map(|cell| lengths(&self.broker, cell)).collect();
            let mut statistics = self.statistics.lock();
            for (cell, lengths) in slice.iter().zip(lengths) {
                let record = &cell.record;
                statistics.sample_queue(&record.vhost, &record.name, lengths);
                if lengths != Lengths::default() {
                    let held = held.entry(record.vhost.clone()).or_default();
                    held.ready += lengths.ready;
                    held.unacknowledged += lengths.unacknowledged;
                    held.aside += lengths.aside;
                }
            }
        }
        held
    }

    fn sample_connections(&self) {
        for slice in self.broker.registry.connections().chunks(SLICE) {
            let mut statistics = self.statistics.lock();
            for entry in slice {
                let octets = [&entry.received_bytes, &entry.sent_bytes];
                let octets = octets.map(|it| it.load(Ordering::Relaxed));
                statistics.sample_connection(entry.id.0, &entry.facts.vhost, octets);
            }
        }
        self.statistics.lock().end_connections();
    }

    fn sample_channels(&self) {
        let mut last = self.statistics.lock().sample_channels(None, SLICE);
        while last.is_some() {
            last = self.statistics.lock().sample_channels(last, SLICE);
        }
    }

    fn sample_vhosts(&self, held: &HashMap<Arc<str>, Lengths>) {
        let names: Vec<Arc<str>> =
            self.broker.topology().vhosts().map(|it| it.name().clone()).collect();
        for name in names {
            let lengths = held.get(&name).copied().unwrap_or_default();
            self.statistics.lock().sample_vhost(&name, lengths);
        }
    }

    fn sample_node(&self) {
        let gauges = NodeGauges {
            mem_used: self.resources.memory_use().used(),
            fd_used: descriptors_used(),
            sockets_used: 0,
            proc_used: self.broker.registry.connections().len() as u64,
            disk_free: self.resources.disk_free_bytes(),
        };
        let churn = self.broker.churn();
        self.statistics.lock().sample_node(gauges, churn);
    }

    /// Forgets what the topology no longer has.
    fn forget_gone(&self) {
        let known = self.statistics.lock().known();
        for Known { vhost, exchanges, queues } in known {
            if self.broker.topology().vhost(&vhost).is_none() {
                self.statistics.lock().forget_vhost(&vhost);
                continue;
            }
            let gone = Known {
                exchanges: self.gone(&vhost, exchanges, |it, name| it.exchange(name).is_some()),
                queues: self.gone(&vhost, queues, |it, name| it.queue(name).is_some()),
                vhost,
            };
            if !(gone.exchanges.is_empty() && gone.queues.is_empty()) {
                self.statistics.lock().forget(&gone);
            }
        }
    }

    /// Those names that the vhost does not have.
    fn gone(
        &self,
        vhost: &str,
        mut names: Vec<Arc<str>>,
        is_there: impl Fn(&topology::Vhost, &str) -> bool,
    ) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        while !names.is_empty() {
            let slice = names.split_off(names.len().saturating_sub(SLICE));
            let topology = self.broker.topology();
            let vhost = topology.vhost(vhost);
            gone.extend(
                slice.into_iter().filter(|name| !vhost.is_some_and(|it| is_there(it, name))),
            );
        }
        gone
    }
}

fn lengths(broker: &Broker, cell: &QueueRef) -> Lengths {
    let counts = broker.counts(cell);
    Lengths {
        ready: counts.ready,
        unacknowledged: counts.unacked,
        aside: counts.delayed + counts.dead,
    }
}

/// File descriptors of this process. Linux 6.2 and later know their number; else they are counted.
pub(crate) fn descriptors_used() -> u64 {
    const DIRECTORY: &str = "/proc/self/fd";
    match std::fs::metadata(DIRECTORY).map_or(0, |it| it.size()) {
        0 => std::fs::read_dir(DIRECTORY).map_or(0, |entries| entries.count() as u64),
        count => count,
    }
}
