//! Exchanges.

use operator::ExchangeInfo;
use serde_json::{Value, json};
use topology::{DeclareExchange, DeleteExchange};

use crate::call::Call;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// The user that RabbitMQ names for what it made itself.
const INTERNAL_USER: &str = "rmq-internal";

impl Row for ExchangeInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("arguments", |x| Some(json::table(&x.arguments))),
        ("auto_delete", |x| Some(x.auto_delete.into())),
        ("durable", |x| Some(x.durable.into())),
        ("internal", |x| Some(x.internal.into())),
        ("name", |x| Some(x.name.clone().into())),
        ("policy", |x| x.policy.clone().map(Value::from)),
        ("type", |x| Some(x.exchange_type.clone().into())),
        // Who declared an exchange is not kept.
        ("user_who_performed_action", |_| Some(INTERNAL_USER.into())),
        ("vhost", |x| Some(x.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.name
    }
}

/// `/api/exchanges`, `/api/exchanges/:vhost`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        call.broker.list_exchanges(&vhost, &mut |exchange| rows.push(exchange))?;
    }
    listing::list(call.query, rows)
}

pub(super) fn find(call: &Call<'_>) -> Result<ExchangeInfo, Failure> {
    let vhost = call.vhost()?;
    call.broker.exchange(vhost, call.param("exchange")).ok_or_else(Failure::no_object)
}

/// `/api/exchanges/:vhost/:exchange`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    let exchange = find(call)?;
    listing::object(call.query, &exchange)
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
