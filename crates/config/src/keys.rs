//! The keys that have an effect. A key is one entry in the table of its group's file; a group is
//! one line in `GROUPS`.

mod access;
mod alarms;
mod broker;
mod definitions;
mod limits;
mod listeners;
pub(crate) mod logging;
mod management;
mod prometheus;
mod statistics;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::resolved::{MANAGEMENT_PORT, MANAGEMENT_TLS_PORT, PROMETHEUS_PORT, PROMETHEUS_TLS_PORT};
use crate::{Config, ListenAddress, TlsVersion};

const GROUPS: &[&[Key]] = &[
    listeners::KEYS,
    access::KEYS,
    limits::KEYS,
    alarms::KEYS,
    broker::KEYS,
    definitions::KEYS,
    management::KEYS,
    statistics::KEYS,
    prometheus::KEYS,
];

/// Old names and the ones to use now.
pub(crate) const RENAMED: &[(&str, &str)] =
    &[("channel_max", "max_channels_per_connection"), ("connection_max", "max_connections")];

/// One key, or one family of keys.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its words; `$word` stands for any word.
    pub name: &'static str,
    /// What it does, for `leveret help config` and the documentation.
    pub about: &'static str,
    /// Reads the value; an error is a sentence about the value alone.
    pub(crate) set: fn(&mut Typed, &Entry<'_>) -> Result<(), String>,
}

/// What was typed for a key.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// What stands where the key's name has `$words`.
    pub(crate) words: Vec<&'a str>,
    /// The text after `=`, quotes and substitutions resolved.
    pub(crate) value: &'a str,
}

/// Every key that has an effect, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().chain(logging::GROUPS).copied().flatten()
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|key| key.name)
}

/// The entry for a key: one named exactly so before a family it belongs to.
pub(crate) fn find(key: &[String]) -> Option<(&'static Key, Vec<&str>)> {
    let mut family = None;
    for known in all() {
        match matches(known.name, key) {
            Some(words) if words.is_empty() => return Some((known, words)),
            Some(words) => family = family.or(Some((known, words))),
            None => {}
        }
    }
    family
}

