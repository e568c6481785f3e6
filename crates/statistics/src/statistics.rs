//! All that is counted on a node, and how it was.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::counts::{MessageCount, MessageCounts};
use crate::node::Churn;
use crate::objects::{
    CHANNEL, Channel, DELIVERIES, EXCHANGE, PUBLISHES, QUEUE, QUEUE_LENGTHS, ROUTE, VHOST,
    VHOST_LENGTHS, VHOST_OCTETS, Vhost,
};
use crate::reading::{Range, Ranges, Reading};
use crate::report::{self, Other, Pairs, Report, Subject};
use crate::retention::{Moment, Retention, RetentionPolicies};
use crate::series::Series;
use crate::traffic::{DIRECT_REPLIES, QueueTraffic, Traffic};

/// Exchanges, and queues, by which a channel's messages are counted; what it does with more counts in its
/// own totals and theirs.
const CHANNEL_PAIRS_MAX: usize = 1024;

/// Pairs of an exchange and a queue that are counted in a vhost.
const ROUTES_MAX: usize = 1 << 16;

/// Bytes of a heartbeat: what a connection sends and receives as long as it is idle.
const HEARTBEAT_LEN: u64 = 8;

/// Messages in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Waiting to be delivered.
    pub ready: u64,
    /// Delivered, not yet settled.
    pub unacknowledged: u64,
    /// Neither.
    pub aside: u64,
}

impl Lengths {
    fn values(self) -> [u64; 3] {
        [self.ready, self.unacknowledged, self.aside]
    }
}

/// What the node uses. The order is that of [`NodeGauges::KEYS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeGauges {
    /// Bytes.
    pub mem_used: u64,
    /// File descriptors.
    pub fd_used: u64,
    /// Of them, sockets.
    pub sockets_used: u64,
    /// Tasks.
    pub proc_used: u64,
    /// Bytes.
    pub disk_free: u64,
}

impl NodeGauges {
    const KEYS: [&'static str; 5] =
        ["mem_used", "fd_used", "sockets_used", "proc_used", "disk_free"];
}

const CHURN_KEYS: [&str; 7] = [
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
];

/// Messages by protocol, and by the type of queue where it is known: Prometheus' global counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalCounts {
    /// `amqp091`, ...
    pub protocol: &'static str,
    /// `classic`, ...; `None`: what publishers did, and with `PublishOut` how often messages were routed to
    /// a queue.
    pub queue_type: Option<&'static str>,
    /// How often.
    pub counts: MessageCounts,
    /// Of those published, how many by clients that want to know what became of them.
    pub expecting_confirm: u64,
}

/// Exchanges and queues of a vhost that something is kept of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The vhost.
    pub vhost: Arc<str>,
    /// Names of exchanges.
    pub exchanges: Vec<Arc<str>>,
    /// Names of queues.
    pub queues: Vec<Arc<str>>,
}

/// Counters, measures and their samples. Nothing is kept of what never did anything.
#[derive(Debug)]
pub struct Statistics {
    policies: RetentionPolicies,
    /// Whether pairs (channel and exchange, channel and queue, exchange and queue) have samples.
    has_pairs: bool,
    moment: Moment,
    vhosts: HashMap<Arc<str>, Vhost>,
    channels: BTreeMap<u64, Channel>,
    /// Each with the moment it was seen last.
    connections: HashMap<u64, (Series<2>, u64)>,
    node: Series<5>,
    churn: Series<7>,
    /// By protocol and type of queue.
    global: BTreeMap<(&'static str, Option<&'static str>), GlobalCounts>,
}

impl Statistics {
    /// None yet. `has_pairs`: RabbitMQ's rates mode `detailed`.
    pub fn new(policies: RetentionPolicies, has_pairs: bool, now_ms: u64) -> Self {
        Self {
            policies,
            has_pairs,
            moment: Moment { now_ms, previous_ms: now_ms },
            vhosts: HashMap::new(),
            channels: BTreeMap::new(),
            connections: HashMap::new(),
            node: Series::default(),
            churn: Series::default(),
            global: BTreeMap::new(),
        }
    }

