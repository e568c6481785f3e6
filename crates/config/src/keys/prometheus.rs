//! Metrics for Prometheus: `prometheus.*`.

use std::net::IpAddr;
use std::time::Duration;

use super::{Entry, Key, Typed};
use crate::{
    ListenAddress, TlsOptions, TlsVerify, TlsVersion,
    value::{boolean, integer, limit, listen_address, one_of, secret},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "prometheus.tcp.listener",
        about: "where metrics are: address:port, or `none`",
        set: |typed, entry| {
            typed.is_prometheus_off = entry.value == "none";
            if !typed.is_prometheus_off {
                let ListenAddress { ip, port } = listen_address(entry.value)?;
                typed.prometheus_tcp.ip = ip;
                typed.prometheus_tcp.port = Some(port);
            }
            Ok(())
        },
    },
    Key {
        name: "prometheus.tcp.port",
        about: "port of the metrics",
        set: |typed, entry| {
            typed.prometheus_tcp.port = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "prometheus.tcp.ip",
        about: "interface of the metrics",
        set: |typed, entry| {
            typed.prometheus_tcp.ip = Some(address(entry)?);
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.port",
        about: "port of the metrics with TLS",
        set: |typed, entry| {
            typed.prometheus_tls.port = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.ip",
        about: "interface of the metrics with TLS",
        set: |typed, entry| {
            typed.prometheus_tls.ip = Some(address(entry)?);
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.cacertfile",
        about: "PEM file of the authorities that scrapers' certificates are checked against",
        set: |typed, entry| {
            tls(typed).cacertfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.certfile",
        about: "PEM file of the metrics' certificate chain",
        set: |typed, entry| {
            tls(typed).certfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.keyfile",
        about: "PEM file of the metrics' private key",
        set: |typed, entry| {
            tls(typed).keyfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.password",
        about: "password of an encrypted private key",
        set: |typed, entry| {
            tls(typed).password = Some(secret(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.verify",
        about: "whether scrapers' certificates are checked",
        set: |typed, entry| {
            let choices = [("verify_peer", TlsVerify::Peer), ("verify_none", TlsVerify::None)];
            tls(typed).verify = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.fail_if_no_peer_cert",
        about: "with verify_peer: refuse scrapers without a certificate",
        set: |typed, entry| {
            tls(typed).fail_if_no_peer_cert = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "prometheus.ssl.versions.$version",
        about: "an accepted protocol version: tlsv1.2 or tlsv1.3",
        set: |typed, entry| {
            let choices = [("tlsv1.2", TlsVersion::V12), ("tlsv1.3", TlsVersion::V13)];
            let version = one_of(entry.value, &choices)?;
            tls(typed).versions.push(version);
            Ok(())
        },
    },
    Key {
        name: "prometheus.tcp.max_connections",
        about: "connections of scrapers at a time",
        set: connections_max,
    },
    Key {
        name: "prometheus.ssl.max_connections",
        about: "as prometheus.tcp.max_connections; the last one holds for both",
        set: connections_max,
    },
    Key {
        name: "prometheus.tcp.compress",
        about: "`false`: no gzip, whatever the scraper takes",
        set: compress,
    },
    Key {
        name: "prometheus.ssl.compress",
        about: "as prometheus.tcp.compress; the last one holds for both",
        set: compress,
    },
    Key {
        name: "prometheus.tcp.request_timeout",
        about: "milliseconds a scraper has to send the head of a request",
        set: request_timeout,
    },
    Key {
        name: "prometheus.ssl.request_timeout",
        about: "as prometheus.tcp.request_timeout; the last one holds for both",
        set: request_timeout,
    },
    Key {
        name: "prometheus.path",
        about: "where the metrics are on that port",
        set: |typed, entry| {
            typed.config.prometheus.path = format!("/{}", entry.value.trim_matches('/'));
            Ok(())
        },
    },
    Key {
        name: "prometheus.return_per_object_metrics",
        about: "`true`: /metrics answers like /metrics/per-object",
        set: |typed, entry| {
            typed.config.prometheus.is_per_object = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "prometheus.authentication.enabled",
        about: "`true`: only users with the tag monitoring or administrator see metrics",
        set: |typed, entry| {
            typed.config.prometheus.is_login_needed = boolean(entry.value)?;
            Ok(())
        },
    },
];

fn tls(typed: &mut Typed) -> &mut TlsOptions {
    &mut typed.config.prometheus.tls_options
}

fn address(entry: &Entry<'_>) -> Result<IpAddr, String> {
    let text = entry.value;
    text.parse().map_err(|_| format!("\"{text}\" cannot be converted to a(n) IP"))
}

fn connections_max(typed: &mut Typed, entry: &Entry<'_>) -> Result<(), String> {
    let max = limit(entry.value)?;
    typed.config.prometheus.connections_max =
        Some(max.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(usize::MAX)));
    Ok(())
}

fn compress(typed: &mut Typed, entry: &Entry<'_>) -> Result<(), String> {
    typed.config.prometheus.is_compressed = boolean(entry.value)?;
    Ok(())
}

fn request_timeout(typed: &mut Typed, entry: &Entry<'_>) -> Result<(), String> {
    typed.config.prometheus.request_timeout = Duration::from_millis(integer(entry.value)?);
    Ok(())
}
