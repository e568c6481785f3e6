//! Definitions: everything declared, as one JSON document, out and in.

use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use operator::{
    BindingInfo, ParameterInfo, PermissionInfo, PolicyScope, Refusal, TopicPermissionInfo,
    VhostInfo,
};
use serde_json::{Map, Value, json};
use topology::{DeclareExchange, DeclareQueue, DestinationKind};

use super::{bindings, limits, permissions, policies, users, vhosts};
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
    match serde_json::from_slice(&body) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(Failure::bad_request("failed_to_parse_json")),
    }
}

/// Objects of one kind; none if the document does not name it.
fn entries<'d>(document: &'d Object, kind: &str) -> Result<Vec<&'d Object>, Failure> {
    let wrong = || Failure::bad_request(format!("{kind} should be a list of objects"));
    match document.get(kind) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => {
            entries.iter().map(|it| it.as_object().ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn required<'e>(entry: &'e Object, key: &str) -> Result<&'e str, Failure> {
    json::text(entry, key)?.ok_or_else(|| Failure::key_missing(&[key]))
}

/// The vhost of an entry, or the one that all are imported into. It has to exist.
fn vhost_of(call: &Call<'_>, entry: &Object, into: Option<&str>) -> Result<String, Failure> {
    let name = match into {
        Some(name) => name,
        None => required(entry, "vhost")?,
    };
    if call.broker.vhost(name).is_none() {
        return Err(Failure::bad_request(format!(
            "Please create virtual host \"{name}\" prior to importing definitions."
        )));
    }
    Ok(name.to_owned())
}

/// `POST /api/definitions`, `POST /api/all-configuration`: in RabbitMQ's order, up to the first that is
/// wrong. What is there already and the same stays.
pub(crate) fn import(call: &Call<'_>) -> Answer {
    let document = document(call)?;
    for entry in entries(&document, "users")? {
        let user = users::described(call, required(entry, "name")?, entry)?;
        call.broker.put_user(&user)?;
        if let Some(Value::Object(limits)) = entry.get("limits").filter(|it| is_filled(it)) {
            call.broker.set_user_limits(&user.name, limits)?;
        }
    }
    for entry in entries(&document, "vhosts")? {
        import_vhost(call, entry)?;
    }
    for entry in entries(&document, "permissions")? {
        call.broker.set_permissions(&permission(call, entry)?)?;
    }
    import_exchanges(call, &document, None)?;
    for entry in entries(&document, "topic_permissions")? {
        call.broker.set_topic_permissions(&topic_permission(call, entry)?)?;
    }
    for entry in entries(&document, "global_parameters")? {
        let value = entry.get("value").cloned().unwrap_or_default();
        call.broker.set_global_parameter(required(entry, "name")?, value)?;
    }
    import_parameters(call, &document, None)?;
    import_queues(call, &document, None)?;
    import_bindings(call, &document, None)?;
    Ok(Reply::no_content())
}

/// `POST /api/definitions/:vhost`
pub(crate) fn import_into_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let document = document(call)?;
    if let Some(Value::Object(limits)) = document.get("limits").filter(|it| is_filled(it)) {
        call.broker.set_vhost_limits(vhost, limits)?;
    }
    import_exchanges(call, &document, Some(vhost))?;
    import_parameters(call, &document, Some(vhost))?;
    import_queues(call, &document, Some(vhost))?;
    import_bindings(call, &document, Some(vhost))?;
    Ok(Reply::no_content())
}

/// What the broker refused, with the name of the error before it.
fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Amqp { name, text } => Failure::bad_request(format!("{name}: {text}")),
        other => other.into(),
    }
}

fn is_filled(limits: &Value) -> bool {
    limits.as_object().is_some_and(|it| !it.is_empty())
}

/// Policies and runtime parameters: before the queues that they are for.
fn import_parameters(
    call: &Call<'_>,
    document: &Object,
    into: Option<&str>,
) -> Result<(), Failure> {
    for entry in entries(document, "policies")? {
        let vhost = vhost_of(call, entry, into)?;
        let name = required(entry, "name")?;
        policies::set(call, &vhost, PolicyScope::User, name, entry)
            .map_err(|failure| named(failure, &vhost, name))?;
    }
    for entry in entries(document, "parameters")? {
        let vhost = vhost_of(call, entry, into)?;
        let name = required(entry, "name")?;
        let parameter = ParameterInfo {
            component: required(entry, "component")?.to_owned(),
            name: name.to_owned(),
            value: entry.get("value").cloned().unwrap_or_default(),
        };
        let set = call.broker.set_parameter(&vhost, &parameter);
        set.map_err(|refusal| named(refusal.into(), &vhost, name))?;
    }
    Ok(())
}

