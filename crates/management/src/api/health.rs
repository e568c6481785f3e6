//! Health checks: 200 and `{"status":"ok"}`, or 503 and why.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use operator::RunState;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::{Answer, Failure, Reply};

const DAY_S: i64 = 24 * 60 * 60;

fn ok() -> Answer {
    Ok(Reply::json(&json!({ "status": "ok" })))
}

/// `details` says `reason` and more.
fn failed(mut details: Value) -> Answer {
    details["status"] = "failed".into();
    Ok(Reply::with_status(StatusCode::SERVICE_UNAVAILABLE, &details))
}

fn check_alarms(call: &Call<'_>, reason: &str) -> Answer {
    let status = call.broker.status();
    let node = call.broker.node_name();
    let alarms = [("memory", status.has_memory_alarm), ("disk space", status.has_disk_alarm)];
    let on = alarms.into_iter().filter(|(_, is_on)| *is_on);
    let on: Vec<Value> =
        on.map(|(resource, _)| json!({ "node": node, "resource": resource })).collect();
    if on.is_empty() { ok() } else { failed(json!({ "reason": reason, "alarms": on })) }
}

/// `/api/health/checks/alarms`
pub(crate) fn alarms(call: &Call<'_>) -> Answer {
    check_alarms(call, "There are alarms in effect in the cluster")
}

/// `/api/health/checks/local-alarms`
pub(crate) fn local_alarms(call: &Call<'_>) -> Answer {
    check_alarms(call, "There are alarms in effect on the node")
}

/// `/api/health/checks/metadata-store/initialized`: the API answers only after recovery.
pub(crate) fn metadata_store(_: &Call<'_>) -> Answer {
    ok()
}

/// `/api/health/checks/metadata-store/initialized/with-data`
pub(crate) fn metadata_store_with_data(call: &Call<'_>) -> Answer {
    if call.broker.list_vhosts()?.is_empty() && call.broker.list_users()?.is_empty() {
        return failed(json!({ "reason": "Metadata store has not yet been initialized: no data" }));
    }
    ok()
}