    /// Counts what a channel did.
    pub fn add(&mut self, traffic: &Traffic) {
        let vhost = self.vhosts.entry(traffic.vhost.clone()).or_default();
        if traffic.is_closed {
            self.channels.remove(&traffic.channel);
        } else {
            let channel = self.channels.entry(traffic.channel).or_default();
            channel.vhost = traffic.vhost.clone();
            add_to_channel(channel, traffic);
        }
        add_to_vhost(vhost, traffic);
        self.add_to_node(traffic);
    }

    fn add_to_node(&mut self, traffic: &Traffic) {
        let mut published = MessageCounts::default();
        traffic.exchanges.iter().for_each(|(_, counts)| published += *counts);
        published[MessageCount::PublishOut] += traffic.routes.iter().map(|it| it.2).sum::<u64>();
        if !published.is_empty() {
            let global = self.global(traffic.protocol, None);
            global.counts += published;
            global.expecting_confirm += traffic.expecting_confirm;
        }
        for QueueTraffic { queue_type, counts, .. } in &traffic.queues {
            self.global(traffic.protocol, Some(queue_type)).counts += *counts;
        }
    }

    fn global(
        &mut self,
        protocol: &'static str,
        queue_type: Option<&'static str>,
    ) -> &mut GlobalCounts {
        self.global.entry((protocol, queue_type)).or_insert_with(|| GlobalCounts {
            protocol,
            queue_type,
            counts: MessageCounts::default(),
            expecting_confirm: 0,
        })
    }

    /// Begins to take samples: what follows, up to the next time, belongs to this moment.
    pub fn begin(&mut self, now_ms: u64) {
        self.moment = Moment { now_ms, previous_ms: self.moment.now_ms };
    }

    /// Samples a queue.
    pub fn sample_queue(&mut self, vhost: &Arc<str>, name: &Arc<str>, lengths: Lengths) {
        let moment = self.moment;
        let is_known = |it: &Vhost| it.queues.contains_key(name);
        if lengths == Lengths::default() && !self.vhosts.get(vhost).is_some_and(is_known) {
            return;
        }
        let vhost = self.vhosts.entry(vhost.clone()).or_default();
        let queue = vhost.queues.entry(name.clone()).or_default();
        for (column, value) in QUEUE_LENGTHS.into_iter().zip(lengths.values()) {
            queue.values[column] = value;
        }
        queue.sample(moment, &self.policies.basic);
        if queue.is_blank() {
            vhost.queues.remove(name);
        }
    }

    /// Samples a connection and counts its bytes in its vhost. As long as it is idle it has no history.
    pub fn sample_connection(&mut self, id: u64, vhost: &Arc<str>, octets: [u64; 2]) {
        let moment = self.moment;
        let mut moved = octets;
        let (series, seen_ms) = match self.connections.entry(id) {
            Entry::Vacant(new) => new.insert((Series::resting(octets), moment.now_ms)),
            Entry::Occupied(known) => {
                let known = known.into_mut();
                moved = [0, 1].map(|it| octets[it].saturating_sub(known.0.values[it]));
                known
            }
        };
        *seen_ms = moment.now_ms;
        series.values = octets;
        if moved.iter().all(|it| *it <= HEARTBEAT_LEN) && series.has_no_samples() {
            series.forget();
        }
        series.sample(moment, &self.policies.basic);
        if moved != [0, 0] {
            let vhost = self.vhosts.entry(vhost.clone()).or_default();
            for (column, more) in VHOST_OCTETS.into_iter().zip(moved) {
                vhost.series.values[column] += more;
            }
        }
    }

    /// Forgets the connections that were not sampled in this moment.
    pub fn end_connections(&mut self) {
        let now_ms = self.moment.now_ms;
        self.connections.retain(|_, (_, seen_ms)| *seen_ms == now_ms);
    }

