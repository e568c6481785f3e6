//! Queues.

use operator::{DeleteConditions, PeerInfo, QueueInfo, QueueSummary};
use serde_json::{Value, json};
use statistics::{Ranges, Report, Subject};
use topology::DeclareQueue;

use super::consumers;
use crate::call::Call;
use crate::listing::{self, Columns, Key, Listed, Row};
use crate::reply::{Answer, Failure, Reply};
use crate::{erlang, figures, json};

/// Longest name, bytes.
const NAME_LEN_MAX: usize = 255;

/// What RabbitMQ knows of classic queues alone.
fn of_classic(queue: &QueueInfo, value: impl Into<Value>) -> Option<Value> {
    (queue.queue_type == "classic").then(|| value.into())
}

fn of_replicated(queue: &QueueInfo, value: impl Into<Value>) -> Option<Value> {
    (queue.queue_type != "classic").then(|| value.into())
}

/// RabbitMQ shows a whole 0 where nobody consumes, and a share otherwise.
fn share(queue: &QueueInfo) -> Value {
    if queue.consumers == 0 { 0.into() } else { queue.consumer_capacity.into() }
}

fn effective_policy(queue: &QueueInfo) -> Value {
    let definition = queue.effective_policy_definition.iter();
    Value::Object(definition.map(|(key, value)| (key.clone(), json::term(value))).collect())
}

pub(super) fn peer(peer: &PeerInfo) -> Value {
    json!({
        "name": peer.name,
        "peer_host": peer.peer_host.to_string(),
        "peer_port": peer.peer_port,
    })
}

/// A queue and what was counted of it.
struct Queue {
    info: QueueInfo,
    report: Report,
}

impl Queue {
    fn details(&self, key: &str) -> Option<Value> {
        figures::details_of(&self.report.lengths, key)
    }
}

impl Row for Queue {
    const KEYS: &'static [Key<Self>] = &[
        ("arguments", |q| Some(json::table(&q.info.arguments))),
        ("auto_delete", |q| Some(q.info.auto_delete.into())),
        ("consumer_capacity", |q| Some(share(&q.info))),
        ("consumer_utilisation", |q| Some(share(&q.info))),
        ("consumers", |q| Some(q.info.consumers.into())),
        ("durable", |q| Some(q.info.durable.into())),
        ("effective_policy_definition", |q| Some(effective_policy(&q.info))),
        ("exclusive", |q| Some(q.info.exclusive.into())),
        ("internal", |_| Some(false.into())),
        ("internal_owner", |_| Some(false.into())),
        ("leader", |q| of_replicated(&q.info, q.info.leader.clone())),
        ("members", |q| of_replicated(&q.info, q.info.members.clone())),
        ("memory", |q| Some(q.info.memory.into())),
        ("message_bytes", |q| {
            Some((q.info.message_bytes_ready + q.info.message_bytes_unacknowledged).into())
        }),
        ("message_bytes_persistent", |q| Some(q.info.message_bytes_persistent.into())),
        ("message_bytes_ram", |q| Some(q.info.message_bytes_ram.into())),
        ("message_bytes_ready", |q| Some(q.info.message_bytes_ready.into())),
        ("message_bytes_unacknowledged", |q| Some(q.info.message_bytes_unacknowledged.into())),
        ("message_stats", |q| figures::message_stats(&q.report.messages)),
        ("messages", |q| Some(messages(&q.info).into())),
        ("messages_details", |q| q.details("messages")),
        ("messages_persistent", |q| Some(q.info.messages_persistent.into())),
        ("messages_ram", |q| {
            Some((q.info.messages_ready_ram + q.info.messages_unacknowledged_ram).into())
        }),
        ("messages_ready", |q| Some(q.info.messages_ready.into())),
        ("messages_ready_details", |q| q.details("messages_ready")),
        ("messages_ready_ram", |q| of_classic(&q.info, q.info.messages_ready_ram)),
        ("messages_unacknowledged", |q| Some(q.info.messages_unacknowledged.into())),
        ("messages_unacknowledged_details", |q| q.details("messages_unacknowledged")),
        ("messages_unacknowledged_ram", |q| {
            of_classic(&q.info, q.info.messages_unacknowledged_ram)
        }),
        ("name", |q| Some((*q.info.name).into())),
        ("node", |q| Some(q.info.leader.clone().into())),
        ("online", |q| of_replicated(&q.info, q.info.online.clone())),
        ("operator_policy", |q| q.info.operator_policy.clone().map(Value::from)),
        ("owner_pid_details", |q| q.info.owner.as_ref().map(peer)),
        ("policy", |q| q.info.policy.clone().map(Value::from)),
        ("state", |q| Some(q.info.state.clone().into())),
        ("storage_version", |q| of_classic(&q.info, 2)),
        ("type", |q| Some(q.info.queue_type.clone().into())),
        ("vhost", |q| Some((*q.info.vhost).into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

fn messages(queue: &QueueInfo) -> u64 {
    queue.messages_ready + queue.messages_unacknowledged + queue.messages_aside
}

/// A queue in a list: what it is sorted by is cheap to know, the rest is asked when it is shown.
struct Entry<'a> {
    call: &'a Call<'a>,
    summary: QueueSummary,
    ranges: Ranges,
}

impl Entry<'_> {
    fn subject(&self) -> Subject<'_> {
        Subject::Queue { vhost: &self.summary.vhost, name: &self.summary.name }
    }

