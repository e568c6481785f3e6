//! Bindings.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::StatusCode;
use hyper::header::LOCATION;
use operator::BindingInfo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use topology::{BindingSpec, DestinationKind};

use crate::call::Call;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// What is not escaped in the key of a binding's properties; a space is a `+`.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b' ');

/// What is not escaped in a `location`.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

impl Row for BindingInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("arguments", |b| Some(json::table(&b.arguments))),
        ("destination", |b| Some(b.destination_name.clone().into())),
        ("destination_type", |b| Some(b.destination_kind.clone().into())),
        ("properties_key", |b| Some(properties_key(b).into())),
        ("routing_key", |b| Some(b.routing_key.clone().into())),
        ("source", |b| Some(b.source_name.clone().into())),
        ("vhost", |b| Some(b.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.source_name
    }
}

/// Tells apart the bindings between two objects: the routing key, and a hash of the arguments if there
/// are any. A `~` where there is neither.
fn properties_key(binding: &BindingInfo) -> String {
    let quoted = utf8_percent_encode(&binding.routing_key, &PLAIN).to_string().replace(' ', "+");
    let mut key = quoted;
    if !binding.arguments.is_empty() {
        let mut bytes = Vec::new();
        binding.arguments.encode_fields(&mut bytes);
        key.push('~');
        key.push_str(&URL_SAFE_NO_PAD.encode(fnv(&bytes).to_be_bytes()));
    }
    if key.is_empty() { "~".to_owned() } else { key }
}

/// FNV-1a: the same in every version and on every machine, since clients keep the keys.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// `/api/bindings`, `/api/bindings/:vhost`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    list_where(call, |_| true)
}

/// `/api/queues/:vhost/:destination/bindings`
pub(crate) fn of_queue(call: &Call<'_>) -> Answer {
    let name = call.param("destination");
    list_where(call, |it| it.destination_name == name && it.destination_kind == "queue")
}

/// `/api/exchanges/:vhost/:exchange/bindings/source`
pub(crate) fn from_exchange(call: &Call<'_>) -> Answer {
    let name = call.param("exchange");
    list_where(call, |it| it.source_name == name)
}

/// `/api/exchanges/:vhost/:exchange/bindings/destination`
pub(crate) fn to_exchange(call: &Call<'_>) -> Answer {
    let name = call.param("exchange");
    list_where(call, |it| it.destination_name == name && it.destination_kind == "exchange")
}

fn list_where(call: &Call<'_>, is_wanted: impl Fn(&BindingInfo) -> bool) -> Answer {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        call.broker.list_bindings(&vhost, &mut |binding| {
            if is_wanted(&binding) {
                rows.push(binding);
            }
        })?;
    }
    listing::list(call.query, rows)
}

fn destination_kind(call: &Call<'_>) -> Result<DestinationKind, Failure> {
    match call.param("dtype") {
        "e" => Ok(DestinationKind::Exchange),
        "q" => Ok(DestinationKind::Queue),
        _ => Err(Failure::bad_request("the type of a destination is e or q")),
    }
}

fn between(call: &Call<'_>) -> Result<Vec<BindingInfo>, Failure> {
    let kind = destination_kind(call)?;
    let (source, destination) = (call.param("source"), call.param("destination"));
    Ok(call.broker.bindings_between(call.vhost()?, source, kind, destination))
}

/// `/api/bindings/:vhost/e/:source/:dtype/:destination`
pub(crate) fn list_between(call: &Call<'_>) -> Answer {
    listing::list(call.query, between(call)?)
}

fn find(call: &Call<'_>) -> Result<BindingInfo, Failure> {
    let found = between(call)?.into_iter().find(|it| properties_key(it) == call.param("props"));
    found.ok_or_else(Failure::no_object)
}

/// `/api/bindings/:vhost/e/:source/:dtype/:destination/:props`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find(call)?)
}

/// `POST /api/bindings/:vhost/e/:source/:dtype/:destination`
pub(crate) fn post(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let kind = destination_kind(call)?;
    let body = call.json()?;
    let (source, destination) = (call.param("source"), call.param("destination"));
    let binding = BindingInfo {
        vhost: vhost.to_owned(),
        source_name: source.to_owned(),
        destination_name: destination.to_owned(),
        destination_kind: kind.name().to_owned(),
        routing_key: json::text(&body, "routing_key")?.unwrap_or_default().to_owned(),
        arguments: json::arguments(&body)?,
    };
    let key = properties_key(&binding);
    call.broker.bind(Some(&call.caller.name), spec(binding, kind))?;
    let quoted = |part: &str| utf8_percent_encode(part, &UNRESERVED).to_string();
    let location = format!("{}/{}", quoted(destination), quoted(&key));
    Ok(Reply::empty(StatusCode::CREATED).with(LOCATION, &location))
}

/// `DELETE /api/bindings/:vhost/e/:source/:dtype/:destination/:props`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let kind = destination_kind(call)?;
    call.broker.unbind(&call.caller.name, spec(find(call)?, kind))?;
    Ok(Reply::no_content())
}

pub(super) fn spec(binding: BindingInfo, destination_kind: DestinationKind) -> BindingSpec {
    BindingSpec {
        vhost: binding.vhost,
        source: topology::clean_name(&binding.source_name).into_owned(),
        destination_kind,
        destination: topology::clean_name(&binding.destination_name).into_owned(),
        key: binding.routing_key,
        arguments: binding.arguments,
    }
}

#[cfg(test)]
mod tests;