/// A failure that says of what.
fn named(mut failure: Failure, vhost: &str, name: &str) -> Failure {
    if let Value::String(reason) = &mut failure.reason {
        reason.push_str(&format!(" (vhost: \"{vhost}\" key: \"{name}\")"));
    }
    failure
}

fn import_vhost(call: &Call<'_>, entry: &Object) -> Result<(), Failure> {
    let name = required(entry, "name")?;
    let described = match entry.get("metadata") {
        Some(Value::Object(metadata)) => vhosts::described(name, metadata)?,
        _ => vhosts::described(name, entry)?,
    };
    call.broker.put_vhost(&described)?;
    if let Some(Value::Object(metadata)) = entry.get("metadata")
        && let Some(is_protected) = json::optional_flag(metadata, "protected_from_deletion")?
    {
        call.broker.protect_vhost(name, is_protected)?;
    }
    if let Some(Value::Object(limits)) = entry.get("limits").filter(|it| is_filled(it)) {
        call.broker.set_vhost_limits(name, limits)?;
    }
    Ok(())
}

fn permission(call: &Call<'_>, entry: &Object) -> Result<PermissionInfo, Failure> {
    Ok(PermissionInfo {
        user: required(entry, "user")?.to_owned(),
        vhost: vhost_of(call, entry, None)?,
        configure: required(entry, "configure")?.to_owned(),
        write: required(entry, "write")?.to_owned(),
        read: required(entry, "read")?.to_owned(),
    })
}

fn topic_permission(call: &Call<'_>, entry: &Object) -> Result<TopicPermissionInfo, Failure> {
    Ok(TopicPermissionInfo {
        user: required(entry, "user")?.to_owned(),
        vhost: vhost_of(call, entry, None)?,
        exchange: required(entry, "exchange")?.to_owned(),
        write: required(entry, "write")?.to_owned(),
        read: required(entry, "read")?.to_owned(),
    })
}

fn import_exchanges(call: &Call<'_>, document: &Object, into: Option<&str>) -> Result<(), Failure> {
    for entry in entries(document, "exchanges")? {
        let declare = DeclareExchange {
            vhost: vhost_of(call, entry, into)?,
            name: required(entry, "name")?.to_owned(),
            kind: required(entry, "type")?.to_owned(),
            durable: json::optional_flag(entry, "durable")?.unwrap_or(true),
            auto_delete: json::flag(entry, "auto_delete")?,
            internal: json::flag(entry, "internal")?,
            arguments: json::arguments(entry)?,
        };
        // Those are there, or are not a client's to make.
        let is_predeclared = declare.name.is_empty() || declare.name.starts_with("amq.");
        let exists = call.broker.exchange(&declare.vhost, &declare.name).is_some();
        if !is_predeclared && !exists {
            call.broker.declare_exchange(None, declare).map_err(failure)?;
        }
    }
    Ok(())
}

fn import_queues(call: &Call<'_>, document: &Object, into: Option<&str>) -> Result<(), Failure> {
    for entry in entries(document, "queues")? {
        let name = required(entry, "name")?.to_owned();
        let mut arguments = json::arguments(entry)?;
        let kind = json::text(entry, "type")?;
        if let Some(kind) = kind.filter(|_| arguments.get("x-queue-type").is_none()) {
            arguments.set("x-queue-type", kind);
            arguments.sort();
        }
        let declare = DeclareQueue {
            vhost: vhost_of(call, entry, into)?,
            is_server_named: name.starts_with("amq."),
            durable: json::optional_flag(entry, "durable")?.unwrap_or(true),
            auto_delete: json::flag(entry, "auto_delete")?,
            owner: None,
            arguments,
            name,
        };
        if call.broker.queue(&declare.vhost, &declare.name).is_none() {
            call.broker.declare_queue(None, declare).map_err(failure)?;
        }
    }
    Ok(())
}

fn import_bindings(call: &Call<'_>, document: &Object, into: Option<&str>) -> Result<(), Failure> {
    for entry in entries(document, "bindings")? {
        let kind = match required(entry, "destination_type")? {
            "queue" => DestinationKind::Queue,
            "exchange" => DestinationKind::Exchange,
            other => {
                return Err(Failure::bad_request(format!("{other} is no type of destinations")));
            }
        };
        let binding = BindingInfo {
            vhost: vhost_of(call, entry, into)?,
            source_name: required(entry, "source")?.to_owned(),
            destination_name: required(entry, "destination")?.to_owned(),
            destination_kind: kind.name().to_owned(),
            routing_key: json::text(entry, "routing_key")?.unwrap_or_default().to_owned(),
            arguments: json::arguments(entry)?,
        };
        call.broker.bind(None, bindings::spec(binding, kind)).map_err(failure)?;
    }
    Ok(())
}
