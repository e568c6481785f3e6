//! The SASL mechanisms a client may choose in `connection.start-ok`. A mechanism is one entry of
//! [`MECHANISMS`].

use std::fmt;

use field_table::{FieldTable, FieldValue};

/// Who a client says it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Bytes that are not UTF-8 are replaced: no user has such a name.
    pub user: String,
    /// In clear, any bytes. Blank is always to be refused ([`crate::verify_password`] does). `None`
    /// when something else has proven who it is, so that the user only has to exist.
    pub password: Option<Vec<u8>>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A response that names nobody; the texts are sentences for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is not of the mechanism's form. RabbitMQ closes the socket after a while without a word.
    #[error("{0}")]
    Malformed(String),
    /// It is, and is refused as a wrong password is.
    #[error("{0}")]
    Refused(&'static str),
}

/// The user's name in the client's certificate, or why there is none.
pub type CertificateName = Result<String, &'static str>;

/// What a mechanism may know besides the client's response.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// Whom ANONYMOUS logs in as; `None` switches it off.
    pub anonymous: Option<&'a Anonymous>,
    /// What the client's certificate says; `None` when the connection is not encrypted.
    pub certificate: Option<&'a CertificateName>,
}

/// Who ANONYMOUS logs in as (`anonymous_login_user`, `anonymous_login_pass`).
#[derive(Clone, PartialEq, Eq)]
pub struct Anonymous {
    /// The user's name.
    pub user: String,
    /// Its password in clear.
    pub password: String,
}

impl fmt::Debug for Anonymous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anonymous").field("user", &self.user).finish_non_exhaustive()
    }
}

/// One way to log in.
#[derive(Clone, Copy, Debug)]
pub struct Mechanism {
    /// As announced in `connection.start` and in `auth_mechanisms.N`.
    pub name: &'static str,
    /// Whether it makes sense at all.
    is_possible: fn(Circumstances<'_>) -> bool,
    /// Turns the client's response into a login.
    parse: fn(&[u8], Circumstances<'_>) -> Result<Attempt, Rejection>,
}

/// In the order RabbitMQ announces them.
pub const MECHANISMS: &[Mechanism] = &[
    Mechanism { name: "ANONYMOUS", is_possible: |it| it.anonymous.is_some(), parse: anonymous },
    Mechanism { name: "PLAIN", is_possible: |_| true, parse: |response, _| plain(response) },
    Mechanism { name: "AMQPLAIN", is_possible: |_| true, parse: |response, _| amqplain(response) },
    Mechanism { name: "EXTERNAL", is_possible: |it| it.certificate.is_some(), parse: external },
];

impl Mechanism {
    /// The mechanism of that name, if it exists, is enabled and possible.
    /// Names are compared exactly, as in RabbitMQ.
    #[must_use]
    pub fn find(
        name: &[u8],
        enabled: &[String],
        circumstances: Circumstances<'_>,
    ) -> Option<&'static Self> {
        Self::offered(enabled, circumstances).find(|it| it.name.as_bytes() == name)
    }

    /// The `mechanisms` field of `connection.start`: the enabled ones that exist and are possible,
    /// in the configured order.
    #[must_use]
    pub fn announced(enabled: &[String], circumstances: Circumstances<'_>) -> String {
        let names: Vec<_> = Self::offered(enabled, circumstances).map(|it| it.name).collect();
        names.join(" ")
    }

    fn offered<'a>(
        enabled: &'a [String],
        circumstances: Circumstances<'a>,
    ) -> impl Iterator<Item = &'static Self> + 'a {
        let known = |name: &String| MECHANISMS.iter().find(|it| it.name == *name);
        enabled.iter().filter_map(known).filter(move |it| (it.is_possible)(circumstances))
    }

    /// Reads the `response` field of `connection.start-ok`.
    ///
    /// # Errors
    /// When the response names nobody.
    pub fn respond(
        &self,
        response: &[u8],
        circumstances: Circumstances<'_>,
    ) -> Result<Attempt, Rejection> {
        (self.parse)(response, circumstances)
    }
}

fn attempt(user: &[u8], password: &[u8]) -> Attempt {
    let user = String::from_utf8_lossy(user).into_owned();
    Attempt { user, password: Some(password.to_vec()) }
}

/// RFC 4505: the response is a trace for the log only.
fn anonymous(_trace: &[u8], circumstances: Circumstances<'_>) -> Result<Attempt, Rejection> {
    match circumstances.anonymous {
        Some(login) => Ok(attempt(login.user.as_bytes(), login.password.as_bytes())),
        None => Err(Rejection::Refused("there is no anonymous user")),
    }
}

/// The certificate says who it is; the response could ask to be somebody else, which RabbitMQ does
/// not look at.
fn external(_response: &[u8], circumstances: Circumstances<'_>) -> Result<Attempt, Rejection> {
    match circumstances.certificate {
        Some(Ok(user)) => Ok(Attempt { user: user.clone(), password: None }),
        Some(Err(reason)) => Err(Rejection::Refused(reason)),
        None => Err(Rejection::Refused("not a TLS-enabled connection")),
    }
}

/// RFC 4616 without an authorisation identity, which RabbitMQ refuses: NUL user NUL password.
fn plain(response: &[u8]) -> Result<Attempt, Rejection> {
    let mut parts = response.split(|byte| *byte == 0);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some([]), Some(user), Some(password), None) => Ok(attempt(user, password)),
        _ => Err(Rejection::Malformed("PLAIN response invalid".to_owned())),
    }
}

/// AMQP 0-8's own mechanism: the fields of a table with LOGIN and PASSWORD.
fn amqplain(response: &[u8]) -> Result<Attempt, Rejection> {
    let malformed = |text: &str| Rejection::Malformed(format!("AMQPLAIN auth info {text}"));
    let Ok(table) = FieldTable::decode_fields(response) else {
        return Err(malformed("is not a table"));
    };
    match (table.get("LOGIN"), table.get("PASSWORD")) {
        (Some(login), Some(password)) => match (string(login), string(password)) {
            (Some(login), Some(password)) => Ok(attempt(login, password)),
            _ => Err(malformed("uses unsupported type for LOGIN or PASSWORD field")),
        },
        _ => Err(malformed("is missing LOGIN or PASSWORD field")),
    }
}

fn string(value: &FieldValue) -> Option<&[u8]> {
    match value {
        FieldValue::Binary(bytes) => Some(bytes),
        value => value.as_long_str(),
    }
}

#[cfg(test)]
mod tests;
