//! One scrape: reads the objects of the families that are wanted, and renders them.

use operator::{Metrics, NodeFigures, QueueFigures};

use crate::body::{Gone, Page};
use crate::counted::{self, Counted};
use crate::families::{Breakdown, Described, ListedExchange, ListedVhost};
use crate::global;
use crate::metric::{Family, Kind, Number, Row};
use crate::request::{Registry, Selection};
use crate::table::*;
use crate::text::{Labels, put_head, put_sample, put_single};

/// RabbitMQ tells the versions of its plugin and of a library there.
const PLUGIN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is shown, of what.
pub(crate) struct Scrape<'a> {
    pub(crate) broker: &'a dyn Metrics,
    pub(crate) registry: Registry,
    /// Whether the default registry shows each object.
    pub(crate) is_per_object: bool,
    /// Counts on the detailed registry only.
    pub(crate) selection: &'a Selection,
}

/// Objects of one kind, and how they are told apart.
struct Rows<R> {
    rows: Vec<R>,
    /// Labels of all of them, one after the other.
    labels: Vec<u8>,
    /// Where in `labels` those of each end.
    ends: Vec<usize>,
}

impl<R: Row> Rows<R> {
    fn new() -> Self {
        Self { rows: Vec::new(), labels: Vec::new(), ends: Vec::new() }
    }

    fn one(row: R) -> Self {
        let mut rows = Self::new();
        rows.push(row);
        rows
    }

    fn push(&mut self, row: R) {
        row.put_labels(&mut Labels::new(&mut self.labels));
        self.ends.push(self.labels.len());
        self.rows.push(row);
    }

    fn iter(&self) -> impl Iterator<Item = (&R, &[u8])> {
        let mut from = 0;
        self.rows.iter().zip(&self.ends).map(move |(row, &end)| {
            let labels = &self.labels[from..end];
            from = end;
            (row, labels)
        })
    }
}

impl<R: Row> FromIterator<R> for Rows<R> {
    fn from_iter<I: IntoIterator<Item = R>>(objects: I) -> Self {
        let mut rows = Self::new();
        objects.into_iter().for_each(|it| rows.push(it));
        rows
    }
}

