//! Who may log in: `default_user` and its kin, `loopback_users`, `auth_mechanisms`, ANONYMOUS.

use super::Key;
use crate::{
    CertLoginFrom, SanType,
    value::{boolean, integer, one_of, secret},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "default_user",
        about: "user created on the first start",
        set: |typed, entry| {
            typed.config.default_user.name = entry.value.to_owned();
            Ok(())
        },
    },
    Key {
        name: "default_pass",
        about: "that user's password",
        set: |typed, entry| {
            typed.config.default_user.password = secret(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "default_vhost",
        about: "vhost created on the first start",
        set: |typed, entry| {
            typed.config.default_user.vhost = entry.value.to_owned();
            Ok(())
        },
    },
    Key {
        name: "default_permissions.configure",
        about: "what the first user may declare and delete (pattern)",
        set: |typed, entry| {
            typed.config.default_user.configure = entry.value.to_owned();
            Ok(())
        },
    },
    Key {
        name: "default_permissions.write",
        about: "what the first user may publish to (pattern)",
        set: |typed, entry| {
            typed.config.default_user.write = entry.value.to_owned();
            Ok(())
        },
    },
    Key {
        name: "default_permissions.read",
        about: "what the first user may consume from (pattern)",
        set: |typed, entry| {
            typed.config.default_user.read = entry.value.to_owned();
            Ok(())
        },
    },
    Key {
        name: "default_user_tags.$tag",
        about: "`true`: the first user has this tag",
        set: |typed, entry| {
            typed.default_user_tags.push((entry.words.concat(), boolean(entry.value)?));
            Ok(())
        },
    },
    Key {
        name: "loopback_users",
        about: "`none`: every user may log in from other machines",
        set: |typed, entry| {
            one_of(entry.value, &[("none", ())])?;
            typed.is_loopback_off = true;
            Ok(())
        },
    },
    Key {
        name: "loopback_users.$user",
        about: "`true`: this user may log in from this machine only",
        set: |typed, entry| {
            // Any other word than `true` lifts the restriction, as in RabbitMQ.
            typed.loopback_users.push((entry.words.concat(), entry.value == "true"));
            Ok(())
        },
    },
    Key {
        name: "auth_mechanisms.$name",
        about: "a SASL mechanism to offer; numbered keys give the order",
        set: |typed, entry| {
            typed.auth_mechanisms.insert(entry.words.concat(), entry.value.to_owned());
            Ok(())
        },
    },
    Key {
        name: "anonymous_login_user",
        about: "user that ANONYMOUS logs in as; `none` switches it off",
        set: |typed, entry| {
            let user = entry.value;
            typed.config.auth.anonymous_login_user = (user != "none").then(|| user.to_owned());
            Ok(())
        },
    },
    Key {
        name: "anonymous_login_pass",
        about: "that user's password",
        set: |typed, entry| {
            typed.config.auth.anonymous_login_pass = secret(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_cert_login_from",
        about: "where EXTERNAL finds the user's name in a client's certificate",
        set: |typed, entry| {
            let choices = [
                ("distinguished_name", CertLoginFrom::DistinguishedName),
                ("common_name", CertLoginFrom::CommonName),
                ("subject_alternative_name", CertLoginFrom::SubjectAlternativeName),
                ("subject_alt_name", CertLoginFrom::SubjectAlternativeName),
            ];
            typed.config.auth.cert_login_from = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_cert_login_san_type",
        about: "the kind of alternative name it is",
        set: |typed, entry| {
            let choices = [
                ("dns", SanType::Dns),
                ("ip", SanType::Ip),
                ("email", SanType::Email),
                ("uri", SanType::Uri),
                ("other_name", SanType::OtherName),
            ];
            typed.config.auth.cert_login_san_type = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_cert_login_san_index",
        about: "which of those it is, the first being 0",
        set: |typed, entry| {
            typed.config.auth.cert_login_san_index = integer(entry.value)?;
            Ok(())
        },
    },
];
