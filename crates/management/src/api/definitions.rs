//! Definitions: everything declared, as one JSON document, out and in.

mod import;

use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use operator::{Management, VhostInfo};
use serde_json::{Map, Value, json};

use super::{limits, permissions, policies, vhosts};
use crate::call::Call;
use crate::json;
use crate::listing;
use crate::multipart;
use crate::reply::{Answer, Failure, Reply};

type Object = Map<String, Value>;

/// Global parameters that are a cluster's own.
const OWN_GLOBALS: [&str; 2] = ["cluster_tags", "internal_cluster_id"];

/// `/api/definitions`, `/api/all-configuration`
pub(crate) fn export(call: &Call<'_>) -> Answer {
    let facts = call.broker.facts();
    let mut vhost_list = call.broker.list_vhosts()?;
    vhost_list.sort_by(|a, b| a.name.cmp(&b.name));
    let mut objects = Objects::default();
    for vhost in &vhost_list {
        objects.add(call, &vhost.name, true)?;
    }
    let names: Vec<&str> = vhost_list.iter().map(|it| it.name.as_str()).collect();
    let (policies, parameters) = policies::exported(call, &names, true)?;
    let mut globals = policies::globals(call)?;
    globals.retain(|it| !OWN_GLOBALS.iter().any(|name| it["name"] == *name));
    let users = call.broker.list_users()?;
    let document = json!({
        "rabbit_version": facts.version,
        "rabbitmq_version": facts.version,
        "product_name": facts.product,
        "product_version": facts.version,
        "rabbitmq_definition_format": "cluster",
        "original_cluster_name": facts.cluster_name,
        "explanation": format!("Definitions of cluster '{}'", facts.cluster_name),
        "users": users.iter().map(listing::whole).collect::<Vec<_>>(),
        "vhosts": vhost_list.iter().map(vhost).collect::<Vec<_>>(),
        "permissions": permissions::all(call)?.iter().map(listing::whole).collect::<Vec<_>>(),
        "topic_permissions":
            permissions::all_topics(call)?.iter().map(listing::whole).collect::<Vec<_>>(),
        "parameters": parameters,
        "global_parameters": globals,
        "policies": policies,
        "exchanges": objects.exchanges,
        "queues": objects.queues,
        "bindings": objects.bindings,
    });
    download(call, &document)
}

/// `/api/definitions/:vhost`
pub(crate) fn export_vhost(call: &Call<'_>) -> Answer {
    let name = call.param("vhost");
    let vhost = call.broker.vhost(name).ok_or_else(|| Failure::bad_request("vhost_not_found"))?;
    let facts = call.broker.facts();
    let mut objects = Objects::default();
    objects.add(call, name, false)?;
    let (policies, parameters) = policies::exported(call, &[name], false)?;
    let document = json!({
        "rabbit_version": facts.version,
        "rabbitmq_version": facts.version,
        "product_name": facts.product,
        "product_version": facts.version,
        "rabbitmq_definition_format": "single_virtual_host",
        "original_vhost_name": name,
        "explanation": format!("Definitions of virtual host '{name}'"),
        "metadata": vhosts::metadata(&vhost),
        "description": vhost.description,
        "limits": limits::value(&vhost.limits),
        "parameters": parameters,
        "policies": policies,
        "exchanges": objects.exchanges,
        "queues": objects.queues,
        "bindings": objects.bindings,
    });
    download(call, &document)
}

/// With `download=FILE` a browser saves it.
fn download(call: &Call<'_>, document: &Value) -> Answer {
    let reply = Reply::json(document);
    let is_token = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    match call.query.get("download") {
        None => Ok(reply),
        Some(name) if is_token(name) => {
            Ok(reply.with(CONTENT_DISPOSITION, &format!("attachment; filename={name}")))
        }
        Some(_) => Err(Failure::bad_request("download should be the name of a file")),
    }
}

