//! The HTTP API and the UI: `management.*`.

use std::net::IpAddr;
use std::time::Duration;

use super::{Entry, Key, Typed};
use crate::{
    TlsOptions, TlsVerify, TlsVersion,
    value::{boolean, integer, one_of, secret},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "management.tcp.port",
        about: "port of the HTTP API and the UI",
        set: |typed, entry| {
            typed.management_tcp.port = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "management.tcp.ip",
        about: "interface of the HTTP API and the UI",
        set: |typed, entry| {
            typed.management_tcp.ip = Some(address(entry)?);
            Ok(())
        },
    },
    Key {
        name: "management.ssl.port",
        about: "port of the HTTP API and the UI with TLS",
        set: |typed, entry| {
            typed.management_tls.port = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "management.ssl.ip",
        about: "interface of the HTTP API and the UI with TLS",
        set: |typed, entry| {
            typed.management_tls.ip = Some(address(entry)?);
            Ok(())
        },
    },
    Key {
        name: "management.ssl.cacertfile",
        about: "PEM file of the authorities that browsers' certificates are checked against",
        set: |typed, entry| {
            tls(typed).cacertfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "management.ssl.certfile",
        about: "PEM file of the HTTP API's certificate chain",
        set: |typed, entry| {
            tls(typed).certfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "management.ssl.keyfile",
        about: "PEM file of the HTTP API's private key",
        set: |typed, entry| {
            tls(typed).keyfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "management.ssl.password",
        about: "password of an encrypted private key",
        set: |typed, entry| {
            tls(typed).password = Some(secret(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "management.ssl.verify",
        about: "whether browsers' certificates are checked",
        set: |typed, entry| {
            let choices = [("verify_peer", TlsVerify::Peer), ("verify_none", TlsVerify::None)];
            tls(typed).verify = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "management.ssl.fail_if_no_peer_cert",
        about: "with verify_peer: refuse browsers without a certificate",
        set: |typed, entry| {
            tls(typed).fail_if_no_peer_cert = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.ssl.versions.$version",
        about: "an accepted protocol version: tlsv1.2 or tlsv1.3",
        set: |typed, entry| {
            let choices = [("tlsv1.2", TlsVersion::V12), ("tlsv1.3", TlsVersion::V13)];
            let version = one_of(entry.value, &choices)?;
            tls(typed).versions.push(version);
            Ok(())
        },
    },
    Key {
        name: "management.tcp.request_timeout",
        about: "milliseconds a client has to send the head of a request",
        set: request_timeout,
    },
    Key {
        name: "management.ssl.request_timeout",
        about: "as management.tcp.request_timeout; the last one holds for both",
        set: request_timeout,
    },
    Key {
        name: "management.path_prefix",
        about: "stands before all paths of the HTTP API and the UI",
        set: |typed, entry| {
            let path = entry.value.trim_matches('/');
            typed.config.management.path_prefix =
                if path.is_empty() { String::new() } else { format!("/{path}") };
            Ok(())
        },
    },
    Key {
        name: "management.http.max_body_size",
        about: "largest body of a request, bytes",
        set: |typed, entry| {
            typed.config.management.body_size_max = integer(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.http.hide_allow_header",
        about: "`true`: answers do not say which methods a path has",
        set: |typed, entry| {
            typed.config.management.is_allow_hidden = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.cors.allow_origins.$name",
        about: "an origin whose pages may use the HTTP API; `*` for all",
        set: |typed, entry| {
            typed.config.management.cors_origins.push(entry.value.to_owned());
            Ok(())
        },
    },
    Key {
        name: "management.cors.max_age",
        about: "seconds for which a browser may remember that",
        set: |typed, entry| {
            typed.config.management.cors_max_age_s = integer(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.csp.policy",
        about: "the Content-Security-Policy of all answers",
        set: |typed, entry| header(typed, "content-security-policy", entry),
    },
    Key {
        name: "management.hsts.policy",
        about: "the Strict-Transport-Security of all answers",
        set: |typed, entry| header(typed, "strict-transport-security", entry),
    },
    Key {
        name: "management.headers.content_type_options",
        about: "the X-Content-Type-Options of all answers",
        set: |typed, entry| header(typed, "x-content-type-options", entry),
    },
    Key {
        name: "management.headers.xss_protection",
        about: "the X-XSS-Protection of all answers",
        set: |typed, entry| header(typed, "x-xss-protection", entry),
    },
    Key {
        name: "management.headers.frame_options",
        about: "the X-Frame-Options of all answers",
        set: |typed, entry| header(typed, "x-frame-options", entry),
    },
    Key {
        name: "management.headers.referrer_policy",
        about: "the Referrer-Policy of all answers",
        set: |typed, entry| header(typed, "referrer-policy", entry),
    },
    Key {
        name: "management.disable_basic_auth",
        about: "`true`: user and password in the header of a request do not count",
        set: |typed, entry| {
            typed.config.management.is_basic_auth_disabled = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.disable_stats",
        about: "`true`: no statistics in the HTTP API",
        set: |typed, entry| {
            typed.config.management.is_stats_disabled = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.enable_queue_totals",
        about: "`true`: with management.disable_stats, still how many messages queues have",
        set: |typed, entry| {
            typed.config.management.has_queue_totals = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "management.login_session_timeout",
        about: "minutes until who logged in to the UI has to do so again",
        set: |typed, entry| {
            typed.config.management.login_session_timeout_min = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "management.definitions.require_json_extension",
        about: "`true`: an uploaded file of definitions has to be called .json",
        set: |typed, entry| {
            typed.config.management.requires_json_extension = boolean(entry.value)?;
            Ok(())
        },
    },
];

fn tls(typed: &mut Typed) -> &mut TlsOptions {
    &mut typed.config.management.tls_options
}

fn address(entry: &Entry<'_>) -> Result<IpAddr, String> {
    let text = entry.value;
    text.parse().map_err(|_| format!("\"{text}\" cannot be converted to a(n) IP"))
}

fn request_timeout(typed: &mut Typed, entry: &Entry<'_>) -> Result<(), String> {
    typed.config.management.request_timeout = Duration::from_millis(integer(entry.value)?);
    Ok(())
}

/// A header of every answer. What cannot stand in one is refused: it would end every answer.
fn header(typed: &mut Typed, name: &'static str, entry: &Entry<'_>) -> Result<(), String> {
    let value = entry.value;
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(format!("\"{value}\" cannot be the value of a header"));
    }
    let headers = &mut typed.config.management.headers;
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value.to_owned()));
    Ok(())
}
