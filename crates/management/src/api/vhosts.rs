//! Vhosts.

use operator::{PermissionInfo, VhostInfo};
use serde_json::{Map, Value, json};
use statistics::{Figure, Ranges, Report, Subject};

use crate::call::Call;
use crate::figures;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// A vhost with what its queues hold, where that is shown.
struct Vhost {
    info: VhostInfo,
    totals: Option<Totals>,
    report: Report,
}

/// Messages in queues together.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) queues: u64,
    pub(super) ready: u64,
    pub(super) unacknowledged: u64,
    pub(super) messages: u64,
    pub(super) consumers: u64,
}

impl Totals {
    pub(super) fn add(&mut self, call: &Call<'_>, vhost: &str) {
        call.broker.summarize_queues(vhost, &mut |queue| {
            self.queues += 1;
            self.ready += queue.messages_ready;
            self.unacknowledged += queue.messages_unacknowledged;
            self.messages += queue.messages();
            self.consumers += queue.consumers;
        });
    }
}

impl Vhost {
    fn total(&self, read: fn(&Totals) -> u64) -> Option<Value> {
        // RabbitMQ has totals of vhosts with queues only.
        self.totals.as_ref().filter(|it| it.queues > 0).map(|it| read(it).into())
    }

    fn details(&self, key: &str) -> Option<Value> {
        self.totals.as_ref().filter(|it| it.queues > 0)?;
        figures::details_of(&self.report.lengths, key)
    }

    /// Bytes of its connections, once there were any.
    fn octets(&self, key: &str) -> Option<&Figure> {
        let has_any = self.report.octets.iter().any(|(_, it)| it.value > 0);
        self.report.octets.iter().find(|(name, _)| has_any && *name == key).map(|(_, it)| it)
    }

    fn octets_details(&self, key: &str) -> Option<Value> {
        self.octets(key)?;
        figures::details_of(&self.report.octets, key)
    }
}

fn queue_type(vhost: &VhostInfo) -> &str {
    vhost.default_queue_type.as_deref().unwrap_or("undefined")
}

/// What definitions hold of a vhost, too.
pub(super) fn metadata(vhost: &VhostInfo) -> Value {
    let mut metadata = json!({
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": queue_type(vhost),
    });
    if vhost.protected_from_deletion {
        metadata["protected_from_deletion"] = true.into();
    }
    metadata
}

fn cluster_state(vhost: &VhostInfo) -> Value {
    let states = vhost.cluster_state.iter();
    Value::Object(states.map(|(node, state)| (node.clone(), state.clone().into())).collect())
}

