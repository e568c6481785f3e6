//! Feature flags and deprecated features.

use serde_json::{Value, json};

use crate::call::Call;
use crate::listing;
use crate::reply::{Answer, Failure, Reply};

/// RabbitMQ's flags, all of them on: what they stand for is always so here. Name, stability.
const FLAGS: &[(&str, &str)] = &[
    ("classic_mirrored_queue_version", "required"),
    ("classic_queue_type_delivery_support", "required"),
    ("delete_ra_cluster_mqtt_node", "required"),
    ("detailed_queues_endpoint", "required"),
    ("direct_exchange_routing_v2", "required"),
    ("drop_unroutable_metric", "required"),
    ("empty_basic_get_metric", "required"),
    ("feature_flags_v2", "required"),
    ("implicit_default_bindings", "required"),
    ("khepri_db", "required"),
    ("listener_records_in_ets", "required"),
    ("maintenance_mode_status", "required"),
    ("message_containers", "required"),
    ("message_containers_deaths_v2", "required"),
    ("mqtt_v5", "required"),
    ("quorum_queue", "required"),
    ("quorum_queue_non_voters", "required"),
    ("rabbit_exchange_type_local_random", "required"),
    ("rabbit_mqtt_qos0_queue", "required"),
    ("rabbitmq_4.0.0", "required"),
    ("rabbitmq_4.1.0", "required"),
    ("rabbitmq_4.2.0", "required"),
    ("rabbitmq_4.3.0", "stable"),
    ("restart_streams", "required"),
    ("stream_filtering", "required"),
    ("stream_queue", "required"),
    ("stream_sac_coordinator_unblock_group", "required"),
    ("stream_single_active_consumer", "required"),
    ("stream_update_config_command", "required"),
    ("tie_binding_to_dest_with_keep_while_cond", "stable"),
    ("topic_binding_projection_v4", "stable"),
    ("topic_binding_projection_v5", "stable"),
    ("track_qq_members_uids", "stable"),
    ("tracking_records_in_ets", "required"),
    ("user_limits", "required"),
    ("virtual_host_metadata", "required"),
];

/// Deprecated features: name, whether it is permitted, phase.
const DEPRECATED: &[(&str, bool, &str)] = &[
    ("queue_master_locator", false, "denied_by_default"),
    ("global_qos", false, "denied_by_default"),
    ("amqp_filter_set_bug", false, "denied_by_default"),
    ("amqp_address_v1", false, "denied_by_default"),
    ("management_metrics_collection", true, "permitted_by_default"),
    (TRANSIENT_QUEUES, true, "permitted_by_default"),
    ("classic_queue_mirroring", false, "removed"),
    ("ram_node_type", false, "removed"),
];

/// Queues that are neither durable nor exclusive.
const TRANSIENT_QUEUES: &str = "transient_nonexcl_queues";

/// `/api/feature-flags`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let shown = FLAGS.iter().map(|(name, stability)| {
        json!({
            "name": name,
            "desc": "",
            "doc_url": "",
            "state": "enabled",
            "stability": stability,
            "require_level": if *stability == "required" { "hard" } else { "none" },
            "experiment_level": "supported",
            "callbacks": [],
            "provided_by": "rabbit",
        })
    });
    listing::value(call.query, Value::Array(shown.collect()))
}

/// `PUT /api/feature-flags/:name/enable`
pub(crate) fn enable(call: &Call<'_>) -> Answer {
    match FLAGS.iter().any(|(name, _)| *name == call.param("name")) {
        true => Ok(Reply::no_content()),
        false => Err(Failure::bad_request("unsupported")),
    }
}

fn deprecated(&(name, is_permitted, phase): &(&str, bool, &str)) -> Value {
    json!({
        "name": name,
        "state": if is_permitted { "permitted" } else { "denied" },
        "desc": "",
        "deprecation_phase": phase,
        "doc_url": "",
        "provided_by": "rabbit",
    })
}

/// `/api/deprecated-features`
pub(crate) fn list_deprecated(call: &Call<'_>) -> Answer {
    listing::value(call.query, Value::Array(DEPRECATED.iter().map(deprecated).collect()))
}

/// `/api/deprecated-features/used`
pub(crate) fn list_used(call: &Call<'_>) -> Answer {
    let mut has_transient = false;
    for vhost in call.broker.list_vhosts()? {
        let mut see = |queue: operator::QueueInfo| {
            has_transient |= !queue.durable && !queue.exclusive;
        };
        call.broker.list_queues(&vhost.name, &mut see)?;
    }
    let used = DEPRECATED.iter().filter(|(name, ..)| has_transient && *name == TRANSIENT_QUEUES);
    listing::value(call.query, Value::Array(used.map(deprecated).collect()))
}
