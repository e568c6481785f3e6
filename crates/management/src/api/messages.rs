//! Publishing to an exchange and getting out of a queue.

use amqp091_codec::{BasicProperties, Properties};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use field_table::ShortStr;
use operator::{GetMessages, GetMode, GotMessage, Publication, Refusal};
use serde_json::{Map, Value, json};

use super::exchanges;
use crate::call::Call;
use crate::json;
use crate::listing;
use crate::reply::{Answer, Failure};

/// `POST /api/exchanges/:vhost/:exchange/publish`
pub(crate) fn publish(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let exchange = exchanges::find(call).map_err(|_| Failure::not_found("exchange_not_found"))?;
    let body = call.json_with(&["routing_key", "properties", "payload", "payload_encoding"])?;
    let Value::String(payload) = &body["payload"] else {
        return Err(Failure::bad_request("payload_not_string"));
    };
    let payload = match &body["payload_encoding"] {
        Value::String(it) if it == "string" => payload.clone().into_bytes(),
        Value::String(it) if it == "base64" => STANDARD
            .decode(payload)
            .map_err(|_| Failure::bad_request(json!(["not_base64", payload])))?,
        other => return Err(Failure::bad_request(json!(["unsupported_encoding", other]))),
    };
    let routing_key = json::text(&body, "routing_key")?.unwrap_or_default();
    short(routing_key, "routing_key")?;
    let publication = Publication {
        exchange: exchange.name,
        routing_key: routing_key.to_owned(),
        properties: properties(&body["properties"])?.to_bytes(),
        body: payload,
    };
    let is_routed = call.broker.publish(&call.caller.name, vhost, &publication)?;
    listing::value(call.query, json!({ "routed": is_routed }))
}

fn short(text: &str, what: &str) -> Result<ShortStr, Failure> {
    let too_long = |_| Failure::bad_request(format!("{what} is longer than 255 bytes"));
    ShortStr::new(text).map_err(too_long)
}

/// Properties of a body; keys that are none do not count.
fn properties(value: &Value) -> Result<BasicProperties, Failure> {
    let Value::Object(given) = value else {
        return Err(Failure::bad_request("properties should be a map"));
    };
    let text = |key: &str| match given.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => short(text, key).map(Some),
        Some(_) => Err(Failure::bad_request(json!(["not_string", key]))),
    };
    let number = |key: &str| match given.get(key) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::bad_request(json!(["not_int", key]))),
        },
    };
    let headers = match given.get("headers") {
        None => None,
        Some(Value::Object(headers)) => Some(json::to_table(headers)?),
        Some(Value::Array(none)) if none.is_empty() => None,
        Some(_) => return Err(Failure::bad_request("headers should be a map")),
    };
    Ok(BasicProperties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers,
        // RabbitMQ takes any number and sends its lowest octet.
        delivery_mode: number("delivery_mode")?.map(|it| it as u8),
        priority: number("priority")?.map(|it| it as u8),
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number("timestamp")?.map(|it| it as u64),
        kind: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    })
}

/// Properties as RabbitMQ shows them: an empty list where there are none.
fn shown_properties(raw: &[u8]) -> Value {
    let Ok(parsed) = Properties::parse(raw) else { return json!([]) };
    let properties = BasicProperties::from(parsed);
    let mut shown = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(key.to_owned(), value);
        }
    };
    let text = |it: &Option<ShortStr>| it.as_ref().map(|it| it.to_text().into_owned().into());
    put("content_type", text(&properties.content_type));
    put("content_encoding", text(&properties.content_encoding));
    put("headers", properties.headers.as_ref().map(json::table));
    put("delivery_mode", properties.delivery_mode.map(Value::from));
    put("priority", properties.priority.map(Value::from));
    put("correlation_id", text(&properties.correlation_id));
    put("reply_to", text(&properties.reply_to));
    put("expiration", text(&properties.expiration));
    put("message_id", text(&properties.message_id));
    put("timestamp", properties.timestamp.map(Value::from));
    put("type", text(&properties.kind));
    put("user_id", text(&properties.user_id));
    put("app_id", text(&properties.app_id));
    put("cluster_id", text(&properties.cluster_id));
    if shown.is_empty() { json!([]) } else { Value::Object(shown) }
}

/// `POST /api/queues/:vhost/:queue/get`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let missing = || Failure::not_found("queue_not_found");
    let vhost = call.vhost().map_err(|_| missing())?;
    let queue = call.broker.queue(vhost, call.param("queue")).ok_or_else(missing)?;
    let body = call.json_with(&["ackmode", "count", "encoding"])?;
    let then = mode(&body["ackmode"])?;
    let count = integer(&body["count"])?;
    let is_text_wanted = is_text_wanted(body["encoding"].as_str())?;
    let truncate = body.get("truncate").map(integer).transpose()?;
    let truncate = truncate.and_then(|it| usize::try_from(it).ok());
    let get = GetMessages { count: u64::try_from(count).ok(), then };
    let got = call.broker.get(&call.caller.name, vhost, &queue.name, get);
    let messages = got.map_err(|refusal| match refusal {
        Refusal::Closed { code: 403, text } => Failure::not_authorised(text),
        Refusal::Closed { code: 404, text } => Failure::not_found(text),
        other => other.into(),
    })?;
    let shown = messages.into_iter().map(|it| message(&it, truncate, is_text_wanted));
    listing::value(call.query, Value::Array(shown.collect()))
}

/// Whether a payload is shown as text where it is text.
pub(super) fn is_text_wanted(encoding: Option<&str>) -> Result<bool, Failure> {
    match encoding {
        Some("auto") => Ok(true),
        Some("base64") => Ok(false),
        _ => Err(Failure::bad_request("Unsupported encoding. Please use auto or base64.")),
    }
}

fn mode(value: &Value) -> Result<GetMode, Failure> {
    match value.as_str() {
        Some("ack_requeue_true") => Ok(GetMode::Return),
        Some("ack_requeue_false") => Ok(GetMode::Take),
        Some("reject_requeue_true") => Ok(GetMode::RejectAndReturn),
        Some("reject_requeue_false") => Ok(GetMode::Reject),
        other => Err(Failure::bad_request(format!(
            "Invalid ackmode value: {}. Valid values are: ack_requeue_true, ack_requeue_false, \
             reject_requeue_true, reject_requeue_false",
            other.unwrap_or_default()
        ))),
    }
}

/// A number, also as the text of one.
pub(super) fn integer(value: &Value) -> Result<i64, Failure> {
    let parsed = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    parsed.ok_or_else(|| Failure::bad_request(json!(["not_integer", value])))
}

pub(super) fn message(
    message: &GotMessage,
    truncate: Option<usize>,
    is_text_wanted: bool,
) -> Value {
    let shown = &message.body[..truncate.unwrap_or(usize::MAX).min(message.body.len())];
    let text = if is_text_wanted { std::str::from_utf8(shown).ok() } else { None };
    let (payload, encoding) = match text {
        Some(text) => (text.to_owned(), "string"),
        None => (STANDARD.encode(shown), "base64"),
    };
    json!({
        "payload_bytes": message.body.len(),
        "redelivered": message.redelivered,
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "message_count": message.message_count,
        "properties": shown_properties(&message.properties),
        "payload": payload,
        "payload_encoding": encoding,
    })
}
