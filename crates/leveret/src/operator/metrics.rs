//! What a scrape of Prometheus reads. Each object is looked at under its own lock, one after the other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use broker::{Alarms, QueueRef};
use node::RaftGroup;
use operator::{
    ChannelFigures, ConnectionFigures, Emit, ExchangeFigures, Management, Metrics, NodeFigures,
    NodeIdentity, Operator, QueueFigures, RaftFigures,
};
use topology::QueueKind;

use super::{NodeOperator, descriptors_max};
use crate::collector;

/// Tags that let a user see metrics.
const MONITORS: [&str; 2] = ["monitoring", "administrator"];

impl Metrics for NodeOperator {
    fn identity(&self) -> NodeIdentity {
        let identity = &self.broker.config().identity;
        let cluster_id = {
            let topology = self.broker.topology();
            let id = topology.global_parameter("internal_cluster_id");
            id.and_then(|it| it.as_str()).unwrap_or_default().to_owned()
        };
        NodeIdentity {
            node: identity.node.clone(),
            cluster: self.broker.cluster_name(),
            cluster_id,
            version: identity.version.clone(),
            runtime: format!("Leveret {}", env!("CARGO_PKG_VERSION")),
        }
    }

    fn check_monitor(&self, peer: IpAddr, user: &str, password: &str) -> Result<(), &'static str> {
        if self.authenticate_user(user, password).is_err() {
            return Err("Not_Authorized");
        }
        if self.is_loopback_only(user) && !peer.to_canonical().is_loopback() {
            return Err("User can only log in via localhost");
        }
        // Whoever is deleted this very moment has no tags.
        let tags = self.user(user).map(|it| it.tags).unwrap_or_default();
        match tags.iter().any(|it| MONITORS.contains(&it.as_str())) {
            true => Ok(()),
            false => Err("Not monitor user"),
        }
    }

    fn node(&self) -> NodeFigures {
        let broker = &self.broker;
        let queues = broker.topology().queue_count();
        let connections = broker.registry.connections();
        let (mut channels, mut consumers) = (0, 0);
        for connection in &connections {
            for channel in connection.channels.lock().iter() {
                channels += 1;
                consumers += load(&channel.consumers);
            }
        }
        let uptime_ms = self.facts.started_at.elapsed().as_millis() as u64;
        NodeFigures {
            descriptors: collector::descriptors_used(),
            descriptors_max: descriptors_max(),
            memory: self.resources.memory_use().used(),
            memory_limit: self.resources.memory_limit_bytes(),
            disk_free: self.resources.disk_free_bytes(),
            disk_free_limit: self.resources.disk_limit_bytes(),
            has_memory_alarm: broker.alarms().has(Alarms::MEMORY),
            has_disk_alarm: broker.alarms().has(Alarms::DISK),
            tasks: connections.len() as u64,
            // A connection is a task and takes a descriptor.
            tasks_max: descriptors_max(),
            uptime_ms,
            started_at_s: self.started_at_s,
            connections: connections.len() as u64,
            channels,
            consumers,
            queues,
        }
    }

    fn memory_breakdown(&self) -> Vec<(String, u64)> {
        self.memory_breakdown(self.resources.memory_use().used())
    }

    fn vhost_names(&self) -> Vec<Arc<str>> {
        self.broker.topology().vhosts().map(|it| it.name().clone()).collect()
    }

    fn queue_figures(&self, emit: Emit<'_, QueueFigures>) {
        self.broker.queues().iter().map(|cell| self.queue_row(cell)).for_each(emit);
    }

    fn exchange_figures(&self, emit: Emit<'_, ExchangeFigures>) {
        for vhost in self.vhost_names() {
            self.exchange_rows(&vhost).into_iter().for_each(&mut *emit);
        }
    }

    fn connection_figures(&self, emit: Emit<'_, ConnectionFigures>) {
        for entry in self.broker.registry.connections() {
            emit(ConnectionFigures {
                id: entry.id.0,
                channels: entry.channels.lock().len() as u64,
                received_bytes: entry.received_bytes.load(Ordering::Relaxed),
                sent_bytes: entry.sent_bytes.load(Ordering::Relaxed),
                received_packets: entry.received_packets.load(Ordering::Relaxed),
                sent_packets: entry.sent_packets.load(Ordering::Relaxed),
                pending_packets: 0,
            });
        }
    }

    fn channel_figures(&self, emit: Emit<'_, ChannelFigures>) {
        for entry in self.broker.registry.connections() {
            let channels = entry.channels.lock().clone();
            for channel in channels {
                emit(ChannelFigures {
                    id: channel.id,
                    vhost: entry.facts.vhost.clone(),
                    consumers: load(&channel.consumers),
                    unacked: load(&channel.unacked),
                    unconfirmed: load(&channel.unconfirmed),
                    uncommitted: load(&channel.uncommitted),
                    acks_uncommitted: load(&channel.acks_uncommitted),
                    prefetch: load(&channel.prefetch),
                });
            }
        }
    }

    fn control_raft(&self) -> RaftFigures {
        raft_row(None, self.raft.control())
    }

    fn queue_raft(&self, emit: Emit<'_, RaftFigures>) {
        self.raft.for_each_queue(&mut |group| {
            // Of a queue that is going there is no more to say.
            if let Some(cell) = group.queue.and_then(|id| self.broker.queue(id)) {
                let record = &cell.record;
                emit(raft_row(Some((record.vhost.clone(), record.name.clone())), group));
            }
        });
    }
}

fn raft_row(queue: Option<(Arc<str>, Arc<str>)>, group: RaftGroup) -> RaftFigures {
    let RaftGroup { term, last_index, commit_index, snapshot_index, .. } = group;
    RaftFigures { queue, term, last_index, commit_index, snapshot_index }
}

fn load(counter: &AtomicU32) -> u64 {
    u64::from(counter.load(Ordering::Relaxed))
}

impl NodeOperator {
    fn queue_row(&self, cell: &QueueRef) -> QueueFigures {
        let counts = self.broker.counts(cell);
        let record = &cell.record;
        let is_classic = record.kind == QueueKind::Classic;
        QueueFigures {
            vhost: record.vhost.clone(),
            name: record.name.clone(),
            queue_type: record.kind.name(),
            ready: counts.ready,
            unacked: counts.unacked,
            messages: counts.ready + counts.unacked + counts.delayed + counts.dead,
            persistent: counts.persistent,
            ready_bytes: counts.ready_bytes,
            unacked_bytes: counts.unacked_bytes,
            persistent_bytes: counts.persistent_bytes,
            is_in_memory: is_classic,
            head_message_timestamp: counts.head_message_timestamp.filter(|_| is_classic),
            consumers: counts.consumers as u64,
            consumer_capacity: f64::from(u8::from(counts.has_ready_consumer)),
            memory: counts.memory as u64,
        }
    }

    /// Exchanges of a vhost that clients may publish to by name.
    fn exchange_rows(&self, vhost: &str) -> Vec<ExchangeFigures> {
        let topology = self.broker.topology();
        let Some(vhost) = topology.vhost(vhost) else { return Vec::new() };
        let mut bindings: HashMap<&str, u64> = HashMap::new();
        vhost.bindings().for_each(|it| *bindings.entry(it.source).or_default() += 1);
        let listed = vhost.exchanges().filter(|it| !it.internal && !it.name.is_empty());
        let rows = listed.map(|it| ExchangeFigures {
            vhost: it.vhost.clone(),
            name: it.name.clone(),
            exchange_type: it.kind.name,
            bindings: bindings.get(&*it.name).copied().unwrap_or_default(),
        });
        rows.collect()
    }
}
