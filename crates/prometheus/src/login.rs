//! Who asks, where metrics are not for everybody.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use operator::Metrics;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No name and password.
    Anonymous,
    /// Something that nobody can read.
    Malformed,
    /// These may not.
    Refused(&'static str),
}

/// Reads name and password.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<(String, String), Denied> {
    let value = headers.get(AUTHORIZATION).ok_or(Denied::Anonymous)?;
    let (scheme, token) =
        value.to_str().ok().and_then(|it| it.split_once(' ')).ok_or(Denied::Malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Denied::Malformed);
    }
    let text = STANDARD.decode(token.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (user, password) =
        text.as_deref().and_then(|it| it.split_once(':')).ok_or(Denied::Malformed)?;
    Ok((user.to_owned(), password.to_owned()))
}

/// Whether they may see metrics. Blocks: passwords are hashed.
pub(crate) fn check(
    broker: &dyn Metrics,
    peer: IpAddr,
    (user, password): &(String, String),
) -> Result<(), Denied> {
    broker.check_monitor(peer, user, password).map_err(Denied::Refused)
}