    /// Samples up to `count` channels after this one. Returns the last one, if there are more.
    pub fn sample_channels(&mut self, after: Option<u64>, count: usize) -> Option<u64> {
        let (moment, policies) = (self.moment, &self.policies);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let channels = self.channels.range_mut((start, Bound::Unbounded)).take(count);
        for (sampled, (id, channel)) in channels.enumerate() {
            channel.series.sample(moment, &policies.basic);
            if self.has_pairs {
                channel.publishes.values_mut().for_each(|it| it.sample(moment, &policies.detailed));
                channel
                    .deliveries
                    .values_mut()
                    .for_each(|it| it.sample(moment, &policies.detailed));
            }
            last = (sampled + 1 == count).then_some(*id);
        }
        last
    }

    /// Samples a vhost, of which this is what its queues hold, and its exchanges.
    pub fn sample_vhost(&mut self, vhost: &Arc<str>, lengths: Lengths) {
        let (moment, policies) = (self.moment, &self.policies);
        let vhost = self.vhosts.entry(vhost.clone()).or_default();
        for (column, value) in VHOST_LENGTHS.into_iter().zip(lengths.values()) {
            vhost.series.values[column] = value;
        }
        vhost.series.sample(moment, &policies.global);
        vhost.exchanges.values_mut().for_each(|it| it.sample(moment, &policies.basic));
        if self.has_pairs {
            vhost.routes.values_mut().for_each(|it| it.sample(moment, &policies.basic));
        }
    }

    /// Samples the node.
    pub fn sample_node(&mut self, gauges: NodeGauges, churn: Churn) {
        let NodeGauges { mem_used, fd_used, sockets_used, proc_used, disk_free } = gauges;
        self.node.values = [mem_used, fd_used, sockets_used, proc_used, disk_free];
        self.node.sample(self.moment, &self.policies.global);
        self.churn.values = churn_values(churn);
        self.churn.sample(self.moment, &self.policies.global);
    }

    /// What there is something of, to be looked up whether it is still there.
    pub fn known(&self) -> Vec<Known> {
        let known = self.vhosts.iter().map(|(name, vhost)| Known {
            vhost: name.clone(),
            exchanges: vhost.exchanges.keys().cloned().collect(),
            queues: vhost.queues.keys().cloned().collect(),
        });
        known.collect()
    }

    /// Forgets a vhost and all in it.
    pub fn forget_vhost(&mut self, vhost: &str) {
        self.vhosts.remove(vhost);
    }

    /// Forgets exchanges and queues that are gone.
    pub fn forget(&mut self, gone: &Known) {
        let Some(vhost) = self.vhosts.get_mut(&gone.vhost) else { return };
        for exchange in &gone.exchanges {
            vhost.exchanges.remove(exchange);
            vhost.outcomes.remove(exchange);
        }
        gone.queues.iter().for_each(|it| drop(vhost.queues.remove(it)));
        let Vhost { routes, exchanges, queues, .. } = vhost;
        routes.retain(|(exchange, queue), _| {
            exchanges.contains_key(exchange) && queues.contains_key(queue)
        });
    }

    /// Forgets all samples; what was counted stays.
    pub fn forget_samples(&mut self) {
        for vhost in self.vhosts.values_mut() {
            vhost.series.forget();
            vhost.exchanges.values_mut().for_each(Series::forget);
            vhost.queues.values_mut().for_each(Series::forget);
            vhost.routes.values_mut().for_each(Series::forget);
        }
        for channel in self.channels.values_mut() {
            channel.series.forget();
            channel.publishes.values_mut().for_each(Series::forget);
            channel.deliveries.values_mut().for_each(Series::forget);
        }
        self.connections.values_mut().for_each(|(series, _)| series.forget());
        self.node.forget();
        self.churn.forget();
    }