fn vhost(vhost: &VhostInfo) -> Value {
    json!({
        "name": vhost.name,
        "limits": limits::value(&vhost.limits),
        "metadata": vhosts::metadata(vhost),
    })
}

/// What stands in vhosts and outlives a restart.
#[derive(Default)]
struct Objects {
    exchanges: Vec<Value>,
    queues: Vec<Value>,
    bindings: Vec<Value>,
}

impl Objects {
    fn add(&mut self, call: &Call<'_>, vhost: &str, is_named: bool) -> Result<(), Failure> {
        let of_vhost = |mut value: Value| {
            if is_named {
                value["vhost"] = vhost.into();
            }
            value
        };
        call.broker.list_exchanges(vhost, &mut |it| {
            if it.durable && !it.name.is_empty() && !it.name.starts_with("amq.") {
                let mut shown = json!({
                    "name": it.name,
                    "type": it.exchange_type,
                    "durable": it.durable,
                    "auto_delete": it.auto_delete,
                    "arguments": json::table(&it.arguments),
                });
                // RabbitMQ names the rare case only.
                if it.internal {
                    shown["internal"] = true.into();
                }
                self.exchanges.push(of_vhost(shown));
            }
        })?;
        let mut transient = std::collections::HashSet::new();
        call.broker.list_queues(vhost, &mut |it| {
            if it.exclusive || !it.durable {
                transient.insert(it.name.to_string());
                return;
            }
            self.queues.push(of_vhost(json!({
                "name": *it.name,
                "type": it.queue_type,
                "durable": it.durable,
                "auto_delete": it.auto_delete,
                "arguments": json::table(&it.arguments),
            })));
        })?;
        call.broker
            .list_bindings(vhost, &mut |it| {
                let is_to_queue = it.destination_kind == "queue";
                if it.source_name.is_empty()
                    || is_to_queue && transient.contains(&it.destination_name)
                {
                    return;
                }
                self.bindings.push(of_vhost(json!({
                    "source": it.source_name,
                    "destination": it.destination_name,
                    "destination_type": it.destination_kind,
                    "routing_key": it.routing_key,
                    "arguments": json::table(&it.arguments),
                })));
            })
            .map_err(Failure::from)
    }
}

/// The document of a request: its body, or the part `file` of a form.
fn document(call: &Call<'_>) -> Result<Object, Failure> {
    let content_type = call.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let body = match content_type.and_then(multipart::boundary) {
        None => call.body.to_vec(),
        Some(boundary) => {
            let parts = multipart::parts(&call.body, &boundary);
            let file = parts.into_iter().find(|part| part.name == "file");
            let file = file.ok_or_else(|| Failure::bad_request("no part is called file"))?;
            let is_named_so = file.file_name.to_lowercase().ends_with(".json");
            if call.settings.requires_json_extension && !is_named_so {
                return Err(Failure::bad_request("the file has to be called .json"));
            }
            file.body.to_vec()
        }
    };
    if body.is_empty() {
        return Ok(Object::new());
    }
    parsed(&body)
}

fn parsed(text: &[u8]) -> Result<Object, Failure> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(Failure::bad_request("failed_to_parse_json")),
    }
}

/// `POST /api/definitions`, `POST /api/all-configuration`
pub(crate) fn import(call: &Call<'_>) -> Answer {
    import::all(call.broker, &document(call)?)?;
    Ok(Reply::no_content())
}

/// `POST /api/definitions/:vhost`
pub(crate) fn import_into_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    import::into_vhost(call.broker, &document(call)?, vhost)?;
    Ok(Reply::no_content())
}

/// Imports a document as `POST /api/definitions` does.
///
/// # Errors
/// What is wrong with it, or what the broker refused, in RabbitMQ's words.
pub fn import_definitions(broker: &dyn Management, text: &[u8]) -> Result<(), String> {
    let imported = parsed(text).and_then(|document| import::all(broker, &document));
    imported.map_err(|failure| match failure.reason {
        Value::String(reason) => reason,
        reason => reason.to_string(),
    })
}