/// The words that stand in place of `$words`, when the key fits the pattern.
pub(crate) fn matches<'a>(pattern: &str, key: &'a [String]) -> Option<Vec<&'a str>> {
    let mut words = Vec::new();
    let mut parts = pattern.split('.');
    for word in key {
        match parts.next()? {
            part if part.starts_with('$') => words.push(word.as_str()),
            part if part == word => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(words)
}

/// What a file says, before defaults and rules that look at several keys.
#[derive(Debug, Default)]
pub struct Typed {
    /// Single values, each already in its place.
    pub(crate) config: Config,
    /// `listeners.tcp = none`
    pub(crate) is_tcp_off: bool,
    /// `listeners.ssl = none`
    pub(crate) is_tls_off: bool,
    /// `listeners.tcp.NAME`, in the file's order.
    pub(crate) tcp: Vec<ListenAddress>,
    /// `listeners.ssl.NAME`, in the file's order.
    pub(crate) tls: Vec<ListenAddress>,
    /// `ssl_options.versions.N` by N.
    pub(crate) tls_versions: BTreeMap<String, TlsVersion>,
    /// `auth_mechanisms.N` by N.
    pub(crate) auth_mechanisms: BTreeMap<String, String>,
    /// `loopback_users = none`
    pub(crate) is_loopback_off: bool,
    /// `loopback_users.NAME`
    pub(crate) loopback_users: Vec<(String, bool)>,
    /// `default_user_tags.TAG`
    pub(crate) default_user_tags: Vec<(String, bool)>,
    /// `load_definitions`, `management.load_definitions`, `definitions.*`
    pub(crate) definitions: definitions::TypedDefinitions,
    /// `log.*`
    pub(crate) log: logging::TypedLog,
    /// `management.tcp.*`
    pub(crate) management_tcp: TypedAddress,
    /// `management.ssl.*`
    pub(crate) management_tls: TypedAddress,
    /// `management.sample_retention_policies.*`: section, seconds kept, seconds between two.
    pub(crate) sample_retention: Vec<(String, u32, u32)>,
    /// `prometheus.tcp.listener = none`
    pub(crate) is_prometheus_off: bool,
    /// `prometheus.tcp.*`
    pub(crate) prometheus_tcp: TypedAddress,
    /// `prometheus.ssl.*`
    pub(crate) prometheus_tls: TypedAddress,
}

/// A listener of which parts may be left to their defaults.
#[derive(Debug, Default)]
pub(crate) struct TypedAddress {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

impl TypedAddress {
    fn or_port(&self, port: u16) -> Option<ListenAddress> {
        let is_typed = self.ip.is_some() || self.port.is_some();
        is_typed.then(|| ListenAddress { ip: self.ip, port: self.port.unwrap_or(port) })
    }
}

impl Typed {
    /// What it comes to; `env` answers for environment variables.
    ///
    /// # Errors
    /// A sentence about keys that only make sense together.
    pub(crate) fn resolve(self, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, String> {
        let mut config = self.config;
        config.log = self.log.resolve(env);
        config.definitions = self.definitions.resolve()?;
        if self.is_tcp_off {
            config.listeners.tcp.clear();
        } else if !self.tcp.is_empty() {
            config.listeners.tcp = self.tcp;
        }
        if !self.is_tls_off {
            config.listeners.tls = self.tls;
        }
        config.tls.versions = self.tls_versions.into_values().collect();
        config.tls.versions.dedup();
        if !self.auth_mechanisms.is_empty() {
            config.auth.mechanisms = self.auth_mechanisms.into_values().collect();
        }
        if self.is_loopback_off {
            config.auth.loopback_users.clear();
        } else if !self.loopback_users.is_empty() {
            config.auth.loopback_users = chosen(self.loopback_users);
        }
        if !self.default_user_tags.is_empty() {
            config.default_user.tags = chosen(self.default_user_tags);
        }
        let has_pair = config.tls.certfile.is_some() && config.tls.keyfile.is_some();
        if !config.listeners.tls.is_empty() && !has_pair {
            let text = "listeners.ssl needs ssl_options.certfile and ssl_options.keyfile";
            return Err(text.to_owned());
        }
        resolve_management(&mut config, &self.management_tcp, &self.management_tls)?;
        statistics::resolve_retention(&mut config.statistics.retention, self.sample_retention)?;
        config.management.is_stats_disabled |= config.statistics.is_disabled;
        let prometheus = &mut config.prometheus;
        prometheus.tls = self.prometheus_tls.or_port(PROMETHEUS_TLS_PORT);
        // Unlike the HTTP API it stays where it is when there is one with TLS.
        let tcp = self.prometheus_tcp.or_port(PROMETHEUS_PORT).or(prometheus.tcp);
        prometheus.tcp = tcp.filter(|_| !self.is_prometheus_off);
        let own = &prometheus.tls_options;
        if prometheus.tls.is_some() && (own.certfile.is_none() || own.keyfile.is_none()) {
            let text = "prometheus.ssl needs prometheus.ssl.certfile and prometheus.ssl.keyfile";
            return Err(text.to_owned());
        }
        Ok(config)
    }
}

/// Without any listener of its own the HTTP API has the usual one; with only one for TLS, only that.
fn resolve_management(
    config: &mut Config,
    tcp: &TypedAddress,
    tls: &TypedAddress,
) -> Result<(), String> {
    let management = &mut config.management;
    management.tls = tls.or_port(MANAGEMENT_TLS_PORT);
    let usual = management.tcp.filter(|_| management.tls.is_none());
    management.tcp = tcp.or_port(MANAGEMENT_PORT).or(usual);
    let own = &management.tls_options;
    if management.tls.is_some() && (own.certfile.is_none() || own.keyfile.is_none()) {
        let text = "management.ssl needs management.ssl.certfile and management.ssl.keyfile";
        return Err(text.to_owned());
    }
    Ok(())
}

fn chosen(names: Vec<(String, bool)>) -> Vec<String> {
    names.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(name, _)| name).collect()
}