impl Row for Vhost {
    const KEYS: &'static [Key<Self>] = &[
        ("cluster_state", |v| Some(cluster_state(&v.info))),
        ("default_queue_type", |v| Some(queue_type(&v.info).into())),
        ("description", |v| Some(v.info.description.clone().into())),
        ("message_stats", |v| figures::message_stats(&v.report.messages)),
        ("messages", |v| v.total(|it| it.messages)),
        ("messages_details", |v| v.details("messages")),
        ("messages_ready", |v| v.total(|it| it.ready)),
        ("messages_ready_details", |v| v.details("messages_ready")),
        ("messages_unacknowledged", |v| v.total(|it| it.unacknowledged)),
        ("messages_unacknowledged_details", |v| v.details("messages_unacknowledged")),
        ("metadata", |v| Some(metadata(&v.info))),
        ("name", |v| Some(v.info.name.clone().into())),
        ("protected_from_deletion", |v| Some(v.info.protected_from_deletion.into())),
        ("recv_oct", |v| v.octets("recv_oct").map(|it| it.value.into())),
        ("recv_oct_details", |v| v.octets_details("recv_oct")),
        ("send_oct", |v| v.octets("send_oct").map(|it| it.value.into())),
        ("send_oct_details", |v| v.octets_details("send_oct")),
        ("tags", |v| Some(v.info.tags.clone().into())),
        ("tracing", |v| Some(v.info.tracing.into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

fn with_totals(call: &Call<'_>, info: VhostInfo, ranges: &Ranges) -> Vhost {
    if !call.has_stats() {
        return Vhost { info, totals: None, report: Report::default() };
    }
    let mut totals = Totals::default();
    totals.add(call, &info.name);
    let report =
        call.broker.report(Subject::Vhosts(&[info.name.as_str()]), &ranges_of_vhosts(ranges));
    Vhost { info, totals: Some(totals), report }
}

/// RabbitMQ shows what a vhost's queues hold over the range of message rates.
fn ranges_of_vhosts(asked: &Ranges) -> Ranges {
    Ranges { lengths: asked.messages, ..*asked }
}

/// `/api/vhosts`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let mut rows = Vec::new();
    for vhost in call.broker.list_vhosts()? {
        let is_visible =
            call.caller.is_monitor() || call.broker.may_enter(&call.caller.name, &vhost.name);
        if is_visible {
            rows.push(with_totals(call, vhost, &ranges));
        }
    }
    listing::list(call.query, rows)
}

fn find(call: &Call<'_>) -> Result<VhostInfo, Failure> {
    call.broker.vhost(call.param("vhost")).ok_or_else(Failure::no_object)
}

/// `/api/vhosts/:vhost`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let (info, ranges) = (find(call)?, call.ranges(false)?);
    call.broker.refresh();
    let vhost = with_totals(call, info, &ranges);
    listing::object(call.query, &vhost)
}

/// A vhost as a body describes it.
pub(super) fn described(name: &str, body: &Map<String, Value>) -> Result<VhostInfo, Failure> {
    let old_name = json::text(body, "defaultqueuetype")?;
    let queue_type = json::text(body, "default_queue_type")?.or(old_name);
    let queue_type = queue_type.filter(|it| !matches!(*it, "" | "undefined"));
    if let Some(other) = queue_type.filter(|it| !matches!(*it, "classic" | "quorum" | "stream")) {
        return Err(Failure::bad_request(format!("{other} is not a valid queue type")));
    }
    Ok(VhostInfo {
        name: name.to_owned(),
        description: json::text(body, "description")?.unwrap_or_default().to_owned(),
        tags: body.get("tags").map_or(Ok(Vec::new()), json::tags)?,
        default_queue_type: queue_type.map(str::to_owned),
        ..VhostInfo::default()
    })
}

/// `PUT /api/vhosts/:vhost`
pub(crate) fn put(call: &Call<'_>) -> Answer {
    let name = call.param("vhost");
    let body = call.json()?;
    let tracing = json::optional_flag(&body, "tracing")?;
    let mut vhost = described(name, &body)?;
    if vhost.default_queue_type.is_none() {
        // What is not said stays.
        let current = call.broker.vhost(name);
        vhost.default_queue_type = current.and_then(|it| it.default_queue_type);
    }
    let is_new = call.broker.put_vhost(&vhost)?;
    if is_new {
        grant_all(call, name)?;
    }
    if let Some(is_on) = tracing {
        call.broker.set_tracing(name, is_on)?;
    }
    Ok(Reply::put(is_new))
}

/// Whoever makes a vhost may do everything in it.
fn grant_all(call: &Call<'_>, vhost: &str) -> Result<(), Failure> {
    let all = || ".*".to_owned();
    Ok(call.broker.set_permissions(&PermissionInfo {
        user: call.caller.name.clone(),
        vhost: vhost.to_owned(),
        configure: all(),
        write: all(),
        read: all(),
    })?)
}

/// `DELETE /api/vhosts/:vhost`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    call.broker.delete_vhost(&find(call)?.name)?;
    Ok(Reply::no_content())
}

fn protect(call: &Call<'_>, is_protected: bool) -> Answer {
    let name = call.param("vhost");
    if call.broker.vhost(name).is_none() {
        let what = if is_protected { "enable" } else { "disable" };
        return Err(Failure::not_found(format!(
            "Cannot {what} deletion protection of virtual host '{name}' because it does not exist"
        )));
    }
    call.broker.protect_vhost(name, is_protected)?;
    Ok(Reply::no_content())
}

/// `POST /api/vhosts/:vhost/deletion/protection`
pub(crate) fn protect_from_deletion(call: &Call<'_>) -> Answer {
    protect(call, true)
}

/// `DELETE /api/vhosts/:vhost/deletion/protection`
pub(crate) fn permit_deletion(call: &Call<'_>) -> Answer {
    protect(call, false)
}

/// `POST /api/vhosts/:vhost/start/:node`: they all run.
pub(crate) fn start(call: &Call<'_>) -> Answer {
    let (vhost, node) = (call.param("vhost"), call.param("node"));
    if node != call.broker.node_name() {
        return Err(Failure::bad_request(format!("Unknown node: {node}")));
    }
    if call.broker.vhost(vhost).is_none() {
        let vhost = crate::erlang::binary(vhost);
        return Err(Failure::bad_request(format!(
            "Request to node {node} failed with {{no_such_vhost,{vhost}}}"
        )));
    }
    Ok(Reply::no_content())
}