impl Scrape<'_> {
    /// Renders everything that was asked for.
    pub(crate) fn render(&self, page: &mut Page) -> Result<(), Gone> {
        match self.registry {
            Registry::MemoryBreakdown => {
                let breakdown = Rows::one(Breakdown(self.broker.memory_breakdown()));
                self.put_all(page, &MEMORY, &breakdown)?;
            }
            Registry::Detailed => {
                self.put_objects(page)?;
                self.put_cluster_objects(page)?;
            }
            Registry::Default | Registry::PerObject => {
                self.put_objects(page)?;
                self.put_totals(page)?;
                self.put_global(page)?;
            }
        }
        self.put_identity(page);
        Ok(())
    }

    /// Whether RabbitMQ's shorter list stands in for each object.
    fn is_summed(&self) -> bool {
        self.registry == Registry::Default && !self.is_per_object
    }

    fn wants<R>(&self, family: &Family<R>) -> bool {
        self.registry != Registry::Detailed || self.selection.families.contains(family.name)
    }

    fn has_queue(&self, vhost: &str, queue: &str) -> bool {
        self.registry != Registry::Detailed
            || self.selection.has_vhost(vhost) && self.selection.has_queue(queue)
    }

    /// Whether only some vhosts or queues are shown.
    fn is_chosen(&self) -> bool {
        let is_chosen = self.selection.vhosts.is_some() || self.selection.queue.is_some();
        self.registry == Registry::Detailed && is_chosen
    }

    fn prefix(&self) -> &'static str {
        if self.registry == Registry::Detailed { "rabbitmq_detailed_" } else { "rabbitmq_" }
    }

    fn put_objects(&self, page: &mut Page) -> Result<(), Gone> {
        self.broker.refresh();
        if self.wants(&CONNECTION_CHURN) {
            self.put_all(page, &CONNECTION_CHURN, &Rows::one(self.broker.churn()))?;
        }
        if self.wants(&NODE_COARSE) || self.wants(&NODE) {
            let node = Rows::one(self.broker.node());
            self.put(page, &NODE_COARSE, &node)?;
            self.put(page, &NODE, &node)?;
        }
        self.put_auth_attempts(page)?;
        self.put_queues(page)?;
        self.put_channels(page)?;
        self.put_connections(page)?;
        self.put_counted(page)?;
        self.put_raft(page)
    }

    fn put_auth_attempts(&self, page: &mut Page) -> Result<(), Gone> {
        if self.wants(&AUTH_ATTEMPTS) {
            let attempts = self.broker.auth_attempts().into_iter().collect();
            self.put_all(page, &AUTH_ATTEMPTS, &attempts)?;
        }
        if self.is_summed() || !self.wants(&AUTH_ATTEMPTS_BY_SOURCE) {
            return Ok(());
        }
        let attempts = self.broker.auth_attempts_by_source().into_iter().collect();
        self.put_all(page, &AUTH_ATTEMPTS_BY_SOURCE, &attempts)
    }

    fn put_queues(&self, page: &mut Page) -> Result<(), Gone> {
        let is_wanted =
            self.wants(&QUEUE_COARSE) || self.wants(&QUEUE_CONSUMER_COUNT) || self.wants(&QUEUE);
        if !is_wanted {
            return Ok(());
        }
        let mut queues = Rows::new();
        self.broker.queue_figures(&mut |row: QueueFigures| {
            if self.has_queue(&row.vhost, &row.name) {
                queues.push(row);
            }
        });
        self.put_sums(page, &QUEUE_COARSE, &queues)?;
        // The longer family has the same metric.
        let consumers = if self.wants(&QUEUE) { &QUEUE } else { &QUEUE_CONSUMER_COUNT };
        self.put_sums(page, consumers, &queues)?;
        if self.is_summed() {
            return Ok(());
        }
        self.put_all(page, &QUEUE_INFO, &queues.rows.into_iter().map(Described).collect())
    }

    fn put_channels(&self, page: &mut Page) -> Result<(), Gone> {
        let mut channels = Rows::new();
        if self.wants(&CHANNEL) {
            self.broker.channel_figures(&mut |row| channels.push(row));
        }
        self.put_sums(page, &CHANNEL, &channels)
    }

    fn put_connections(&self, page: &mut Page) -> Result<(), Gone> {
        let mut connections = Rows::new();
        if self.wants(&CONNECTION_COARSE) || self.wants(&CONNECTION) {
            self.broker.connection_figures(&mut |row| connections.push(row));
        }
        self.put_sums(page, &CONNECTION_COARSE, &connections)?;
        self.put_sums(page, &CONNECTION, &connections)
    }

    fn put_counted(&self, page: &mut Page) -> Result<(), Gone> {
        let families: [(_, counted::List); 5] = [
            (&CHANNEL_EXCHANGE, counted::channel_exchanges),
            (&CHANNEL_QUEUE, counted::channel_queues),
            (&EXCHANGE, counted::exchanges),
            (&QUEUE_DELIVERY, counted::queues),
            (&QUEUE_EXCHANGE, counted::routes),
        ];
        for (family, list) in families {
            let mut rows = Rows::new();
            if self.wants(family) {
                list(self.broker, &mut |row| {
                    if self.has_counted(&row) {
                        rows.push(row);
                    }
                });
            }
            self.put_sums(page, family, &rows)?;
        }
        Ok(())
    }

    /// Channels are chosen by nothing, as in RabbitMQ.
    fn has_counted(&self, row: &Counted) -> bool {
        match &row.queue {
            _ if self.registry != Registry::Detailed || row.channel.is_some() => true,
            None => self.selection.has_vhost(&row.vhost),
            Some(queue) => self.has_queue(&row.vhost, queue),
        }
    }

    fn put_raft(&self, page: &mut Page) -> Result<(), Gone> {
        if !self.wants(&RAFT) {
            return Ok(());
        }
        let mut groups = Rows::new();
        if !self.is_chosen() {
            groups.push(self.broker.control_raft());
        }
        if !self.is_summed() {
            self.broker.queue_raft(&mut |row| {
                if row.queue.as_ref().is_some_and(|(vhost, queue)| self.has_queue(vhost, queue)) {
                    groups.push(row);
                }
            });
        }
        self.put_all(page, &RAFT, &groups)
    }

    /// What the detailed registry alone has, of all vhosts.
    fn put_cluster_objects(&self, page: &mut Page) -> Result<(), Gone> {
        if self.wants(&VHOST_STATUS) {
            let vhosts = self.broker.vhost_names().into_iter().map(ListedVhost).collect();
            self.put_prefixed(page, CLUSTER_PREFIX, &VHOST_STATUS, &vhosts)?;
        }
        if self.wants(&EXCHANGE_BINDINGS) || self.wants(&EXCHANGE_NAMES) {
            let mut exchanges = Rows::new();
            self.broker.exchange_figures(&mut |row| exchanges.push(ListedExchange(row)));
            for family in [&EXCHANGE_BINDINGS, &EXCHANGE_NAMES] {
                if self.wants(family) {
                    self.put_prefixed(page, CLUSTER_PREFIX, family, &exchanges)?;
                }
            }
        }
        Ok(())
    }

    fn put_totals(&self, page: &mut Page) -> Result<(), Gone> {
        let node = self.broker.node();
        self.put_start_time(page, &node);
        let node = Rows::one(node);
        self.put(page, &TOTALS, &node)?;
        self.put(page, &ALARMS, &node)?;
        self.put(page, &CLUSTER, &node)
    }

    fn put_start_time(&self, page: &mut Page, node: &NodeFigures) {
        let (name, help) =
            ("process_start_time_seconds", "When the node started, seconds since 1970");
        put_single(&mut page.text, name, Kind::Gauge, help, b"", node.started_at_s.into());
    }

    fn put_global(&self, page: &mut Page) -> Result<(), Gone> {
        let (protocols, queue_types) = global::counts(self.broker);
        self.put_all(page, &PROTOCOLS, &protocols.into_iter().collect())?;
        self.put_all(page, &QUEUE_TYPES, &queue_types.into_iter().collect())?;
        let dead_letters = self.broker.dead_letters().into_iter().collect();
        self.put_all(page, &DEAD_LETTERS, &dead_letters)
    }

    fn put_identity(&self, page: &mut Page) {
        let identity = self.broker.identity();
        let mut put = |name, help, labels: &[(&str, &str)]| {
            let mut text = Vec::new();
            let mut writer = Labels::new(&mut text);
            labels.iter().for_each(|(label, value)| writer.put(label, value));
            put_single(&mut page.text, name, Kind::Untyped, help, &text, Number::Whole(1));
        };
        let versions = [
            ("rabbitmq_version", &*identity.version),
            ("prometheus_plugin_version", &*identity.version),
            ("prometheus_client_version", PLUGIN_VERSION),
            ("erlang_version", &*identity.runtime),
        ];
        put("rabbitmq_build_info", "Versions", &versions);
        let endpoint = match self.registry {
            Registry::Default if !self.is_per_object => "aggregated",
            Registry::Default => Registry::PerObject.name(),
            other => other.name(),
        };
        let names = [
            ("rabbitmq_node", &*identity.node),
            ("rabbitmq_cluster", &*identity.cluster),
            ("rabbitmq_cluster_permanent_id", &*identity.cluster_id),
            ("rabbitmq_endpoint", endpoint),
        ];
        put("rabbitmq_identity_info", "Names of the node and its cluster", &names);
    }

    /// A family, if it is wanted: one sum for all objects where that is the form.
    fn put_sums<R: Row>(
        &self,
        page: &mut Page,
        family: &Family<R>,
        rows: &Rows<R>,
    ) -> Result<(), Gone> {
        if !self.is_summed() {
            return self.put(page, family, rows);
        }
        for metric in family.metrics {
            put_head(&mut page.text, self.prefix(), metric.name, metric.kind.name(), metric.help);
            if metric.has_sum {
                let values = rows.rows.iter().map(metric.value);
                let sum = values.fold(Number::Whole(0), |sum, value| sum + value);
                put_sample(&mut page.text, self.prefix(), metric.name, b"", sum);
            }
        }
        page.flush_full()
    }

    /// A family, if it is wanted: each object.
    fn put<R: Row>(&self, page: &mut Page, family: &Family<R>, rows: &Rows<R>) -> Result<(), Gone> {
        if self.wants(family) { self.put_all(page, family, rows) } else { Ok(()) }
    }

    fn put_all<R: Row>(
        &self,
        page: &mut Page,
        family: &Family<R>,
        rows: &Rows<R>,
    ) -> Result<(), Gone> {
        self.put_prefixed(page, self.prefix(), family, rows)
    }

    fn put_prefixed<R: Row>(
        &self,
        page: &mut Page,
        prefix: &str,
        family: &Family<R>,
        rows: &Rows<R>,
    ) -> Result<(), Gone> {
        for metric in family.metrics {
            put_head(&mut page.text, prefix, metric.name, metric.kind.name(), metric.help);
            for (row, labels) in rows.iter() {
                put_sample(&mut page.text, prefix, metric.name, labels, (metric.value)(row));
                page.flush_full()?;
            }
        }
        page.flush_full()
    }
}

/// Of what belongs to the cluster as a whole.
const CLUSTER_PREFIX: &str = "rabbitmq_cluster_";