    /// What is shown of it.
    pub fn report(&self, of: Subject<'_>, ranges: &Ranges) -> Report {
        match of {
            Subject::Queue { vhost, name } => self.report_queue(vhost, name, ranges),
            Subject::Exchange { vhost, name } => {
                let series = self.vhosts.get(vhost).and_then(|it| it.exchanges.get(name));
                let reading = self.read(series, &self.policies.basic, ranges.messages);
                Report { messages: report::messages(&reading, EXCHANGE), ..Report::default() }
            }
            Subject::Channel(id) => {
                let series = self.channels.get(&id).map(|it| &it.series);
                let reading = self.read(series, &self.policies.basic, ranges.messages);
                Report { messages: report::messages(&reading, CHANNEL), ..Report::default() }
            }
            Subject::Connection(id) => {
                let series = self.connections.get(&id).map(|(series, _)| series);
                let reading = self.read(series, &self.policies.basic, ranges.data);
                let octets = report::each(&reading, ["recv_oct", "send_oct"]);
                Report { octets, ..Report::default() }
            }
            Subject::Vhosts(names) => self.report_vhosts(names, ranges),
            Subject::Node => self.report_node(ranges),
        }
    }

    fn report_queue(&self, vhost: &str, name: &str, ranges: &Ranges) -> Report {
        let policy = &self.policies.basic;
        let series = self.vhosts.get(vhost).and_then(|it| it.queues.get(name));
        let passed = self.read(series, policy, ranges.messages);
        let messages = report::messages(&passed, QUEUE);
        let held = self.read(series, policy, ranges.lengths);
        Report { messages, lengths: report::lengths(&held, QUEUE_LENGTHS), ..Report::default() }
    }

    fn report_vhosts(&self, names: &[&str], ranges: &Ranges) -> Report {
        let read = |range| {
            let mut sum = self.read::<16>(None, &self.policies.global, range);
            for vhost in names.iter().filter_map(|name| self.vhosts.get(*name)) {
                sum.add(vhost.series.read(self.moment, &self.policies.global, range));
            }
            sum
        };
        let data = read(ranges.data);
        let [received, sent] = VHOST_OCTETS;
        let octets =
            vec![("recv_oct", data.figure(&[received])), ("send_oct", data.figure(&[sent]))];
        Report {
            messages: report::messages(&read(ranges.messages), VHOST),
            lengths: report::lengths(&read(ranges.lengths), VHOST_LENGTHS),
            octets,
            ..Report::default()
        }
    }

    fn report_node(&self, ranges: &Ranges) -> Report {
        let policy = &self.policies.global;
        let gauges = self.read(Some(&self.node), policy, ranges.node);
        let churn = self.read(Some(&self.churn), policy, ranges.node);
        Report {
            gauges: report::each(&gauges, NodeGauges::KEYS),
            churn: report::each(&churn, CHURN_KEYS),
            ..Report::default()
        }
    }

    /// Of what there is nothing, all is 0 and was.
    fn read<const N: usize>(
        &self,
        series: Option<&Series<N>>,
        policy: &[Retention],
        range: Option<Range>,
    ) -> Reading<N> {
        match series {
            Some(series) => series.read(self.moment, policy, range),
            None => Series::default().read(self.moment, policy, range),
        }
    }

    /// What passed between it and others; nothing unless pairs have samples.
    pub fn pairs(&self, of: Subject<'_>, ranges: &Ranges) -> Pairs {
        match of {
            _ if !self.has_pairs => Pairs::default(),
            Subject::Queue { vhost, name } => Pairs {
                incoming: self.routes(vhost, ranges, |exchange, queue| {
                    (**queue == *name).then(|| Other::Exchange(exchange.clone()))
                }),
                outgoing: self.of_channels(vhost, |it| {
                    let series = it.deliveries.get(name)?;
                    Some(self.messages(series, DELIVERIES, ranges))
                }),
            },
            Subject::Exchange { vhost, name } => Pairs {
                incoming: self.of_channels(vhost, |it| {
                    let series = it.publishes.get(name)?;
                    Some(self.messages(series, PUBLISHES, ranges))
                }),
                outgoing: self.routes(vhost, ranges, |exchange, queue| {
                    (**exchange == *name).then(|| Other::Queue(queue.clone()))
                }),
            },
            Subject::Channel(id) => self.pairs_of_channel(id, ranges),
            Subject::Connection(_) | Subject::Vhosts(_) | Subject::Node => Pairs::default(),
        }
    }

