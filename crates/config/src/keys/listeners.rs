//! Where clients connect: `listeners.*`, `tcp_listen_options.*`, `ssl_options.*`.

use super::Key;
use crate::{
    TlsVerify, TlsVersion,
    value::{boolean, integer, listen_address, one_of, secret},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "listeners.tcp",
        about: "`none`: no plain TCP listener",
        set: |typed, entry| {
            one_of(entry.value, &[("none", ())])?;
            typed.is_tcp_off = true;
            Ok(())
        },
    },
    Key {
        name: "listeners.tcp.$name",
        about: "a plain TCP listener: port or address:port",
        set: |typed, entry| {
            typed.tcp.push(listen_address(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "listeners.ssl",
        about: "`none`: no TLS listener",
        set: |typed, entry| {
            one_of(entry.value, &[("none", ())])?;
            typed.is_tls_off = true;
            Ok(())
        },
    },
    Key {
        name: "listeners.ssl.$name",
        about: "a TLS listener: port or address:port",
        set: |typed, entry| {
            typed.tls.push(listen_address(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "tcp_listen_options.backlog",
        about: "length of the accept queue",
        set: |typed, entry| {
            typed.config.listeners.options.backlog = integer(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "tcp_listen_options.nodelay",
        about: "send small packets at once (TCP_NODELAY)",
        set: |typed, entry| {
            typed.config.listeners.options.nodelay = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "tcp_listen_options.keepalive",
        about: "let the system probe silent clients (SO_KEEPALIVE)",
        set: |typed, entry| {
            typed.config.listeners.options.keepalive = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "tcp_listen_options.sndbuf",
        about: "the socket's send buffer, bytes",
        set: |typed, entry| {
            typed.config.listeners.options.sndbuf = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "tcp_listen_options.recbuf",
        about: "the socket's receive buffer, bytes",
        set: |typed, entry| {
            typed.config.listeners.options.recbuf = Some(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "proxy_protocol",
        about: "`true`: every connection must begin with a header of the PROXY protocol",
        set: |typed, entry| {
            typed.config.listeners.is_proxied = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_options.cacertfile",
        about: "PEM file of the authorities that clients' certificates are checked against",
        set: |typed, entry| {
            typed.config.tls.cacertfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "ssl_options.certfile",
        about: "PEM file of this server's certificate chain",
        set: |typed, entry| {
            typed.config.tls.certfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "ssl_options.keyfile",
        about: "PEM file of this server's private key",
        set: |typed, entry| {
            typed.config.tls.keyfile = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "ssl_options.password",
        about: "password of an encrypted private key",
        set: |typed, entry| {
            typed.config.tls.password = Some(secret(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "ssl_options.verify",
        about: "whether clients' certificates are checked",
        set: |typed, entry| {
            let choices = [("verify_peer", TlsVerify::Peer), ("verify_none", TlsVerify::None)];
            typed.config.tls.verify = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_options.fail_if_no_peer_cert",
        about: "with verify_peer: refuse clients without a certificate",
        set: |typed, entry| {
            typed.config.tls.fail_if_no_peer_cert = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_options.versions.$version",
        about: "an accepted protocol version: tlsv1.2 or tlsv1.3",
        set: |typed, entry| {
            let choices = [("tlsv1.2", TlsVersion::V12), ("tlsv1.3", TlsVersion::V13)];
            let version = one_of(entry.value, &choices)?;
            typed.tls_versions.insert(entry.words.concat(), version);
            Ok(())
        },
    },
];
