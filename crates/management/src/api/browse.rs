//! Looking at a queue's messages, and taking them to other queues: what RabbitMQ's API has not.
//! `docs/management-ui.md` is the contract.

use operator::{BrowseMessages, LeftMessage, MoveMessages, Refusal, Transferred};
use serde_json::{Value, json};

use super::messages::{self, is_text_wanted};
use crate::call::Call;
use crate::listing;
use crate::reply::{Answer, Failure};

/// Messages that are shown unless told otherwise, and at most.
const COUNT: usize = 10;
const COUNT_MAX: usize = 500;
/// Bytes that are shown of a payload unless told otherwise.
const TRUNCATE: usize = 64 * 1024;
/// Messages that are re-driven by a request at most.
const IDS_MAX: usize = 10_000;

/// A number of the query.
fn number<T: std::str::FromStr>(call: &Call<'_>, key: &str, default: T) -> Result<T, Failure> {
    match call.query.get(key) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| Failure::bad_request(format!("{key} is not a number")))
        }
    }
}

fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Amqp { name: "access_refused", text } => Failure::not_authorised(text),
        other => other.into(),
    }
}

/// The vhost and the name of the queue, which has to exist.
fn named<'c>(call: &'c Call<'_>) -> Result<(&'c str, &'c str), Failure> {
    let missing = || Failure::not_found("queue_not_found");
    let (vhost, queue) = (call.vhost().map_err(|_| missing())?, call.param("queue"));
    call.broker.queue(vhost, queue).ok_or_else(missing)?;
    Ok((vhost, queue))
}

/// `GET /api/queues/:vhost/:queue/messages`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let (vhost, queue) = named(call)?;
    let browse = BrowseMessages {
        behind: call.query.get("after").map(str::to_owned),
        skip: number(call, "offset", 0)?,
        count: number(call, "count", COUNT)?.min(COUNT_MAX),
    };
    let truncate = number(call, "truncate", TRUNCATE)?;
    let is_text_wanted = is_text_wanted(call.query.get("encoding").or(Some("auto")))?;
    let seen = call.broker.browse(&call.caller.name, vhost, queue, browse).map_err(failure)?;
    let shown = seen.into_iter().map(|seen| {
        let mut shown = messages::message(&seen.message, Some(truncate), is_text_wanted);
        shown["id"] = seen.id.into();
        shown
    });
    listing::value(call.query, shown.collect())
}

fn left(left: &[LeftMessage]) -> Value {
    left.iter().map(|it| json!({ "id": it.id, "reason": it.reason })).collect()
}

/// `POST /api/queues/:vhost/:queue/redrive`
pub(crate) fn redrive(call: &Call<'_>) -> Answer {
    let (vhost, queue) = named(call)?;
    let body = call.json_with(&["ids"])?;
    let wrong = || Failure::bad_request("ids should be a list of the ids of messages");
    let ids = body["ids"].as_array().ok_or_else(wrong)?;
    if IDS_MAX < ids.len() {
        return Err(Failure::bad_request(format!("ids names more than {IDS_MAX} messages")));
    }
    let id = |id: &Value| id.as_str().map(str::to_owned).ok_or_else(wrong);
    let ids = ids.iter().map(id).collect::<Result<Vec<String>, Failure>>()?;
    let done = call.broker.redrive(&call.caller.name, vhost, queue, &ids).map_err(failure)?;
    let Transferred { moved, left: stayed } = done;
    listing::value(call.query, json!({ "redriven": moved, "left": left(&stayed) }))
}

/// `POST /api/queues/:vhost/:queue/move`
pub(crate) fn move_messages(call: &Call<'_>) -> Answer {
    let (vhost, queue) = named(call)?;
    let body = call.json_with(&["destination"])?;
    let destination = body["destination"].as_str();
    let destination =
        destination.ok_or_else(|| Failure::bad_request("destination should be a string"))?;
    let count = body.get("count").map(messages::integer).transpose()?;
    let wanted = MoveMessages {
        destination: destination.to_owned(),
        count: count.map(|it| u64::try_from(it).unwrap_or_default()),
    };
    let done = call.broker.move_messages(&call.caller.name, vhost, queue, &wanted);
    let Transferred { moved, left: stayed } = done.map_err(failure)?;
    listing::value(call.query, json!({ "moved": moved, "left": left(&stayed) }))
}