    fn load(&self) -> Option<Queue> {
        let info = self.call.broker.queue(&self.summary.vhost, &self.summary.name)?;
        Some(Queue { info, report: self.call.broker.report(self.subject(), &self.ranges) })
    }
}

impl Listed for Entry<'_> {
    fn name(&self) -> &str {
        &self.summary.name
    }

    fn key(&self, path: &[&str]) -> Option<Value> {
        let queue = &self.summary;
        let broker = self.call.broker;
        let unsettled = queue.message_bytes_unacknowledged;
        Some(match path {
            ["name"] => (*queue.name).into(),
            ["vhost"] => (*queue.vhost).into(),
            ["type"] => queue.queue_type.into(),
            ["consumers"] => queue.consumers.into(),
            ["memory"] => queue.memory.into(),
            ["messages"] => queue.messages().into(),
            ["messages_ready"] => queue.messages_ready.into(),
            ["messages_unacknowledged"] => queue.messages_unacknowledged.into(),
            ["message_bytes"] => (queue.message_bytes_ready + unsettled).into(),
            ["message_bytes_ready"] => queue.message_bytes_ready.into(),
            ["message_bytes_unacknowledged"] => unsettled.into(),
            ["message_stats", path @ ..] => {
                figures::at(&broker.message_figures(&queue.vhost, &queue.name), path)?
            }
            [
                "messages_details" | "messages_ready_details" | "messages_unacknowledged_details",
                ..,
            ] => figures::at(&broker.report(self.subject(), &Ranges::default()).lengths, path)?,
            _ => self.load()?.key(path)?,
        })
    }

    fn show(&self, columns: &Columns) -> Option<Value> {
        Some(columns.of_row(&self.load()?))
    }
}

/// A queue where statistics are off.
struct Bare {
    queue: QueueInfo,
    has_totals: bool,
}

impl Bare {
    fn unless_totals(&self, value: impl Into<Value>) -> Option<Value> {
        (!self.has_totals).then(|| value.into())
    }

    fn total(&self, count: u64) -> Option<Value> {
        self.has_totals.then(|| count.into())
    }
}

impl Row for Bare {
    const KEYS: &'static [Key<Self>] = &[
        ("arguments", |q| Some(json::table(&q.queue.arguments))),
        ("auto_delete", |q| Some(q.queue.auto_delete.into())),
        ("durable", |q| Some(q.queue.durable.into())),
        ("effective_policy_definition", |q| q.unless_totals(effective_policy(&q.queue))),
        ("exclusive", |q| Some(q.queue.exclusive.into())),
        ("internal", |q| q.unless_totals(false)),
        ("internal_owner", |q| q.unless_totals(false)),
        ("messages", |q| q.total(messages(&q.queue))),
        ("messages_ready", |q| q.total(q.queue.messages_ready)),
        ("messages_unacknowledged", |q| q.total(q.queue.messages_unacknowledged)),
        ("name", |q| Some((*q.queue.name).into())),
        ("node", |q| Some(q.queue.leader.clone().into())),
        ("online", |q| {
            let online = of_replicated(&q.queue, q.queue.online.clone());
            q.has_totals.then(|| online.unwrap_or(Value::Null))
        }),
        ("operator_policy", |q| q.unless_totals(q.queue.operator_policy.clone())),
        ("policy", |q| q.unless_totals(q.queue.policy.clone())),
        ("state", |q| Some(q.queue.state.clone().into())),
        ("type", |q| Some(q.queue.queue_type.clone().into())),
        ("vhost", |q| Some((*q.queue.vhost).into())),
    ];

    fn name(&self) -> &str {
        &self.queue.name
    }
}

