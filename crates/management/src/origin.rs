//! Which pages a browser may change something for.
//!
//! A browser adds the login by itself once it has been asked for, to what pages of others send, too. It
//! says where a request comes from (<https://www.w3.org/TR/fetch-metadata/>, RFC 6454); tools say nothing.

use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Uri};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request does no more than read, or comes from a page of this server, from one of the
/// `allowed` origins, or from no page at all.
pub(crate) fn is_acceptable(method: &Method, headers: &HeaderMap, allowed: &[String]) -> bool {
    let origin = headers.get(ORIGIN);
    if method.is_safe() || origin.is_some_and(|origin| is_named(origin, allowed)) {
        return true;
    }
    match (headers.get(SEC_FETCH_SITE), origin) {
        // `none`: the user's own doing. A proxy between may have changed `host`; this it leaves alone.
        (Some(site), _) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        (None, Some(origin)) => is_host(origin, headers.get(HOST)),
        (None, None) => true,
    }
}

/// Whether an origin is among those of `management.cors.allow_origins`.
pub(crate) fn is_named(origin: &HeaderValue, allowed: &[String]) -> bool {
    allowed.iter().any(|it| it == "*" || it.as_bytes() == origin.as_bytes())
}

/// Whether host and port are the same.
fn is_host(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let host = host.and_then(|it| it.to_str().ok()).and_then(|it| it.parse::<Authority>().ok());
    let (Some(origin), Some(host)) = (origin, host) else { return false };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let is_same_port = origin.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default);
    is_same_port && origin.host().is_some_and(|it| it.eq_ignore_ascii_case(host.host()))
}

#[cfg(test)]
mod tests;
