//! Keys that do nothing here and that a broker must not start without: who set them counts on fewer
//! people getting in, or on users and queues being there.

use crate::keys;

/// Deepest chain of certificates that is verified; a smaller `depth` would have to act.
const CHAIN_DEPTH_MAX: u32 = 6;

/// One such key.
struct Guard {
    /// As in `known-keys.txt`.
    name: &'static str,
    /// Values that ask for nothing but what happens anyway.
    is_harmless: fn(&str) -> bool,
    /// What there is instead.
    instead: &'static str,
}

const GUARDS: &[Guard] = &[
    Guard { name: "auth_backends.$num", is_harmless: is_internal, instead: ONLY_INTERNAL },
    Guard { name: "auth_backends.$num.authn", is_harmless: is_internal, instead: ONLY_INTERNAL },
    Guard { name: "auth_backends.$num.authz", is_harmless: is_internal, instead: ONLY_INTERNAL },
    Guard {
        name: "credential_validator.validation_backend",
        is_harmless: |value| value == "rabbit_credential_validator_accept_everything",
        instead: "every password is accepted",
    },
    Guard { name: "default_limits.vhosts.$id.max_connections", ..NO_DEFAULT_LIMITS },
    Guard { name: "default_limits.vhosts.$id.max_queues", ..NO_DEFAULT_LIMITS },
    Guard {
        name: "default_users.$name.password",
        is_harmless: never,
        instead: "only default_user is created",
    },
    Guard {
        name: "definitions.https.url",
        is_harmless: never,
        instead: "definitions are imported from files",
    },
    Guard {
        name: "ssl_options.ciphers.$cipher",
        is_harmless: never,
        instead: "the cipher suites are those of rustls, none of which is weak",
    },
    Guard {
        name: "ssl_options.crl_check",
        is_harmless: |value| value == "false",
        instead: "revoked certificates are not recognized",
    },
    Guard {
        name: "ssl_options.depth",
        is_harmless: |value| value.parse::<u32>().is_ok_and(|depth| CHAIN_DEPTH_MAX <= depth),
        instead: "chains of up to 6 intermediate certificates are accepted",
    },
];

const ONLY_INTERNAL: &str = "users are only those kept by the broker itself (internal)";

const NO_DEFAULT_LIMITS: Guard = Guard {
    name: "",
    is_harmless: never,
    instead: "limits are set per virtual host, with rabbitmqctl set_vhost_limits",
};

fn never(_: &str) -> bool {
    false
}

fn is_internal(backend: &str) -> bool {
    backend == "internal" || backend == "rabbit_auth_backend_internal"
}

/// Why a broker must not start with this value of a key that does nothing, if it must not.
pub(crate) fn check(key: &[String], value: &str) -> Result<(), String> {
    let guard = GUARDS.iter().find(|guard| keys::matches(guard.name, key).is_some());
    match guard {
        Some(guard) if !(guard.is_harmless)(value) => {
            let name = key.join(".");
            Err(format!("{name} = {value} is not supported: {}", guard.instead))
        }
        _ => Ok(()),
    }
}
