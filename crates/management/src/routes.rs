//! The table of all paths. What is still to come is in [`crate::api::later`].

use hyper::Method;

use crate::api::{
    attempts, bindings, browse, channels, connections, consumers, definitions, exchanges, features,
    health, limits, messages, nodes, overview, permissions, policies, queues, session, users,
    vhosts,
};
use crate::route::{Access::*, Route};

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// Paths whose `DELETE` reads a body; no other one does, nor does any `GET`.
pub(crate) const DELETES_WITH_BODY: &[&str] = &["/api/queues/quorum/:vhost/:queue/replicas/delete"];

/// The first that fits counts.
pub(crate) const ROUTES: &[Route] = &[
    Route { path: "/api/overview", verbs: &[(GET, Management, overview::get)] },
    Route {
        path: "/api/cluster-name",
        verbs: &[
            (GET, Management, overview::cluster_name),
            (PUT, Administrator, overview::set_cluster_name),
        ],
    },
    Route { path: "/api/version", verbs: &[(GET, Open, overview::version)] },
    Route { path: "/api/extensions", verbs: &[(GET, Management, overview::extensions)] },
    Route { path: "/api/reset", verbs: &[(DELETE, Administrator, overview::reset)] },
    Route { path: "/api/reset/:node", verbs: &[(DELETE, Administrator, overview::reset_node)] },
    Route { path: "/api/rebalance/queues", verbs: &[(POST, Administrator, overview::rebalance)] },
    Route { path: "/api/nodes", verbs: &[(GET, Monitoring, nodes::list)] },
    Route { path: "/api/nodes/:node", verbs: &[(GET, Monitoring, nodes::get)] },
    Route { path: "/api/nodes/:node/memory", verbs: &[(GET, Monitoring, nodes::memory_breakdown)] },
    Route {
        path: "/api/nodes/:node/memory/relative",
        verbs: &[(GET, Monitoring, nodes::memory_relative)],
    },
    Route {
        path: "/api/definitions",
        verbs: &[
            (GET, Administrator, definitions::export),
            (POST, Administrator, definitions::import),
        ],
    },
    Route {
        path: "/api/all-configuration",
        verbs: &[
            (GET, Administrator, definitions::export),
            (POST, Administrator, definitions::import),
        ],
    },
    Route {
        path: "/api/definitions/:vhost",
        verbs: &[
            (GET, Administrator, definitions::export_vhost),
            (POST, Administrator, definitions::import_into_vhost),
        ],
    },
    Route { path: "/api/vhost-limits", verbs: &[(GET, VhostVisible, limits::of_vhosts)] },
    Route { path: "/api/vhost-limits/:vhost", verbs: &[(GET, VhostVisible, limits::of_vhost)] },
    Route {
        path: "/api/vhost-limits/:vhost/:name",
        verbs: &[
            (PUT, Administrator, limits::set_of_vhost),
            (DELETE, Administrator, limits::clear_of_vhost),
        ],
    },
    Route { path: "/api/user-limits", verbs: &[(GET, Administrator, limits::of_users)] },
    Route { path: "/api/user-limits/:user", verbs: &[(GET, Management, limits::of_user)] },
    Route {
        path: "/api/user-limits/:user/:name",
        verbs: &[
            (PUT, Administrator, limits::set_of_user),
            (DELETE, Administrator, limits::clear_of_user),
        ],
    },
    Route { path: "/api/connections", verbs: &[(GET, Management, connections::list)] },
    Route {
        path: "/api/connections/username/:username",
        verbs: &[
            (GET, Management, connections::of_user),
            (DELETE, Management, connections::delete_of_user),
        ],
    },
    Route {
        path: "/api/connections/:connection",
        verbs: &[(GET, Management, connections::get), (DELETE, Management, connections::delete)],
    },
    Route {
        path: "/api/connections/:connection/channels",
        verbs: &[(GET, Management, channels::of_connection)],
    },
    Route {
        path: "/api/connections/:connection/sessions",
        verbs: &[(GET, Management, connections::sessions)],
    },
    Route { path: "/api/channels", verbs: &[(GET, Management, channels::list)] },
    Route { path: "/api/channels/:channel", verbs: &[(GET, Management, channels::get)] },
    Route { path: "/api/consumers", verbs: &[(GET, Management, consumers::list)] },
    Route { path: "/api/consumers/:vhost", verbs: &[(GET, VhostVisible, consumers::list)] },
    Route { path: "/api/exchanges", verbs: &[(GET, Vhost, exchanges::list)] },
    Route { path: "/api/exchanges/:vhost", verbs: &[(GET, Vhost, exchanges::list)] },
    Route {
        path: "/api/exchanges/:vhost/:exchange",
        verbs: &[
            (GET, Vhost, exchanges::get),
            (PUT, Vhost, exchanges::put),
            (DELETE, Vhost, exchanges::delete),
        ],
    },
    Route {
        path: "/api/exchanges/:vhost/:exchange/publish",
        verbs: &[(POST, Vhost, messages::publish)],
    },
    Route {
        path: "/api/exchanges/:vhost/:exchange/bindings/source",
        verbs: &[(GET, Vhost, bindings::from_exchange)],
    },
    Route {
        path: "/api/exchanges/:vhost/:exchange/bindings/destination",
        verbs: &[(GET, Vhost, bindings::to_exchange)],
    },
    Route { path: "/api/queues", verbs: &[(GET, Vhost, queues::list)] },
    Route { path: "/api/queues/detailed", verbs: &[(GET, Vhost, queues::list)] },
    Route { path: "/api/queues/:vhost", verbs: &[(GET, Vhost, queues::list)] },
    Route {
        path: "/api/queues/:vhost/:queue",
        verbs: &[
            (GET, Vhost, queues::get),
            (PUT, Vhost, queues::put),
            (DELETE, Vhost, queues::delete),
        ],
    },
    Route {
        path: "/api/queues/:vhost/:destination/bindings",
        verbs: &[(GET, Vhost, bindings::of_queue)],
    },
    Route { path: "/api/queues/:vhost/:queue/contents", verbs: &[(DELETE, Vhost, queues::purge)] },
    Route { path: "/api/queues/:vhost/:queue/get", verbs: &[(POST, Vhost, messages::get)] },
    Route { path: "/api/queues/:vhost/:queue/messages", verbs: &[(GET, Vhost, browse::list)] },
    Route { path: "/api/queues/:vhost/:queue/redrive", verbs: &[(POST, Vhost, browse::redrive)] },
    Route {
        path: "/api/queues/:vhost/:queue/move",
        verbs: &[(POST, Vhost, browse::move_messages)],
    },
    Route {
        path: "/api/queues/:vhost/:queue/actions",
        verbs: &[(POST, Administrator, queues::act)],
    },
    Route {
        path: "/api/queues/quorum/replicas/on/:node/grow",
        verbs: &[(POST, Administrator, queues::grow)],
    },
    Route {
        path: "/api/queues/quorum/replicas/on/:node/shrink",
        verbs: &[(DELETE, Administrator, queues::shrink)],
    },
    Route {
        path: "/api/queues/quorum/:vhost/:queue/replicas/add",
        verbs: &[(POST, Administrator, queues::add_replica)],
    },
    Route {
        path: "/api/queues/quorum/:vhost/:queue/replicas/delete",
        verbs: &[(DELETE, Administrator, queues::delete_replica)],
    },
    Route { path: "/api/bindings", verbs: &[(GET, Vhost, bindings::list)] },
    Route { path: "/api/bindings/:vhost", verbs: &[(GET, Vhost, bindings::list)] },
    Route {
        path: "/api/bindings/:vhost/e/:source/:dtype/:destination",
        verbs: &[(GET, Vhost, bindings::list_between), (POST, Vhost, bindings::post)],
    },
    Route {
        path: "/api/bindings/:vhost/e/:source/:dtype/:destination/:props",
        verbs: &[(GET, Vhost, bindings::get), (DELETE, Vhost, bindings::delete)],
    },
    Route { path: "/api/vhosts", verbs: &[(GET, Management, vhosts::list)] },
    Route {
        path: "/api/vhosts/:vhost",
        verbs: &[
            (GET, Administrator, vhosts::get),
            (PUT, Administrator, vhosts::put),
            (DELETE, Administrator, vhosts::delete),
        ],
    },
    Route {
        path: "/api/vhosts/:vhost/deletion/protection",
        verbs: &[
            (POST, Administrator, vhosts::protect_from_deletion),
            (DELETE, Administrator, vhosts::permit_deletion),
        ],
    },
    Route {
        path: "/api/vhosts/:vhost/start/:node",
        verbs: &[(POST, Administrator, vhosts::start)],
    },
    Route {
        path: "/api/vhosts/:vhost/permissions",
        verbs: &[(GET, Administrator, permissions::of_vhost)],
    },
    Route {
        path: "/api/vhosts/:vhost/topic-permissions",
        verbs: &[(GET, Administrator, permissions::topics_of_vhost)],
    },
    Route { path: "/api/vhosts/:vhost/connections", verbs: &[(GET, Vhost, connections::of_vhost)] },
    Route { path: "/api/vhosts/:vhost/channels", verbs: &[(GET, Vhost, channels::of_vhost)] },
    Route { path: "/api/users", verbs: &[(GET, Administrator, users::list)] },
    Route {
        path: "/api/users/without-permissions",
        verbs: &[(GET, Administrator, users::without_permissions)],
    },
    Route { path: "/api/users/bulk-delete", verbs: &[(POST, Administrator, users::bulk_delete)] },
    Route {
        path: "/api/users/:user",
        verbs: &[
            (GET, Administrator, users::get),
            (PUT, Administrator, users::put),
            (DELETE, Administrator, users::delete),
        ],
    },
    Route {
        path: "/api/users/:user/permissions",
        verbs: &[(GET, Administrator, permissions::of_user)],
    },
    Route {
        path: "/api/users/:user/topic-permissions",
        verbs: &[(GET, Administrator, permissions::topics_of_user)],
    },
    Route { path: "/api/users/:user/queues", verbs: &[(GET, Vhost, queues::of_user)] },
    Route { path: "/api/permissions", verbs: &[(GET, Administrator, permissions::list)] },
    Route {
        path: "/api/permissions/:vhost/:user",
        verbs: &[
            (GET, Administrator, permissions::get),
            (PUT, Administrator, permissions::put),
            (DELETE, Administrator, permissions::delete),
        ],
    },
    Route {
        path: "/api/topic-permissions",
        verbs: &[(GET, Administrator, permissions::list_topics)],
    },
    Route {
        path: "/api/topic-permissions/:vhost/:user",
        verbs: &[
            (GET, Administrator, permissions::get_topics),
            (PUT, Administrator, permissions::put_topic),
            (DELETE, Administrator, permissions::delete_topics),
        ],
    },
    Route {
        path: "/api/topic-permissions/:vhost/:user/:exchange",
        verbs: &[
            (GET, Administrator, permissions::get_topics),
            (DELETE, Administrator, permissions::delete_topics),
        ],
    },
    Route { path: "/api/whoami", verbs: &[(GET, Management, users::whoami)] },
    Route {
        path: "/api/login",
        verbs: &[(POST, Open, session::log_in), (DELETE, Open, session::log_out)],
    },
    Route {
        path: "/api/auth/hash_password/:password",
        verbs: &[(GET, Administrator, users::hash_password)],
    },
    Route {
        path: "/api/auth/attempts/:node",
        verbs: &[(GET, Monitoring, attempts::list), (DELETE, Administrator, attempts::forget)],
    },
    Route {
        path: "/api/auth/attempts/:node/source",
        verbs: &[(GET, Monitoring, attempts::by_source), (DELETE, Administrator, attempts::forget)],
    },
    Route { path: "/api/feature-flags", verbs: &[(GET, Management, features::list)] },
    Route {
        path: "/api/feature-flags/:name/enable",
        verbs: &[(PUT, Administrator, features::enable)],
    },
    Route {
        path: "/api/deprecated-features",
        verbs: &[(GET, Management, features::list_deprecated)],
    },
    Route {
        path: "/api/deprecated-features/used",
        verbs: &[(GET, Management, features::list_used)],
    },
    Route { path: "/api/aliveness-test/:vhost", verbs: &[(GET, Vhost, health::aliveness)] },
    Route { path: "/api/healthchecks/node", verbs: &[(GET, Management, health::node)] },
    Route { path: "/api/healthchecks/node/:node", verbs: &[(GET, Management, health::node)] },
    Route { path: "/api/health/checks/alarms", verbs: &[(GET, Management, health::alarms)] },
    Route {
        path: "/api/health/checks/local-alarms",
        verbs: &[(GET, Management, health::local_alarms)],
    },
    Route {
        path: "/api/health/checks/metadata-store/initialized",
        verbs: &[(GET, Management, health::metadata_store)],
    },
    Route {
        path: "/api/health/checks/metadata-store/initialized/with-data",
        verbs: &[(GET, Management, health::metadata_store_with_data)],
    },
    Route {
        path: "/api/health/checks/certificate-expiration/:within/:unit",
        verbs: &[(GET, Management, health::certificates)],
    },
    Route {
        path: "/api/health/checks/port-listener/:port",
        verbs: &[(GET, Management, health::port_listener)],
    },
    Route {
        path: "/api/health/checks/protocol-listener/:protocols",
        verbs: &[(GET, Management, health::protocol_listener)],
    },
    Route { path: "/api/health/checks/virtual-hosts", verbs: &[(GET, Management, health::vhosts)] },
    Route {
        path: "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts",
        verbs: &[(GET, Management, health::leaders)],
    },
    Route {
        path: "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/:pattern",
        verbs: &[(GET, Management, health::leaders)],
    },
    Route {
        path: "/api/health/checks/quorum-queues-without-elected-leaders/vhost/:vhost",
        verbs: &[(GET, Management, health::leaders)],
    },
    Route {
        path: "/api/health/checks/quorum-queues-without-elected-leaders/vhost/:vhost/pattern/:pattern",
        verbs: &[(GET, Management, health::leaders)],
    },
    Route {
        path: "/api/health/checks/node-is-quorum-critical",
        verbs: &[(GET, Management, health::quorum_critical)],
    },
    Route { path: "/api/health/checks/is-in-service", verbs: &[(GET, Open, health::in_service)] },
    Route {
        path: "/api/health/checks/below-node-connection-limit",
        verbs: &[(GET, Open, health::below_connection_limit)],
    },
    Route {
        path: "/api/health/checks/ready-to-serve-clients",
        verbs: &[(GET, Open, health::ready)],
    },
    Route {
        path: "/api/health/checks/reached-target-cluster-size",
        verbs: &[(GET, Open, health::cluster_size)],
    },
    Route { path: "/api/parameters", verbs: &[(GET, Policies, policies::list_parameters)] },
    Route {
        path: "/api/parameters/:component",
        verbs: &[(GET, Policies, policies::list_parameters)],
    },
    Route {
        path: "/api/parameters/:component/:vhost",
        verbs: &[(GET, Policies, policies::list_parameters)],
    },
    Route {
        path: "/api/parameters/:component/:vhost/:name",
        verbs: &[
            (GET, Policies, policies::get_parameter),
            (PUT, Policies, policies::put_parameter),
            (DELETE, Policies, policies::delete_parameter),
        ],
    },
    Route {
        path: "/api/global-parameters",
        verbs: &[(GET, GlobalParameters, policies::list_globals)],
    },
    Route {
        path: "/api/global-parameters/:name",
        verbs: &[
            (GET, GlobalParameters, policies::get_global),
            (PUT, GlobalParameters, policies::put_global),
            (DELETE, GlobalParameters, policies::delete_global),
        ],
    },
    Route { path: "/api/policies", verbs: &[(GET, Vhost, policies::list_policies)] },
    Route { path: "/api/policies/:vhost", verbs: &[(GET, Vhost, policies::list_policies)] },
    Route {
        path: "/api/policies/:vhost/:name",
        verbs: &[
            (GET, Policies, policies::get_policy),
            (PUT, Policies, policies::put_policy),
            (DELETE, Policies, policies::delete_policy),
        ],
    },
    Route {
        path: "/api/operator-policies",
        verbs: &[(GET, Vhost, policies::list_operator_policies)],
    },
    Route {
        path: "/api/operator-policies/:vhost",
        verbs: &[(GET, Vhost, policies::list_operator_policies)],
    },
    Route {
        path: "/api/operator-policies/:vhost/:name",
        verbs: &[
            (GET, Administrator, policies::get_operator_policy),
            (PUT, Administrator, policies::put_operator_policy),
            (DELETE, Administrator, policies::delete_operator_policy),
        ],
    },
];
