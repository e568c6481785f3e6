//! A request on its way to its handler.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use operator::Management;
use serde_json::{Map, Value};
use statistics::Ranges;

use crate::figures;
use crate::reply::Failure;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
}

impl Caller {
    fn has(&self, tags: &[&str]) -> bool {
        self.tags.iter().any(|tag| tags.contains(&tag.as_str()))
    }

    pub(crate) fn is_administrator(&self) -> bool {
        self.has(&["administrator"])
    }

    /// Sees everybody's connections and all vhosts.
    pub(crate) fn is_monitor(&self) -> bool {
        self.has(&["administrator", "monitoring"])
    }

    pub(crate) fn is_policymaker(&self) -> bool {
        self.has(&["administrator", "policymaker"])
    }

    /// Without one of these tags nobody gets in.
    pub(crate) fn may_manage(&self) -> bool {
        self.has(&["administrator", "monitoring", "policymaker", "management"])
    }
}

/// What a handler gets.
pub(crate) struct Call<'a> {
    pub(crate) broker: &'a dyn Management,
    pub(crate) settings: &'a config::Management,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) peer: IpAddr,
    /// What stands in the path where the route has a `:name`.
    pub(crate) params: &'a [(&'static str, String)],
    pub(crate) query: &'a Query,
    pub(crate) caller: Caller,
    pub(crate) body: Bytes,
}

impl Call<'_> {
    /// A part of the path; the route has one of this name. `amq.default` is the default exchange.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| *key == name);
        let value = found.map_or("", |(_, value)| value.as_str());
        let is_exchange = matches!(name, "exchange" | "source" | "destination");
        if is_exchange && value == "amq.default" { "" } else { value }
    }

    /// The vhost of the path, or the one in `x-vhost`, whether it exists or not.
    pub(crate) fn named_vhost(&self) -> Option<&str> {
        named_vhost(self.params, self.headers)
    }

    /// The vhost of the path, which has to exist.
    pub(crate) fn vhost(&self) -> Result<&str, Failure> {
        let name = self.param("vhost");
        if self.broker.vhost(name).is_some() { Ok(name) } else { Err(Failure::no_object()) }
    }

    /// As [`Self::vhost`], for what is about to be made: RabbitMQ has other words then.
    pub(crate) fn vhost_to_change(&self) -> Result<&str, Failure> {
        self.vhost().map_err(|_| Failure::not_found("vhost_not_found"))
    }

    /// The vhosts whose objects are listed: the one that is named, or all that the caller sees.
    pub(crate) fn vhosts(&self) -> Result<Vec<String>, Failure> {
        let names = self.visible_vhosts();
        match self.named_vhost() {
            None => Ok(names),
            Some(name) if self.broker.vhost(name).is_none() => Err(Failure::no_object()),
            Some(name) => Ok(names.into_iter().filter(|it| it == name).collect()),
        }
    }

    /// Monitors see all vhosts that there are, others those that they may use.
    pub(crate) fn visible_vhosts(&self) -> Vec<String> {
        let all = self.broker.list_vhosts().unwrap_or_default().into_iter().map(|it| it.name);
        if self.caller.is_administrator() {
            return all.collect();
        }
        all.filter(|name| self.broker.may_enter(&self.caller.name, name)).collect()
    }

    /// Connections and what is on them belong to users: their own, and everybody's for monitors. Only
    /// administrators end others'.
    pub(crate) fn require_owner(&self, user: &str) -> Result<(), Failure> {
        let may = match *self.method {
            Method::DELETE => self.caller.is_administrator(),
            _ => self.caller.is_monitor(),
        };
        if may || self.caller.name == user {
            return Ok(());
        }
        Err(Failure::not_authorised("User not authorised to access object"))
    }

    /// Whether the user's own objects are shown, or everybody's.
    pub(crate) fn sees(&self, user: &str) -> bool {
        self.caller.is_monitor() || self.caller.name == user
    }

    pub(crate) fn has_stats(&self) -> bool {
        !(self.settings.is_stats_disabled || self.query.is_true("disable_stats"))
    }

    /// Of the samples that are asked for; see [`figures::ranges`].
    pub(crate) fn ranges(&self, is_open: bool) -> Result<Ranges, Failure> {
        figures::ranges(self.query, is_open)
    }

    pub(crate) fn has_queue_totals(&self) -> bool {
        self.settings.has_queue_totals || self.query.is_true("enable_queue_totals")
    }

    /// The body as an object; none is an empty one.
    pub(crate) fn json(&self) -> Result<Map<String, Value>, Failure> {
        object(&self.body)
    }

    /// The body, which has to have these keys.
    pub(crate) fn json_with(&self, keys: &[&str]) -> Result<Map<String, Value>, Failure> {
        let body = self.json()?;
        let missing: Vec<&str> =
            keys.iter().copied().filter(|it| !body.contains_key(*it)).collect();
        if missing.is_empty() { Ok(body) } else { Err(Failure::key_missing(&missing)) }
    }
}

/// As [`Call::named_vhost`].
pub(crate) fn named_vhost<'a>(
    params: &'a [(&'static str, String)],
    headers: &'a HeaderMap,
) -> Option<&'a str> {
    let in_path = params.iter().find(|(key, _)| *key == "vhost");
    let in_header = || headers.get("x-vhost")?.to_str().ok().filter(|it| !it.is_empty());
    in_path.map(|(_, name)| name.as_str()).or_else(in_header)
}

/// JSON that has to be an object.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    if matches!(bytes, b"" | b"null" | b"undefined") {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::String(_)) => Err(Failure::bad_request(
            "invalid payload: the request body JSON-decoded to a string. Is the input \
             doubly-JSON-encoded?",
        )),
        Ok(_) | Err(_) => Err(Failure::bad_request("not_json")),
    }
}

/// What stands behind the `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let own =
            |(key, value): (Cow<'_, str>, Cow<'_, str>)| (key.into_owned(), value.into_owned());
        Self(form_urlencoded::parse(text.as_bytes()).map(own).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }
}
