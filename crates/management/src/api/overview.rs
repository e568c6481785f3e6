//! The broker as a whole.

use config::SampleRetention;
use serde_json::{Value, json};
use statistics::{Ranges, Subject};

use super::{exchanges, vhosts::Totals};
use crate::call::Call;
use crate::figures;
use crate::json;
use crate::listing;
use crate::reply::{Answer, Failure, Reply};

/// How long samples are kept, seconds: what is within a tenth of a round number is shown as that, as in
/// RabbitMQ, any other as 0.
fn retention(kept: &SampleRetention) -> Value {
    let rounded = |length: u32| match length {
        0..=66 => 60,
        540..=660 => 600,
        3240..=3960 => 3600,
        25_920..=31_681 => 28_800,
        77_760..=95_041 => 86_400,
        _ => 0,
    };
    let lengths = |kept: &[(u32, u32)]| {
        let mut lengths: Vec<u32> = kept.iter().map(|&(length, _)| rounded(length)).collect();
        lengths.sort_unstable();
        lengths
    };
    json!({
        "global": lengths(&kept.global),
        "basic": lengths(&kept.basic),
        "detailed": lengths(&kept.detailed),
    })
}

/// `/api/overview`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let facts = call.broker.facts();
    let status = call.broker.status();
    let runtime = status.runtime_version.as_str();
    let mut overview = json!({
        "management_version": facts.version,
        "rates_mode": facts.rates_mode,
        "sample_retention_policies": retention(&facts.sample_retention),
        "exchange_types": exchanges::types(),
        "product_version": facts.version,
        "product_name": facts.product,
        "rabbitmq_version": facts.version,
        "cluster_name": facts.cluster_name,
        "cluster_tags": {},
        "node_tags": {},
        // What it runs on, in Erlang's place.
        "erlang_version": runtime,
        "erlang_full_version": runtime,
        "crypto_lib_version": status.crypto_version,
        "disable_stats": !call.has_stats(),
        "default_queue_type": facts.default_queue_type,
        "is_op_policy_updating_enabled": true,
        "enable_queue_totals": call.has_queue_totals(),
        "require_definition_json_extension": call.settings.requires_json_extension,
    });
    if call.has_stats() {
        totals(call, &mut overview)?;
    }
    if call.caller.is_monitor() {
        overview["statistics_db_event_queue"] = 0.into();
        overview["node"] = call.broker.node_name().into();
        overview["listeners"] = listeners(call);
        overview["contexts"] = contexts(call);
    }
    listing::value(call.query, overview)
}

/// How much there is of everything that the caller sees.
fn totals(call: &Call<'_>, overview: &mut Value) -> Result<(), Failure> {
    let is_monitor = call.caller.is_monitor();
    call.broker.refresh();
    let mut totals = Totals::default();
    let mut exchanges = 0_u64;
    let mut vhosts = call.broker.list_vhosts()?;
    vhosts.retain(|it| is_monitor || call.broker.may_enter(&call.caller.name, &it.name));
    for vhost in &vhosts {
        totals.add(call, &vhost.name);
        call.broker.list_exchanges(&vhost.name, &mut |_| exchanges += 1)?;
    }
    let (mut connections, mut channels) = (0_u64, 0_u64);
    call.broker.list_connections(&mut |it| connections += u64::from(call.sees(&it.user)))?;
    call.broker.list_channels(&mut |it| channels += u64::from(call.sees(&it.user)))?;
    overview["object_totals"] = json!({
        "channels": channels,
        "connections": connections,
        "consumers": totals.consumers,
        "exchanges": exchanges,
        "queues": totals.queues,
    });
    let names: Vec<&str> = vhosts.iter().map(|it| it.name.as_str()).collect();
    add_rates(call, &names, &totals, overview)
}

fn add_rates(
    call: &Call<'_>,
    vhosts: &[&str],
    totals: &Totals,
    overview: &mut Value,
) -> Result<(), Failure> {
    let ranges = call.ranges(false)?;
    let report = call.broker.report(Subject::Vhosts(vhosts), &ranges);
    let mut queues = json!({});
    if totals.queues > 0 {
        queues = figures::object(&report.lengths);
        // As of now, the samples are a little older.
        queues["messages"] = totals.messages.into();
        queues["messages_ready"] = totals.ready.into();
        queues["messages_unacknowledged"] = totals.unacknowledged.into();
    }
    overview["queue_totals"] = queues;
    overview["message_stats"] = figures::object(&report.messages);
    // RabbitMQ has them over the range of lengths here.
    let ranges = Ranges { node: ranges.lengths, ..Ranges::default() };
    let churn = call.broker.report(Subject::Node, &ranges).churn;
    overview["churn_rates"] = figures::object(&churn);
    Ok(())
}

pub(super) fn listeners(call: &Call<'_>) -> Value {
    let node = call.broker.node_name();
    let shown = call.broker.listeners().into_iter().map(|it| {
        let is_tls = it.protocol.starts_with("https") || it.protocol.ends_with("/ssl");
        json!({
            "node": node,
            "protocol": it.protocol,
            "ip_address": it.interface.trim_matches(['[', ']']),
            "port": it.port,
            "socket_opts": [],
            "tls": is_tls,
        })
    });
    Value::Array(shown.collect())
}

/// Where HTTP is spoken.
pub(super) fn contexts(call: &Call<'_>) -> Value {
    let node = call.broker.node_name();
    let path = match call.settings.path_prefix.as_str() {
        "" => "/",
        prefix => prefix,
    };
    let shown = call.broker.listeners().into_iter().filter(|it| it.protocol.starts_with("http"));
    let shown = shown.map(|it| {
        let (description, path) = match it.protocol.ends_with("/prometheus") {
            true => ("RabbitMQ Prometheus", "/"),
            false => ("RabbitMQ Management", path),
        };
        json!({
            "ssl_opts": [],
            "node": node,
            "description": description,
            "path": path,
            "port": it.port.to_string(),
        })
    });
    Value::Array(shown.collect())
}

/// `/api/cluster-name`
pub(crate) fn cluster_name(call: &Call<'_>) -> Answer {
    listing::value(call.query, json!({ "name": call.broker.facts().cluster_name }))
}

/// `PUT /api/cluster-name`
pub(crate) fn set_cluster_name(call: &Call<'_>) -> Answer {
    let body = call.json_with(&["name"])?;
    let name = json::text(&body, "name")?.unwrap_or_default();
    call.broker.set_cluster_name(name)?;
    Ok(Reply::no_content())
}

/// `/api/version`
pub(crate) fn version(call: &Call<'_>) -> Answer {
    Ok(Reply::json(&call.broker.facts().version.into()))
}

/// `/api/extensions`: scripts that plugins would add to the UI.
pub(crate) fn extensions(_: &Call<'_>) -> Answer {
    Ok(Reply::json(&json!([])))
}

/// `DELETE /api/reset`: forgets histories.
pub(crate) fn reset(call: &Call<'_>) -> Answer {
    call.broker.forget_samples();
    Ok(Reply::no_content())
}

/// `DELETE /api/reset/:node`
pub(crate) fn reset_node(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    reset(call)
}

/// `POST /api/rebalance/queues`: on one node all is balanced.
pub(crate) fn rebalance(_: &Call<'_>) -> Answer {
    Ok(Reply::no_content())
}
