//! The SASL mechanisms a client may choose in `connection.start-ok`. A mechanism is one entry of
//! [`MECHANISMS`].

use std::fmt;

use field_table::{FieldTable, FieldValue};

/// A name and a password to be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Bytes that are not UTF-8 are replaced: no user has such a name.
    pub user: String,
    /// In clear, any bytes. Blank is always to be refused ([`crate::verify_password`] does).
    pub password: Vec<u8>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A response that is no login at all. RabbitMQ closes the socket after a while without a word;
/// the text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Malformed {
    /// One sentence.
    pub text: String,
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
    /// Turns the client's response into a login.
    parse: fn(&[u8], Option<&Anonymous>) -> Result<Attempt, Malformed>,
}

/// In the order RabbitMQ announces them.
pub const MECHANISMS: &[Mechanism] = &[
    Mechanism { name: "ANONYMOUS", parse: anonymous },
    Mechanism { name: "PLAIN", parse: |response, _| plain(response) },
    Mechanism { name: "AMQPLAIN", parse: |response, _| amqplain(response) },
];

impl Mechanism {
    /// The mechanism of that name, if it exists and is enabled.
    /// Names are compared exactly, as in RabbitMQ.
    #[must_use]
    pub fn find(name: &[u8], enabled: &[String]) -> Option<&'static Self> {
        let is_enabled = enabled.iter().any(|enabled| enabled.as_bytes() == name);
        MECHANISMS.iter().find(|mechanism| mechanism.name.as_bytes() == name && is_enabled)
    }

    /// The `mechanisms` field of `connection.start`: the enabled ones that exist, in the
    /// configured order; ANONYMOUS only when there is a user for it.
    #[must_use]
    pub fn announced(enabled: &[String], anonymous: Option<&Anonymous>) -> String {
        let exists = |name: &&str| MECHANISMS.iter().any(|mechanism| mechanism.name == *name);
        let names: Vec<&str> = enabled
            .iter()
            .map(String::as_str)
            .filter(exists)
            .filter(|name| *name != "ANONYMOUS" || anonymous.is_some())
            .collect();
        names.join(" ")
    }

    /// Reads the `response` field of `connection.start-ok`.
    ///
    /// # Errors
    /// [`Malformed`] when the response is not of this mechanism's form.
    pub fn respond(
        &self,
        response: &[u8],
        anonymous: Option<&Anonymous>,
    ) -> Result<Attempt, Malformed> {
        (self.parse)(response, anonymous)
    }
}

fn attempt(user: &[u8], password: &[u8]) -> Attempt {
    Attempt { user: String::from_utf8_lossy(user).into_owned(), password: password.to_vec() }
}

/// RFC 4505: the response is a trace for the log only.
fn anonymous(_trace: &[u8], anonymous: Option<&Anonymous>) -> Result<Attempt, Malformed> {
    match anonymous {
        Some(login) => Ok(attempt(login.user.as_bytes(), login.password.as_bytes())),
        None => Err(Malformed { text: "there is no anonymous user".to_owned() }),
    }
}

/// RFC 4616 without an authorisation identity, which RabbitMQ refuses: NUL user NUL password.
fn plain(response: &[u8]) -> Result<Attempt, Malformed> {
    let mut parts = response.split(|byte| *byte == 0);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some([]), Some(user), Some(password), None) => Ok(attempt(user, password)),
        _ => Err(Malformed { text: "PLAIN response invalid".to_owned() }),
    }
}

/// AMQP 0-8's own mechanism: the fields of a table with LOGIN and PASSWORD.
fn amqplain(response: &[u8]) -> Result<Attempt, Malformed> {
    let malformed = |text: &str| Malformed { text: format!("AMQPLAIN auth info {text}") };
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
