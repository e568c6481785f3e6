//! Exchanges.

use operator::ExchangeInfo;
use serde_json::{Value, json};
use statistics::{Figures, Ranges, Subject};
use topology::{DeclareExchange, DeleteExchange};

use crate::call::Call;
use crate::figures;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// The user that RabbitMQ names for what it made itself.
const INTERNAL_USER: &str = "rmq-internal";

/// An exchange and what was counted of it.
struct Exchange {
    info: ExchangeInfo,
    messages: Figures,
}

impl Exchange {
    fn new(call: &Call<'_>, info: ExchangeInfo, ranges: &Ranges) -> Self {
        let messages = match call.has_stats() {
            true => call.broker.report(subject(&info), ranges).messages,
            false => Figures::new(),
        };
        Self { info, messages }
    }
}

fn subject(exchange: &ExchangeInfo) -> Subject<'_> {
    Subject::Exchange { vhost: &exchange.vhost, name: &exchange.name }
}

impl Row for Exchange {
    const KEYS: &'static [Key<Self>] = &[
        ("arguments", |x| Some(json::table(&x.info.arguments))),
        ("auto_delete", |x| Some(x.info.auto_delete.into())),
        ("durable", |x| Some(x.info.durable.into())),
        ("internal", |x| Some(x.info.internal.into())),
        ("message_stats", |x| figures::message_stats(&x.messages)),
        ("name", |x| Some(x.info.name.clone().into())),
        ("policy", |x| x.info.policy.clone().map(Value::from)),
        ("type", |x| Some(x.info.exchange_type.clone().into())),
        // Who declared an exchange is not kept.
        ("user_who_performed_action", |_| Some(INTERNAL_USER.into())),
        ("vhost", |x| Some(x.info.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

/// `/api/exchanges`, `/api/exchanges/:vhost`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        call.broker
            .list_exchanges(&vhost, &mut |it| rows.push(Exchange::new(call, it, &ranges)))?;
    }
    listing::list(call.query, rows)
}

pub(super) fn find(call: &Call<'_>) -> Result<ExchangeInfo, Failure> {
    let vhost = call.vhost()?;
    call.broker.exchange(vhost, call.param("exchange")).ok_or_else(Failure::no_object)
}

/// `/api/exchanges/:vhost/:exchange`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let info = find(call)?;
    if !call.has_stats() {
        let messages = Figures::new();
        return listing::object(call.query, &Exchange { info, messages });
    }
    let ranges = call.ranges(false)?;
    call.broker.refresh();
    let pairs = call.broker.pairs(subject(&info), &ranges);
    let [incoming, outgoing] = figures::pairs(call, &info.vhost, &pairs)?;
    let mut object = listing::whole(&Exchange::new(call, info, &ranges));
    object["incoming"] = incoming;
    object["outgoing"] = outgoing;
    listing::value(call.query, object)
}

/// `PUT /api/exchanges/:vhost/:exchange`
pub(crate) fn put(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let body = call.json()?;
    let declare = DeclareExchange {
        vhost: vhost.to_owned(),
        name: topology::clean_name(call.param("exchange")).into_owned(),
        kind: json::text(&body, "type")?.unwrap_or("direct").to_owned(),
        durable: json::flag(&body, "durable")?,
        auto_delete: json::flag(&body, "auto_delete")?,
        internal: json::flag(&body, "internal")?,
        arguments: json::arguments(&body)?,
    };
    Ok(Reply::put(call.broker.declare_exchange(Some(&call.caller.name), declare)?))
}

/// `DELETE /api/exchanges/:vhost/:exchange`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let exchange = find(call)?;
    let delete = DeleteExchange {
        vhost: exchange.vhost,
        name: exchange.name,
        if_unused: call.query.is_true("if-unused"),
    };
    call.broker.delete_exchange(&call.caller.name, delete)?;
    Ok(Reply::no_content())
}

/// All types of exchanges, for the overview.
pub(super) fn types() -> Value {
    let shown = |kind: &topology::ExchangeType| json!({ "name": kind.name, "description": kind.description, "enabled": true });
    Value::Array(topology::EXCHANGE_TYPES.iter().map(shown).collect())
}
