//! A small HTTP/1.1 client: one request per connection, so that nothing of one shows in another.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::StreamOwned;

use crate::tls;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Asks one server in the name of one user.
#[derive(Clone, Debug)]
pub struct HttpClient {
    address: String,
    /// `user:password`
    login: Option<String>,
    /// Through TLS, if there is one: whom it trusts (PEM).
    authority: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// 200
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl HttpReply {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

impl HttpClient {
    /// Asks `address` for guest.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), login: Some("guest:guest".to_owned()), authority: None }
    }

    /// Asks for another user, `name:password`, or for nobody.
    #[must_use]
    pub fn with_login(&self, login: Option<&str>) -> Self {
        Self { login: login.map(str::to_owned), ..self.clone() }
    }

    /// Asks through TLS, trusting the one certificate `authority` (PEM) for `localhost`.
    #[must_use]
    pub fn with_tls(&self, authority: &str) -> Self {
        Self { authority: Some(authority.to_owned()), ..self.clone() }
    }

    /// `GET`
    ///
    /// # Panics
    /// As [`Self::ask`].
    #[must_use]
    pub fn get(&self, path: &str) -> HttpReply {
        self.ask("GET", path, &[], b"")
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> HttpReply {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        if let Some(login) = &self.login {
            head.push_str(&format!("authorization: Basic {}\r\n", STANDARD.encode(login)));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "PUT" || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Bytes as they are, and what comes back until the server closes.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, bytes: &[u8]) -> HttpReply {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("a timeout can be set");
        let answer = match &self.authority {
            None => exchange(stream, bytes),
            Some(authority) => {
                let session = tls::session(authority, None).expect("a certificate");
                exchange(StreamOwned::new(session, stream), bytes)
            }
        };
        parse(&String::from_utf8_lossy(&answer))
    }
}

/// Sends all, and takes what comes.
fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Vec<u8> {
    // A server that has heard enough may hang up before all is sent.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    answer
}

fn parse(answer: &str) -> HttpReply {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|it| it.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    });
    let mut reply = HttpReply { status, headers: headers.collect(), body: body.to_owned() };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = dechunked(&reply.body).unwrap_or_else(|| panic!("a body ends: {answer:?}"));
    }
    reply
}

/// What the chunks hold; nothing when the last one is missing.
fn dechunked(mut chunks: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (len, rest) = chunks.split_once("\r\n")?;
        match usize::from_str_radix(len, 16).ok()? {
            0 => return Some(body),
            len => {
                body.push_str(rest.get(..len)?);
                chunks = rest.get(len..)?.strip_prefix("\r\n")?;
            }
        }
    }
}
