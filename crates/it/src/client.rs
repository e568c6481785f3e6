//! A raw AMQP 0-9-1 client over one blocking socket: sends any bytes, reads one frame at a time.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustls::StreamOwned;

use crate::{
    grammar::{decode_header, decode_method, encode_header, encode_method, method_named},
    tls,
    words::{Words, quote},
};

/// How long an answer may take before the test calls it missing.
const PATIENCE: Duration = Duration::from_secs(8);

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;

/// What the broker sent, or that it sent no more.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A method with its content, if it has one: channel and text form.
    Method(u16, String),
    /// A heartbeat.
    Heartbeat,
    /// The eight octets with which a broker refuses a protocol header.
    ProtocolHeader([u8; 8]),
    /// A frame that is none of these: type, channel, payload.
    Other(u8, u16, Vec<u8>),
    /// The socket ended, by FIN or by RST.
    Closed,
    /// Nothing arrived before the deadline.
    Silence,
}

/// How to log in; every field has RabbitMQ's default.
#[derive(Debug, Clone)]
pub struct Login {
    /// SASL mechanism.
    pub mechanism: String,
    /// SASL response; `None` makes PLAIN's from user and password.
    pub response: Option<Vec<u8>>,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Virtual host.
    pub vhost: String,
    /// Client properties, in text form.
    pub properties: String,
    /// Message locale.
    pub locale: String,
    /// Fields of tune-ok in text form; what is missing repeats the broker's proposal.
    pub tune: Vec<(String, String)>,
}

/// The client properties of a modern client: it understands everything RabbitMQ offers.
const PROPERTIES: &str = "{capabilities={publisher_confirms=true, basic.nack=true, \
    consumer_cancel_notify=true, connection.blocked=true, authentication_failure_close=true}}";

impl Default for Login {
    fn default() -> Self {
        Self {
            mechanism: "PLAIN".to_owned(),
            response: None,
            user: "guest".to_owned(),
            password: "guest".to_owned(),
            vhost: "/".to_owned(),
            properties: PROPERTIES.to_owned(),
            locale: "en_US".to_owned(),
            tune: Vec::new(),
        }
    }
}

trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

/// One connection to a broker.
pub struct RawClient {
    stream: Box<dyn Socket>,
    /// The socket below TLS: for timeouts.
    tcp: TcpStream,
    buf: Vec<u8>,
    is_closed: bool,
}