fn rows(call: &Call<'_>) -> Result<Vec<QueueInfo>, Failure> {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        call.broker.list_queues(&vhost, &mut |queue| rows.push(queue))?;
    }
    Ok(rows)
}

/// `/api/queues`, `/api/queues/detailed`, `/api/queues/:vhost`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    if call.has_stats() {
        return list_with_stats(call);
    }
    let rows = rows(call)?;
    let has_totals = call.has_queue_totals();
    let bare = rows.into_iter().map(|queue| Bare { queue, has_totals });
    listing::list(call.query, bare.collect())
}

fn list_with_stats(call: &Call<'_>) -> Answer {
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let mut entries = Vec::new();
    for vhost in call.vhosts()? {
        call.broker.summarize_queues(&vhost, &mut |summary| {
            entries.push(Entry { call, summary, ranges });
        });
    }
    listing::list(call.query, entries)
}

/// `/api/users/:user/queues`
pub(crate) fn of_user(call: &Call<'_>) -> Answer {
    let mut rows = rows(call)?;
    // Who declared a queue is not kept: those that are exclusive to a connection of the user's.
    rows.retain(|it| it.owner.as_ref().is_some_and(|owner| owner.user == call.param("user")));
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let rows = rows.into_iter().map(|info| with_report(call, info, &ranges));
    listing::list(call.query, rows.collect())
}

fn with_report(call: &Call<'_>, info: QueueInfo, ranges: &Ranges) -> Queue {
    let subject = Subject::Queue { vhost: &info.vhost, name: &info.name };
    let report = call.broker.report(subject, ranges);
    Queue { info, report }
}

fn find(call: &Call<'_>) -> Result<QueueInfo, Failure> {
    let vhost = call.vhost()?;
    call.broker.queue(vhost, call.param("queue")).ok_or_else(Failure::no_object)
}

/// `/api/queues/:vhost/:queue`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let queue = find(call)?;
    if !call.has_stats() {
        let has_totals = call.has_queue_totals();
        return listing::object(call.query, &Bare { queue, has_totals });
    }
    let ranges = call.ranges(true)?;
    call.broker.refresh();
    let row = with_report(call, queue, &ranges);
    let mut object = listing::whole(&row);
    let queue = row.info;
    let mut details = Vec::new();
    let (vhost, name) = (&queue.vhost, &queue.name);
    let pairs = call.broker.pairs(Subject::Queue { vhost, name }, &ranges);
    let [incoming, deliveries] = figures::pairs(call, vhost, &pairs)?;
    call.broker.consumers_of(vhost, name, &mut |it| {
        details.push(consumers::value(&it, &queue.leader));
    });
    let more = [
        ("consumer_details", Some(Value::Array(details))),
        ("deliveries", Some(deliveries)),
        ("incoming", Some(incoming)),
        ("exclusive_consumer_tag", of_classic(&queue, queue.exclusive_consumer_tag.clone())),
        ("head_message_timestamp", of_classic(&queue, queue.head_message_timestamp)),
        ("operator_policy", Some(queue.operator_policy.clone().into())),
        ("policy", Some(queue.policy.clone().into())),
        ("single_active_consumer_tag", Some(queue.single_active_consumer_tag.clone().into())),
        ("garbage_collection", Some(no_collector())),
    ];
    for (key, value) in more.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        object[key] = value;
    }
    listing::value(call.query, object)
}

