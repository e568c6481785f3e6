//! Limits of vhosts and users.

use operator::{LimitSet, Refusal};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::listing;
use crate::reply::{Answer, Failure, Reply};

pub(super) fn value(limits: &LimitSet) -> Value {
    let limits = limits.iter().map(|(name, limit)| (name.clone(), (*limit).into()));
    Value::Object(limits.collect())
}

/// Who has which limits, if any.
fn shown(call: &Call<'_>, key: &str, all: Vec<(String, LimitSet)>) -> Answer {
    let set = all.into_iter().filter(|(_, limits)| !limits.is_empty());
    let entries = set.map(|(name, limits)| json!({ key: name, "value": value(&limits) }));
    listing::value(call.query, Value::Array(entries.collect()))
}

/// `/api/vhost-limits`
pub(crate) fn of_vhosts(call: &Call<'_>) -> Answer {
    let mut all = call.broker.all_vhost_limits()?;
    let caller = &call.caller;
    all.retain(|(vhost, _)| caller.is_monitor() || call.broker.may_enter(&caller.name, vhost));
    shown(call, "vhost", all)
}

/// `/api/vhost-limits/:vhost`
pub(crate) fn of_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost()?;
    shown(call, "vhost", vec![(vhost.to_owned(), call.broker.vhost_limits(vhost)?)])
}

/// One limit as the object that commands take.
fn one(call: &Call<'_>) -> Result<Map<String, Value>, Failure> {
    let mut body = call.json_with(&["value"])?;
    let value = body.remove("value").unwrap_or_default();
    Ok(Map::from_iter([(call.param("name").to_owned(), value)]))
}

/// The limits of somebody with one of them changed: setting limits replaces all.
fn replaced(current: LimitSet, changed: Map<String, Value>) -> Map<String, Value> {
    let current = current.into_iter().map(|(name, limit)| (name, limit.into()));
    current.chain(changed).collect()
}

/// `PUT /api/vhost-limits/:vhost/:name`
pub(crate) fn set_of_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let limits = replaced(call.broker.vhost_limits(vhost)?, one(call)?);
    call.broker.set_vhost_limits(vhost, &limits).map_err(|refusal| match refusal {
        // They are a runtime parameter, and refused like one.
        Refusal::Invalid(text) => Failure::bad_request(format!("Validation failed\n\n{text}\n")),
        other => other.into(),
    })?;
    Ok(Reply::no_content())
}

/// `DELETE /api/vhost-limits/:vhost/:name`
pub(crate) fn clear_of_vhost(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    let mut limits = call.broker.vhost_limits(vhost)?;
    limits.retain(|(name, _)| name != call.param("name"));
    call.broker.clear_vhost_limits(vhost)?;
    call.broker.set_vhost_limits(vhost, &replaced(limits, Map::new()))?;
    Ok(Reply::no_content())
}

/// `/api/user-limits`
pub(crate) fn of_users(call: &Call<'_>) -> Answer {
    shown(call, "user", call.broker.all_user_limits()?)
}

/// `/api/user-limits/:user`
pub(crate) fn of_user(call: &Call<'_>) -> Answer {
    let user = call.broker.user(call.param("user")).ok_or_else(Failure::no_object)?;
    call.require_owner(&user.name)?;
    shown(call, "user", vec![(user.name, user.limits)])
}

/// `PUT /api/user-limits/:user/:name`
pub(crate) fn set_of_user(call: &Call<'_>) -> Answer {
    call.broker.set_user_limits(call.param("user"), &one(call)?)?;
    Ok(Reply::no_content())
}

/// `DELETE /api/user-limits/:user/:name`
pub(crate) fn clear_of_user(call: &Call<'_>) -> Answer {
    call.broker.clear_user_limits(call.param("user"), Some(call.param("name")))?;
    Ok(Reply::no_content())
}