    fn pairs_of_channel(&self, id: u64, ranges: &Ranges) -> Pairs {
        let Some(channel) = self.channels.get(&id) else { return Pairs::default() };
        let publishes = channel.publishes.iter().map(|(name, series)| {
            (Other::Exchange(name.clone()), self.messages(series, PUBLISHES, ranges))
        });
        let deliveries = channel.deliveries.iter().map(|(name, series)| {
            (Other::Queue(name.clone()), self.messages(series, DELIVERIES, ranges))
        });
        Pairs { incoming: publishes.collect(), outgoing: deliveries.collect() }
    }

    fn messages<const N: usize>(
        &self,
        series: &Series<N>,
        columns: &report::Columns,
        ranges: &Ranges,
    ) -> crate::Figures {
        let reading = series.read(self.moment, &self.policies.detailed, ranges.messages);
        report::messages(&reading, columns)
    }

    fn routes(
        &self,
        vhost: &str,
        ranges: &Ranges,
        other: impl Fn(&Arc<str>, &Arc<str>) -> Option<Other>,
    ) -> Vec<(Other, crate::Figures)> {
        let routes = self.vhosts.get(vhost).into_iter().flat_map(|it| &it.routes);
        let shown = routes.filter_map(|((exchange, queue), series)| {
            let other = other(exchange, queue)?;
            let reading = series.read(self.moment, &self.policies.basic, ranges.messages);
            Some((other, report::messages(&reading, ROUTE)))
        });
        shown.collect()
    }

    fn of_channels(
        &self,
        vhost: &str,
        read: impl Fn(&Channel) -> Option<crate::Figures>,
    ) -> Vec<(Other, crate::Figures)> {
        let channels = self.channels.iter().filter(|(_, it)| *it.vhost == *vhost);
        channels.filter_map(|(id, it)| Some((Other::Channel(*id), read(it)?))).collect()
    }

    /// How often what happened to its messages, since it is there. Of a connection and the node: nothing.
    pub fn counts(&self, of: Subject<'_>) -> MessageCounts {
        let counts = match of {
            Subject::Queue { vhost, name } => self
                .vhosts
                .get(vhost)
                .and_then(|it| it.queues.get(name))
                .map(|it| report::counts(&it.values, QUEUE)),
            Subject::Exchange { vhost, name } => {
                self.vhosts.get(vhost).map(|it| exchange_counts(it, name))
            }
            Subject::Channel(id) => {
                self.channels.get(&id).map(|it| report::counts(&it.series.values, CHANNEL))
            }
            Subject::Vhosts(names) => {
                let mut sum = MessageCounts::default();
                for vhost in names.iter().filter_map(|name| self.vhosts.get(*name)) {
                    sum += report::counts(&vhost.series.values, VHOST);
                }
                Some(sum)
            }
            Subject::Connection(_) | Subject::Node => None,
        };
        counts.unwrap_or_default()
    }

    /// What a channel did by exchange and by queue, as far as that is counted.
    pub fn channel_pairs(&self, id: u64) -> Vec<(Other, MessageCounts)> {
        let Some(channel) = self.channels.get(&id) else { return Vec::new() };
        let publishes = channel.publishes.iter().map(|(name, it)| {
            (Other::Exchange(name.clone()), report::counts(&it.values, PUBLISHES))
        });
        let deliveries = channel
            .deliveries
            .iter()
            .map(|(name, it)| (Other::Queue(name.clone()), report::counts(&it.values, DELIVERIES)));
        publishes.chain(deliveries).collect()
    }

