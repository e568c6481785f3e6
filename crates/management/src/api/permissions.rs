//! Permissions and topic permissions.

use operator::{PermissionInfo, Refusal, TopicPermissionInfo};
use serde_json::{Value, json};

use super::users;
use crate::call::Call;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

impl Row for PermissionInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("configure", |p| Some(p.configure.clone().into())),
        ("read", |p| Some(p.read.clone().into())),
        ("user", |p| Some(p.user.clone().into())),
        ("vhost", |p| Some(p.vhost.clone().into())),
        ("write", |p| Some(p.write.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.user
    }
}

impl Row for TopicPermissionInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("exchange", |p| Some(p.exchange.clone().into())),
        ("read", |p| Some(p.read.clone().into())),
        ("user", |p| Some(p.user.clone().into())),
        ("vhost", |p| Some(p.vhost.clone().into())),
        ("write", |p| Some(p.write.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.user
    }
}

/// Everybody's, by vhost and user.
pub(super) fn all(call: &Call<'_>) -> Result<Vec<PermissionInfo>, Failure> {
    let mut rows = Vec::new();
    for vhost in call.broker.list_vhosts()? {
        rows.extend(call.broker.list_permissions(&vhost.name)?);
    }
    Ok(rows)
}

/// As [`all`], for topics.
pub(super) fn all_topics(call: &Call<'_>) -> Result<Vec<TopicPermissionInfo>, Failure> {
    let mut rows = Vec::new();
    for vhost in call.broker.list_vhosts()? {
        rows.extend(call.broker.list_topic_permissions(&vhost.name)?);
    }
    Ok(rows)
}

/// `/api/permissions`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    listing::list(call.query, all(call)?)
}

/// `/api/vhosts/:vhost/permissions`
pub(crate) fn of_vhost(call: &Call<'_>) -> Answer {
    listing::list(call.query, call.broker.list_permissions(call.vhost()?)?)
}

/// `/api/users/:user/permissions`
pub(crate) fn of_user(call: &Call<'_>) -> Answer {
    listing::list(call.query, call.broker.list_user_permissions(&users::find(call)?.name)?)
}

fn find(call: &Call<'_>) -> Result<PermissionInfo, Failure> {
    let user = users::find(call)?;
    let vhost = call.vhost()?;
    let rows = call.broker.list_user_permissions(&user.name)?;
    rows.into_iter().find(|it| it.vhost == vhost).ok_or_else(Failure::no_object)
}

/// `/api/permissions/:vhost/:user`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find(call)?)
}

/// Vhost and user have to exist before anything is set for them.
fn check_exist(call: &Call<'_>) -> Result<(), Failure> {
    if call.vhost().is_ok() && users::find(call).is_ok() {
        return Ok(());
    }
    Err(Failure::bad_request("vhost_or_user_not_found"))
}

fn pattern(body: &serde_json::Map<String, Value>, key: &str) -> Result<String, Failure> {
    Ok(json::text(body, key)?.unwrap_or_default().to_owned())
}

/// `PUT /api/permissions/:vhost/:user`
pub(crate) fn put(call: &Call<'_>) -> Answer {
    check_exist(call)?;
    let body = call.json_with(&["configure", "write", "read"])?;
    let permission = PermissionInfo {
        user: call.param("user").to_owned(),
        vhost: call.param("vhost").to_owned(),
        configure: pattern(&body, "configure")?,
        write: pattern(&body, "write")?,
        read: pattern(&body, "read")?,
    };
    let is_new = find(call).is_err();
    call.broker.set_permissions(&permission).map_err(|refusal| match refusal {
        // Where RabbitMQ shows the pattern as the list that Erlang's strings are.
        Refusal::InvalidRegex { pattern, reason, position } => {
            let codes = |text: &str| text.chars().map(u32::from).collect::<Vec<_>>();
            let reason = json!([codes(&reason), position]);
            Failure::bad_request(json!(["invalid_regexp", codes(&pattern), reason]))
        }
        other => other.into(),
    })?;
    Ok(Reply::put(is_new))
}

/// `DELETE /api/permissions/:vhost/:user`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let permission = find(call)?;
    call.broker.clear_permissions(&permission.vhost, &permission.user)?;
    Ok(Reply::no_content())
}

/// `/api/topic-permissions`
pub(crate) fn list_topics(call: &Call<'_>) -> Answer {
    listing::list(call.query, all_topics(call)?)
}

/// `/api/vhosts/:vhost/topic-permissions`
pub(crate) fn topics_of_vhost(call: &Call<'_>) -> Answer {
    listing::list(call.query, call.broker.list_topic_permissions(call.vhost()?)?)
}

/// `/api/users/:user/topic-permissions`
pub(crate) fn topics_of_user(call: &Call<'_>) -> Answer {
    let user = users::find(call)?;
    listing::list(call.query, call.broker.list_user_topic_permissions(&user.name)?)
}

/// Those of a user in a vhost, all or those on the exchange of the path.
fn topics(call: &Call<'_>) -> Result<Vec<TopicPermissionInfo>, Failure> {
    let user = users::find(call)?;
    let vhost = call.vhost()?;
    let exchange = call.params.iter().any(|(key, _)| *key == "exchange");
    let exchange = exchange.then(|| call.param("exchange"));
    let mut rows = call.broker.list_user_topic_permissions(&user.name)?;
    rows.retain(|it| it.vhost == vhost && exchange.is_none_or(|name| it.exchange == name));
    if rows.is_empty() { Err(Failure::no_object()) } else { Ok(rows) }
}

/// `/api/topic-permissions/:vhost/:user`, `/api/topic-permissions/:vhost/:user/:exchange`
pub(crate) fn get_topics(call: &Call<'_>) -> Answer {
    listing::list(call.query, topics(call)?)
}

/// `PUT /api/topic-permissions/:vhost/:user`
pub(crate) fn put_topic(call: &Call<'_>) -> Answer {
    check_exist(call)?;
    let body = call.json_with(&["exchange", "write", "read"])?;
    let permission = TopicPermissionInfo {
        user: call.param("user").to_owned(),
        vhost: call.param("vhost").to_owned(),
        exchange: pattern(&body, "exchange")?,
        write: pattern(&body, "write")?,
        read: pattern(&body, "read")?,
    };
    let is_new = topics(call).is_err();
    call.broker.set_topic_permissions(&permission)?;
    Ok(Reply::put(is_new))
}

/// `DELETE /api/topic-permissions/:vhost/:user`, `DELETE .../:exchange`
pub(crate) fn delete_topics(call: &Call<'_>) -> Answer {
    for permission in topics(call)? {
        let TopicPermissionInfo { vhost, user, exchange, .. } = &permission;
        call.broker.clear_topic_permissions(vhost, user, Some(exchange))?;
    }
    Ok(Reply::no_content())
}
