//! Who a request comes from, and whether he may.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use operator::Management;
use tracing::warn;

use crate::call::Caller;
use crate::reply::Failure;
use crate::route::Access;

/// Characters of a name that is logged before anybody knows whose it is.
const LOGGED_NAME_LEN_MAX: usize = 255;

/// What a request says of its user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// Something that nobody can read.
    Malformed,
    /// Something else than a password.
    Foreign,
    /// Name and password.
    Basic(String, String),
}

/// Reads the header `authorization`: the only way in. A browser adds it to what pages of others send,
/// too; [`crate::origin`] keeps those out.
pub(crate) fn credentials(headers: &HeaderMap) -> Credentials {
    let Some(value) = headers.get(AUTHORIZATION) else { return Credentials::None };
    let Ok(value) = value.to_str() else { return Credentials::Malformed };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("basic") => basic(token.trim()),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("bearer") => Credentials::Foreign,
        _ => Credentials::Malformed,
    }
}

fn basic(token: &str) -> Credentials {
    let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.split_once(':')) {
        Some((user, password)) => Credentials::Basic(user.to_owned(), password.to_owned()),
        None => Credentials::Malformed,
    }
}

/// The user of this name and password. The attempt counts.
pub(crate) fn log_in(
    broker: &dyn Management,
    peer: IpAddr,
    user: &str,
    password: &str,
) -> Result<Caller, Failure> {
    let caller = find_caller(broker, peer, user, password);
    broker.note_http_login(peer, user, caller.is_ok());
    caller
}

fn find_caller(
    broker: &dyn Management,
    peer: IpAddr,
    user: &str,
    password: &str,
) -> Result<Caller, Failure> {
    if broker.authenticate_user(user, password).is_err() {
        warn!("HTTP access denied: user '{}' - invalid credentials", logged_name(user));
        return Err(Failure::bad_credentials());
    }
    let denied = |reason: &str| {
        warn!("HTTP access denied: user '{user}' - {reason}");
        Failure::not_authorised(reason)
    };
    if broker.is_loopback_only(user) && !peer.to_canonical().is_loopback() {
        return Err(denied("User can only log in via localhost"));
    }
    // Whoever is deleted this very moment has no tags.
    let tags = broker.user(user).map(|it| it.tags).unwrap_or_default();
    let caller = Caller { name: user.to_owned(), tags };
    if caller.may_manage() { Ok(caller) } else { Err(denied("Not management user")) }
}

/// A name that anybody may have sent, as part of one line of the log.
fn logged_name(user: &str) -> String {
    user.chars().take(LOGGED_NAME_LEN_MAX).flat_map(char::escape_debug).collect()
}

/// Refuses whoever may not. `vhost` is the one that the request names, be there one or not.
pub(crate) fn check(
    broker: &dyn Management,
    access: Access,
    caller: &Caller,
    vhost: Option<&str>,
) -> Result<(), Failure> {
    let require = |may: bool, reason: &str| {
        if may {
            return Ok(());
        }
        warn!("HTTP access denied: user '{}' - {reason}", caller.name);
        Err(Failure::not_authorised(reason))
    };
    // What does not exist is found missing later.
    let is_hidden = || {
        let existing = vhost.filter(|name| broker.vhost(name).is_some());
        existing.is_some_and(|name| !broker.may_enter(&caller.name, name))
    };
    match access {
        Access::Open | Access::Management => Ok(()),
        Access::Monitoring => require(caller.is_monitor(), "Not monitor user"),
        Access::Administrator => require(caller.is_administrator(), "Not administrator user"),
        Access::GlobalParameters => {
            require(caller.is_policymaker(), "User not authorised to access object")
        }
        Access::Policies => {
            require(caller.is_policymaker(), "User not authorised to access object")?;
            hide(!caller.is_administrator() && is_hidden())
        }
        Access::Vhost => hide(!caller.is_administrator() && is_hidden()),
        Access::VhostVisible => hide(!caller.is_monitor() && is_hidden()),
    }
}

fn hide(is_hidden: bool) -> Result<(), Failure> {
    if is_hidden { Err(Failure::not_found("Not Found")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