    /// How many messages each exchange of a vhost handed to which queue, as far as that is counted.
    pub fn route_counts(&self, vhost: &str) -> Vec<(Arc<str>, Arc<str>, u64)> {
        let routes = self.vhosts.get(vhost).into_iter().flat_map(|it| &it.routes);
        routes.map(|((from, to), it)| (from.clone(), to.clone(), it.values[0])).collect()
    }

    /// By protocol and type of queue.
    pub fn global_counts(&self) -> Vec<GlobalCounts> {
        self.global.values().copied().collect()
    }
}

fn exchange_counts(vhost: &Vhost, name: &str) -> MessageCounts {
    let mut counts = vhost.outcomes.get(name).copied().unwrap_or_default();
    let series = vhost.exchanges.get(name);
    counts += series.map(|it| report::counts(&it.values, EXCHANGE)).unwrap_or_default();
    counts
}

fn add_to_vhost(vhost: &mut Vhost, traffic: &Traffic) {
    for (exchange, counts) in &traffic.exchanges {
        report::add_counts(&mut vhost.series.values, VHOST, counts);
        let series = vhost.exchanges.entry(exchange.clone()).or_default();
        series.values[0] += counts[MessageCount::Publish];
        let mut outcomes = *counts;
        outcomes[MessageCount::Publish] = 0;
        if !outcomes.is_empty() {
            *vhost.outcomes.entry(exchange.clone()).or_default() += outcomes;
        }
    }
    let of_queues = traffic.queues.iter().filter(|it| *it.queue != *DIRECT_REPLIES);
    for QueueTraffic { queue, counts, .. } in of_queues {
        report::add_counts(&mut vhost.series.values, VHOST, counts);
        let queue = vhost.queues.entry(queue.clone()).or_default();
        report::add_counts(&mut queue.values, QUEUE, counts);
    }
    let routes = traffic.routes.iter().filter(|(_, queue, _)| **queue != *DIRECT_REPLIES);
    for (exchange, queue, count) in routes {
        vhost.exchanges.entry(exchange.clone()).or_default().values[1] += count;
        vhost.queues.entry(queue.clone()).or_default().values[0] += count;
        let is_full = vhost.routes.len() >= ROUTES_MAX;
        if let Some(route) = entry(&mut vhost.routes, (exchange.clone(), queue.clone()), is_full) {
            route.values[0] += count;
        }
    }
}

fn add_to_channel(channel: &mut Channel, traffic: &Traffic) {
    for (exchange, counts) in &traffic.exchanges {
        report::add_counts(&mut channel.series.values, CHANNEL, counts);
        let is_full = channel.publishes.len() >= CHANNEL_PAIRS_MAX;
        if let Some(pair) = entry(&mut channel.publishes, exchange.clone(), is_full) {
            report::add_counts(&mut pair.values, PUBLISHES, counts);
        }
    }
    let of_queues = traffic.queues.iter().filter(|it| *it.queue != *DIRECT_REPLIES);
    for QueueTraffic { queue, counts, .. } in of_queues {
        report::add_counts(&mut channel.series.values, CHANNEL, counts);
        let is_full = channel.deliveries.len() >= CHANNEL_PAIRS_MAX;
        if let Some(pair) = entry(&mut channel.deliveries, queue.clone(), is_full) {
            report::add_counts(&mut pair.values, DELIVERIES, counts);
        }
    }
}

/// The entry of a key, made unless the map is full.
fn entry<K: std::hash::Hash + Eq, V: Default>(
    map: &mut HashMap<K, V>,
    key: K,
    is_full: bool,
) -> Option<&mut V> {
    if is_full { map.get_mut(&key) } else { Some(map.entry(key).or_default()) }
}

fn churn_values(churn: Churn) -> [u64; 7] {
    [
        churn.connection_created,
        churn.connection_closed,
        churn.channel_created,
        churn.channel_closed,
        churn.queue_declared,
        churn.queue_created,
        churn.queue_deleted,
    ]
}

#[cfg(test)]
mod tests;