impl RawClient {
    /// Connects, and says nothing.
    ///
    /// # Errors
    /// When the broker does not accept the connection.
    pub fn connect(address: &str) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let stream = Box::new(tcp.try_clone()?);
        Ok(Self { stream, tcp, buf: Vec::new(), is_closed: false })
    }

    /// Connects through TLS, trusting the one certificate `authority` (PEM), and says nothing.
    ///
    /// # Errors
    /// When the broker does not accept the connection or the certificate is not PEM.
    pub fn connect_tls(address: &str, authority: &str) -> io::Result<Self> {
        Self::connect_tls_as(address, authority, None)
    }

    /// As [`Self::connect_tls`], showing a certificate of one's own: it and its key (PEM).
    ///
    /// # Errors
    /// As there.
    pub fn connect_tls_as(
        address: &str,
        authority: &str,
        own: Option<(&str, &str)>,
    ) -> io::Result<Self> {
        let session = tls::session(authority, own)?;
        let plain = Self::connect(address)?;
        let stream = Box::new(StreamOwned::new(session, plain.tcp.try_clone()?));
        Ok(Self { stream, ..plain })
    }

    /// Sends bytes as they are. A broker that has closed already is not an error here: the next
    /// [`Self::receive`] tells.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// Sends one frame.
    pub fn send_frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 8);
        push_frame(&mut frame, kind, channel, payload);
        self.send_bytes(&frame);
    }

    /// Sends a method in text form, with its content if the method is `basic.publish`.
    ///
    /// # Errors
    /// When the text is not a method of the grammar.
    pub fn send(&mut self, channel: u16, text: &str) -> Result<(), String> {
        let frames = encode(channel, text)?;
        self.send_bytes(&frames);
        Ok(())
    }

    /// Reads the next method with its content, heartbeat or end, waiting no longer than RabbitMQ
    /// would ever need.
    pub fn receive(&mut self) -> Received {
        self.receive_within(PATIENCE)
    }

    /// Reads like [`Self::receive`] with a limit of one's own for the wait.
    pub fn receive_within(&mut self, limit: Duration) -> Received {
        let deadline = Instant::now() + limit;
        let (channel, mut text) = match self.receive_frame(deadline) {
            Received::Method(channel, text) => (channel, text),
            other => return other,
        };
        let name = text.split(' ').next().unwrap_or_default();
        if !matches!(name, "basic.deliver" | "basic.return" | "basic.get-ok") {
            return Received::Method(channel, text);
        }
        let Received::Other(HEADER, _, payload) = self.receive_frame(deadline) else {
            return Received::Method(channel, format!("{text} and no content header"));
        };
        let Some((size, properties)) = decode_header(&payload) else {
            return Received::Method(channel, format!("{text} and a broken content header"));
        };
        let mut body = Vec::new();
        while u64::try_from(body.len()).is_ok_and(|length| length < size) {
            let Received::Other(BODY, _, part) = self.receive_frame(deadline) else {
                return Received::Method(channel, format!("{text} and a body cut short"));
            };
            body.extend(part);
        }
        if !properties.is_empty() {
            text = format!("{text} {properties}");
        }
        Received::Method(channel, format!("{text} {}", quote(&body)))
    }

    fn receive_frame(&mut self, deadline: Instant) -> Received {
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            if self.is_closed {
                return Received::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Received::Silence;
            }
            let mut chunk = [0; 16 * 1024];
            let timeout = self.tcp.set_read_timeout(Some(left));
            match timeout.and_then(|()| self.stream.read(&mut chunk)) {
                Ok(0) => self.is_closed = true,
                Ok(count) => self.buf.extend_from_slice(&chunk[..count]),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {}
                    io::ErrorKind::Interrupted => {}
                    _ => self.is_closed = true,
                },
            }
        }
    }

    fn take_frame(&mut self) -> Option<Received> {
        if self.buf.starts_with(b"AMQP") {
            let header = self.buf.get(..8)?.try_into().ok()?;
            self.buf.drain(..8);
            return Some(Received::ProtocolHeader(header));
        }
        let head: [u8; 7] = self.buf.get(..7)?.try_into().ok()?;
        let [kind, c1, c0, l3, l2, l1, l0] = head;
        let channel = u16::from_be_bytes([c1, c0]);
        let length = usize::try_from(u32::from_be_bytes([l3, l2, l1, l0])).ok()?;
        let payload = self.buf.get(7..7 + length)?.to_vec();
        let end = *self.buf.get(7 + length)?;
        self.buf.drain(..length + 8);
        let method = decode_method(&payload);
        Some(match (kind, method) {
            (METHOD, Some(text)) if end == FRAME_END => Received::Method(channel, text),
            (HEARTBEAT, _) if channel == 0 && length == 0 && end == FRAME_END => {
                Received::Heartbeat
            }
            _ => Received::Other(kind, channel, payload),
        })
    }

    /// Sends the protocol header and takes connection.start.
    ///
    /// # Errors
    /// When something else comes.
    pub fn start(&mut self) -> Result<String, String> {
        self.send_bytes(b"AMQP\0\0\x09\x01");
        self.expect("connection.start")
    }

    /// Sends start-ok and takes connection.tune.
    ///
    /// # Errors
    /// When something else comes.
    pub fn log_in(&mut self, login: &Login) -> Result<String, String> {
        self.send(0, &start_ok(login))?;
        self.expect("connection.tune")
    }

    /// Sends tune-ok (`tune` is the broker's, in text form) and connection.open, and takes open-ok.
    ///
    /// # Errors
    /// When something else comes.
    pub fn open(&mut self, login: &Login, tune: &str) -> Result<String, String> {
        self.send(0, &tune_ok(login, tune)?)?;
        self.send(0, &format!("connection.open vhost={}", quote(login.vhost.as_bytes())))?;
        self.expect("connection.open-ok")
    }

    /// Connects to an open connection without a channel.
    ///
    /// # Errors
    /// When the broker refuses or falls silent.
    pub fn connect_open(address: &str, login: &Login) -> Result<Self, String> {
        let mut client = Self::connect(address).map_err(|error| format!("connect: {error}"))?;
        client.start()?;
        let tune = client.log_in(login)?;
        client.open(login, &tune)?;
        Ok(client)
    }

    /// Sends a method and takes its answer.
    ///
    /// # Errors
    /// When the text is not a method, or something else comes than the answer.
    pub fn call(&mut self, channel: u16, text: &str) -> Result<String, String> {
        self.send(channel, text)?;
        let name = text.split(' ').next().unwrap_or_default();
        self.expect(match name {
            "basic.get" => "basic.get-",
            "basic.publish" => "basic.ack",
            "channel.open" => "channel.open-ok",
            _ => return self.expect(&format!("{name}-ok")),
        })
    }

    /// Takes the next method, which must begin so.
    ///
    /// # Errors
    /// When something else comes.
    pub fn expect(&mut self, beginning: &str) -> Result<String, String> {
        match self.receive() {
            Received::Heartbeat => self.expect(beginning),
            Received::Method(_, text) if text.starts_with(beginning) => Ok(text),
            other => Err(format!("expected {beginning}, got {other:?}")),
        }
    }
}