/// `/api/health/checks/certificate-expiration/:within/:unit`
pub(crate) fn certificates(call: &Call<'_>) -> Answer {
    let days = match call.param("unit") {
        "days" => 1,
        "weeks" => 7,
        "months" => 30,
        "years" => 365,
        _ => {
            return Err(Failure::bad_request(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    };
    let within: Result<u32, _> = call.param("within").parse();
    let within = within.map_err(|_| Failure::bad_request("Invalid expiration value."))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let until = i64::try_from(now).unwrap_or(i64::MAX) + i64::from(within) * days * DAY_S;
    let node = call.broker.node_name();
    let ends = |it: &&operator::CertificateInfo| {
        let mut all = it.certfile_expires.iter().chain(&it.cacertfile_expires);
        all.any(|at| *at < until)
    };
    let dates = |all: &[i64]| all.iter().map(|at| date(*at)).collect::<Vec<_>>();
    let shown = |it: &operator::CertificateInfo| {
        json!({
            "node": node,
            "port": it.port,
            "protocol": it.protocol,
            "interface": it.interface.trim_matches(['[', ']']),
            "cacertfile": it.cacertfile,
            "certfile": it.certfile,
            "cacertfile_expires_on": dates(&it.cacertfile_expires),
            "certfile_expires_on": dates(&it.certfile_expires),
        })
    };
    let certificates = call.broker.certificates();
    let ending: Vec<Value> = certificates.iter().filter(ends).map(shown).collect();
    if ending.is_empty() {
        return ok();
    }
    failed(json!({ "reason": "Certificates expiring", "expired": ending }))
}

/// `2026-11-30 21:00:25`, of seconds since 1970.
fn date(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(DAY_S), at.rem_euclid(DAY_S));
    // Days since the first of March of year 0, in eras of 400 years (Howard Hinnant's algorithm).
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `/api/health/checks/port-listener/:port`
pub(crate) fn port_listener(call: &Call<'_>) -> Answer {
    let port: Result<u32, _> = call.param("port").parse();
    let port = port.map_err(|_| Failure::bad_request("Invalid port"))?;
    let ports: Vec<u16> = call.broker.listeners().iter().map(|it| it.port).collect();
    if ports.iter().any(|it| u32::from(*it) == port) {
        return Ok(Reply::json(&json!({ "status": "ok", "port": port })));
    }
    failed(json!({ "reason": "No active listener", "missing": port, "ports": ports }))
}

/// `/api/health/checks/protocol-listener/:protocols`: one of those that are named is enough.
pub(crate) fn protocol_listener(call: &Call<'_>) -> Answer {
    let mut protocols: Vec<String> =
        call.broker.listeners().into_iter().map(|it| it.protocol).collect();
    protocols.sort();
    protocols.dedup();
    let wanted: Vec<&str> = call.param("protocols").split(',').map(canonical_protocol).collect();
    if wanted.iter().any(|wanted| protocols.iter().any(|it| it == wanted)) {
        return Ok(Reply::json(&json!({ "status": "ok", "protocols": protocols })));
    }
    let reason = "No active listener";
    failed(json!({ "reason": reason, "missing": wanted, "protocols": protocols }))
}

/// The listeners' word for a protocol by any of its names.
fn canonical_protocol(name: &str) -> &str {
    match name {
        "amqp091" | "amqp0.9.1" | "amqp-0-9-1" | "amqp10" | "amqp1.0" => "amqp",
        "amqps" | "amqp/tls" => "amqp/ssl",
        "mqtts" | "mqtt/tls" => "mqtt/ssl",
        "stomps" | "stomp/tls" => "stomp/ssl",
        "stream/tls" | "streams" => "stream/ssl",
        "web-mqtt" => "http/web-mqtt",
        "web-stomp" => "http/web-stomp",
        other => other,
    }
}

/// `/api/health/checks/virtual-hosts`
pub(crate) fn vhosts(call: &Call<'_>) -> Answer {
    let is_down = |vhost: &operator::VhostInfo| {
        vhost.cluster_state.iter().any(|(_, state)| state != "running")
    };
    let all = call.broker.list_vhosts()?;
    let down: Vec<&str> = all.iter().filter(|it| is_down(it)).map(|it| it.name.as_str()).collect();
    if down.is_empty() {
        return ok();
    }
    failed(json!({ "reason": "Some virtual hosts are down", "virtual-hosts": down }))
}

/// `/api/health/checks/quorum-queues-without-elected-leaders/...`: each queue leads itself on one node.
pub(crate) fn leaders(_: &Call<'_>) -> Answer {
    ok()
}

/// `/api/health/checks/node-is-quorum-critical`
pub(crate) fn quorum_critical(_: &Call<'_>) -> Answer {
    Ok(Reply::json(&json!({ "status": "ok", "reason": "single node cluster" })))
}

fn maintenance(call: &Call<'_>) -> Option<Answer> {
    let is_out = call.broker.status().is_under_maintenance;
    is_out.then(|| failed(json!({ "reason": "node is in maintenance mode" })))
}

/// `/api/health/checks/is-in-service`
pub(crate) fn in_service(call: &Call<'_>) -> Answer {
    maintenance(call).unwrap_or_else(ok)
}

/// Why the node takes no more connections, if it does not.
fn connection_limit(call: &Call<'_>) -> Option<Value> {
    let max = call.broker.facts().connections_max?;
    let connections = call.broker.status().connection_count;
    let reason = "node connection limit is reached";
    (max <= connections).then(|| json!({ "reason": reason, "connections": connections }))
}

/// `/api/health/checks/below-node-connection-limit`
pub(crate) fn below_connection_limit(call: &Call<'_>) -> Answer {
    match connection_limit(call) {
        Some(details) => failed(json!({ "reason": details["reason"] })),
        None => ok(),
    }
}

/// `/api/health/checks/ready-to-serve-clients`
pub(crate) fn ready(call: &Call<'_>) -> Answer {
    if call.broker.run_state() != RunState::Running {
        return failed(json!({ "reason": "the rabbit node is not running" }));
    }
    if let Some(answer) = maintenance(call) {
        return answer;
    }
    connection_limit(call).map_or_else(ok, failed)
}

/// `/api/health/checks/reached-target-cluster-size`: a cluster of one is all there is.
pub(crate) fn cluster_size(_: &Call<'_>) -> Answer {
    ok()
}

/// `/api/aliveness-test/:vhost`
pub(crate) fn aliveness(call: &Call<'_>) -> Answer {
    call.vhost()?;
    ok()
}

/// `/api/healthchecks/node`, `/api/healthchecks/node/:node`
pub(crate) fn node(_: &Call<'_>) -> Answer {
    ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_utc() {
        let is = |at, expected: &str| assert_eq!(super::date(at), expected);
        is(0, "1970-01-01 00:00:00");
        is(1_796_072_425, "2026-11-30 21:00:25");
        is(951_782_399, "2000-02-28 23:59:59");
        is(951_782_400, "2000-02-29 00:00:00");
        is(-1, "1969-12-31 23:59:59");
    }
}
