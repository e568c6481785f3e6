//! Paths of features that are still to come. They answer as RabbitMQ does where there is nothing to list,
//! so that tools that look there go on.

use hyper::Method;
use serde_json::json;

use crate::call::Call;
use crate::reply::{Answer, Failure, Reply};
use crate::route::{Access, Route};

/// An empty list.
fn nothing(_: &Call<'_>) -> Answer {
    Ok(Reply::json(&json!([])))
}

/// As [`nothing`], in a vhost that has to exist.
fn nothing_in_vhost(call: &Call<'_>) -> Answer {
    call.vhost()?;
    nothing(call)
}

/// One of those that there are none of.
fn missing(_: &Call<'_>) -> Answer {
    Err(Failure::no_object())
}

/// As [`nothing`], of a node that has to exist.
fn nothing_on_node(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    nothing(call)
}

macro_rules! later {
    ($($path:literal, $method:ident, $access:ident, $handler:ident;)*) => {
        &[$(Route { path: $path, verbs: &[(Method::$method, Access::$access, $handler)] },)*]
    };
}

/// By feature: what answers for it until it is there.
pub(crate) const ROUTES: &[Route] = later! {
    // Federation: no upstreams, no links.
    "/api/federation-links", GET, Monitoring, nothing;
    "/api/federation-links/state/down", GET, Monitoring, nothing;
    "/api/federation-links/:vhost", GET, Monitoring, nothing_in_vhost;
    "/api/federation-links/:vhost/state/down", GET, Monitoring, nothing_in_vhost;
    // Shovels.
    "/api/shovels", GET, Monitoring, nothing;
    "/api/shovels/:vhost", GET, Monitoring, nothing_in_vhost;
    "/api/shovels/vhost/:vhost/:name", GET, Monitoring, missing;
    // The stream protocol: no connections, publishers or consumers of it.
    "/api/stream/connections", GET, Management, nothing;
    "/api/stream/connections/:vhost", GET, VhostVisible, nothing_in_vhost;
    "/api/stream/connections/:vhost/:connection", GET, Monitoring, missing;
    "/api/stream/consumers", GET, Management, nothing;
    "/api/stream/consumers/:vhost", GET, VhostVisible, nothing_in_vhost;
    "/api/stream/publishers", GET, Management, nothing;
    "/api/stream/publishers/:vhost", GET, VhostVisible, nothing_in_vhost;
    "/api/stream/publishers/:vhost/:queue", GET, VhostVisible, nothing_in_vhost;
    // Traces into files (rabbitmq_tracing); the firehose itself is there.
    "/api/traces", GET, Administrator, nothing;
    "/api/traces/:vhost", GET, Administrator, nothing_in_vhost;
    "/api/traces/node/:node", GET, Administrator, nothing_on_node;
    "/api/traces/node/:node/:vhost", GET, Administrator, nothing_on_node;
    "/api/trace-files", GET, Administrator, nothing;
    "/api/trace-files/node/:node", GET, Administrator, nothing_on_node;
};