/// The start-ok of a login, in text form.
#[must_use]
pub(crate) fn start_ok(login: &Login) -> String {
    let plain = || format!("\0{}\0{}", login.user, login.password).into_bytes();
    let response = login.response.clone().unwrap_or_else(plain);
    format!(
        "connection.start-ok client-properties={} mechanism={} response={} locale={}",
        login.properties,
        login.mechanism,
        quote(&response),
        login.locale
    )
}

fn tune_ok(login: &Login, tune: &str) -> Result<String, String> {
    let proposed = Words::parse(tune)?;
    let mut text = "connection.tune-ok".to_owned();
    for name in ["channel-max", "frame-max", "heartbeat"] {
        let own = login.tune.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = own.or(proposed.field(name)).unwrap_or("0");
        text.push_str(&format!(" {name}={value}"));
    }
    Ok(text)
}

fn push_frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(u32::try_from(payload.len()).expect("test frames are small").to_be_bytes());
    out.extend(payload);
    out.push(FRAME_END);
}

/// The largest body frame sent: what the default frame-max of 131,072 octets leaves.
const BODY_MAX: usize = 131_064;

/// The frames of a method in text form. `basic.publish` with a body or with properties is followed by
/// its content; `header` and `body` alone send just that frame.
fn encode(channel: u16, text: &str) -> Result<Vec<u8>, String> {
    let words = Words::parse(text)?;
    let name = words.bare.first().ok_or("an empty line")?;
    let mut out = Vec::new();
    let body = words.body.clone().unwrap_or_default();
    let properties = words.properties.clone().unwrap_or_default();
    if name == "header" {
        let size = words.field("body-size").unwrap_or("0").parse().map_err(|_| "body-size")?;
        push_frame(&mut out, HEADER, channel, &encode_header(&properties, size)?);
        return Ok(out);
    }
    if name == "body" {
        push_frame(&mut out, BODY, channel, &body);
        return Ok(out);
    }
    let method = method_named(name).ok_or_else(|| format!("no method {name}"))?;
    push_frame(&mut out, METHOD, channel, &encode_method(method, &words)?);
    if words.body.is_some() || words.properties.is_some() {
        let size = u64::try_from(body.len()).expect("a length fits");
        push_frame(&mut out, HEADER, channel, &encode_header(&properties, size)?);
        body.chunks(BODY_MAX).for_each(|part| push_frame(&mut out, BODY, channel, part));
    }
    Ok(out)
}
