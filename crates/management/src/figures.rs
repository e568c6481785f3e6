//! Statistics as JSON, and the ranges that a request asks for.

use operator::ChannelInfo;
use serde_json::{Map, Value, json};
use statistics::{Course, Figure, Figures, Other, Pairs, Range, Ranges};

use crate::call::{Call, Query};
use crate::reply::Failure;

/// The ranges of a request. `is_open`: lengths up to the interval under way, as for a single queue, whose
/// lengths are of one moment.
pub(crate) fn ranges(query: &Query, is_open: bool) -> Result<Ranges, Failure> {
    Ok(Ranges {
        lengths: range(query, "lengths", is_open)?,
        messages: range(query, "msg_rates", false)?,
        data: range(query, "data_rates", false)?,
        node: range(query, "node_stats", false)?,
    })
}

/// None unless both are numbers, as in RabbitMQ.
fn range(query: &Query, prefix: &str, is_open: bool) -> Result<Option<Range>, Failure> {
    let number =
        |name| query.get(&format!("{prefix}_{name}")).and_then(|it| it.parse::<i64>().ok());
    let Some((age, step)) = number("age").zip(number("incr")) else { return Ok(None) };
    let found = u64::try_from(age).ok().zip(u64::try_from(step).ok());
    let found = found.and_then(|(age, step)| Range::ending(net::now().0, age, step, is_open));
    match found {
        Some(range) => Ok(Some(range)),
        None => {
            Err(Failure::bad_request(format!("Invalid range parameters: age {age}, incr {step}")))
        }
    }
}

/// All figures: each a total, and `KEY_details`.
pub(crate) fn object(figures: &Figures) -> Value {
    let mut object = Map::new();
    add_to(&mut object, figures);
    Value::Object(object)
}

/// As [`object`], into one that is there.
pub(crate) fn add_to(object: &mut Map<String, Value>, figures: &Figures) {
    for (key, figure) in figures {
        object.insert((*key).to_owned(), figure.value.into());
        object.insert(format!("{key}_details"), details(figure));
    }
}

/// What RabbitMQ leaves out where nothing was counted.
pub(crate) fn message_stats(figures: &Figures) -> Option<Value> {
    (!figures.is_empty()).then(|| object(figures))
}

/// `KEY_details` alone, of a figure whose total is known better.
pub(crate) fn details_of(figures: &Figures, key: &str) -> Option<Value> {
    figures.iter().find(|(name, _)| *name == key).map(|(_, figure)| details(figure))
}

/// What stands at `path` (`KEY`, or `KEY_details` and `rate`), for sorting.
pub(crate) fn at(figures: &Figures, path: &[&str]) -> Option<Value> {
    let find = |key: &str| figures.iter().find(|(name, _)| *name == key).map(|(_, it)| it);
    match path {
        [key] => find(key).map(|it| it.value.into()),
        [details, "rate"] => find(details.strip_suffix("_details")?).map(|it| it.rate.into()),
        _ => None,
    }
}

fn details(figure: &Figure) -> Value {
    let mut details = json!({ "rate": figure.rate });
    if let Some(Course { average, samples }) = &figure.course {
        let samples = samples.iter();
        details["samples"] =
            samples.map(|(at, sample)| json!({ "sample": sample, "timestamp": at })).collect();
        if let Some((average, rate)) = average {
            details["avg"] = (*average).into();
            details["avg_rate"] = (*rate).into();
        }
    }
    details
}

/// What came and what left, by exchange, queue and channel.
pub(crate) fn pairs(call: &Call<'_>, vhost: &str, pairs: &Pairs) -> Result<[Value; 2], Failure> {
    let is_channel = |(other, _): &(Other, Figures)| matches!(other, Other::Channel(_));
    let mut channels = Vec::new();
    if pairs.incoming.iter().chain(&pairs.outgoing).any(is_channel) {
        call.broker.list_channels(&mut |it| channels.push(it))?;
    }
    Ok([&pairs.incoming, &pairs.outgoing].map(|side| {
        let shown = side.iter().map(|(other, figures)| {
            let (key, value) = named(other, vhost, &channels, &call.broker.node_name());
            json!({ "stats": object(figures), key: value })
        });
        shown.collect()
    }))
}

fn named(
    other: &Other,
    vhost: &str,
    channels: &[ChannelInfo],
    node: &str,
) -> (&'static str, Value) {
    match other {
        Other::Exchange(name) => ("exchange", json!({ "name": **name, "vhost": vhost })),
        Other::Queue(name) => ("queue", json!({ "name": **name, "vhost": vhost })),
        Other::Channel(id) => {
            let channel = channels.iter().find(|it| it.id == *id);
            ("channel_details", channel.map_or_else(|| json!({}), |it| channel_details(it, node)))
        }
    }
}

fn channel_details(channel: &ChannelInfo, node: &str) -> Value {
    let mut details = json!({
        "name": channel.name, "node": node, "number": channel.number, "user": channel.user,
    });
    if let Some(peer) = &channel.peer {
        details["connection_name"] = peer.name.clone().into();
        details["peer_host"] = peer.peer_host.to_string().into();
        details["peer_port"] = peer.peer_port.into();
    }
    details
}

#[cfg(test)]
mod tests;