/// What RabbitMQ shows of the collector of a queue that has none.
fn no_collector() -> Value {
    json!({
        "fullsweep_after": -1,
        "max_heap_size": -1,
        "min_bin_vheap_size": -1,
        "min_heap_size": -1,
        "minor_gcs": -1,
    })
}

/// `PUT /api/queues/:vhost/:queue`
pub(crate) fn put(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let name = call.param("queue");
    if NAME_LEN_MAX < name.len() {
        return Err(Failure::bad_request(format!(
            "queue should be less than 255 bytes, actually was {}",
            name.len()
        )));
    }
    let body = call.json()?;
    if let Some(node) = json::text(&body, "node")?.filter(|it| *it != call.broker.node_name()) {
        return Err(Failure::bad_request(format!("Node {node} is not a cluster member")));
    }
    let declare = DeclareQueue {
        vhost: vhost.to_owned(),
        name: topology::clean_name(name).into_owned(),
        is_server_named: false,
        durable: json::flag(&body, "durable")?,
        auto_delete: json::flag(&body, "auto_delete")?,
        owner: None,
        arguments: json::arguments(&body)?,
    };
    Ok(Reply::put(call.broker.declare_queue(Some(&call.caller.name), declare)?))
}

/// `DELETE /api/queues/:vhost/:queue`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let queue = find(call)?;
    let conditions = DeleteConditions {
        if_empty: call.query.is_true("if-empty"),
        if_unused: call.query.is_true("if-unused"),
    };
    call.broker.delete_queue_for(&call.caller.name, &queue.vhost, &queue.name, conditions)?;
    Ok(Reply::no_content())
}

/// `DELETE /api/queues/:vhost/:queue/contents`
pub(crate) fn purge(call: &Call<'_>) -> Answer {
    let queue = find(call)?;
    call.broker.purge_queue_for(&call.caller.name, &queue.vhost, &queue.name)?;
    Ok(Reply::no_content())
}

/// `POST /api/queues/:vhost/:queue/actions`: a relic, no action is known.
pub(crate) fn act(call: &Call<'_>) -> Answer {
    find(call)?;
    let body = call.json_with(&["action"])?;
    Err(Failure::bad_request(json!(["unknown", body["action"]])))
}

/// `/api/queues/quorum/:vhost/:queue/status` and what changes replicas: on one node there is nothing to
/// move.
fn quorum_queue(call: &Call<'_>) -> Result<QueueInfo, Failure> {
    let queue = find(call)?;
    match queue.queue_type.as_str() {
        "quorum" => Ok(queue),
        other => Err(Failure::service_unavailable(format!("{other}_queue_not_supported"))),
    }
}

/// `POST /api/queues/quorum/:vhost/:queue/replicas/add`: every queue has its one replica here.
pub(crate) fn add_replica(call: &Call<'_>) -> Answer {
    replica_node(call)?;
    if let Err(failure) = quorum_queue(call) {
        let is_missing = failure == Failure::no_object();
        return Err(if is_missing { Failure::service_unavailable("not_found") } else { failure });
    }
    Ok(Reply::no_content())
}

/// `DELETE /api/queues/quorum/:vhost/:queue/replicas/delete`: the last one stays.
pub(crate) fn delete_replica(call: &Call<'_>) -> Answer {
    quorum_queue(call)?;
    replica_node(call)?;
    Err(Failure::service_unavailable("last_node"))
}

fn replica_node(call: &Call<'_>) -> Result<(), Failure> {
    let body = call.json_with(&["node"])?;
    if body["node"].as_str() == Some(call.broker.node_name().as_str()) {
        return Ok(());
    }
    Err(Failure::bad_request("Node is not a cluster member"))
}

/// `POST /api/queues/quorum/replicas/on/:node/grow`: all that could grow has.
pub(crate) fn grow(call: &Call<'_>) -> Answer {
    call.json_with(&["strategy", "vhost_pattern", "queue_pattern"])?;
    super::nodes::require(call)?;
    Ok(Reply::no_content())
}

/// `DELETE /api/queues/quorum/replicas/on/:node/shrink`: the last replicas stay.
pub(crate) fn shrink(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    Err(Failure::bad_request(erlang::binary("last_node")))
}
