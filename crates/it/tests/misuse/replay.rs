//! Plays a case against a broker and writes down what happened, in the script's own words.
//!
//! `login` takes: `to=socket|start|tune|open|channel` (how far to go; `channel` unless said), `tls`,
//! `elsewhere` (from an address that is not loopback), `user` `password` `vhost` `mechanism` `response` `properties` `locale`, and `channel-max`
//! `frame-max` `heartbeat` for tune-ok. `bytes "…"` sends octets as they are, `frame TYPE CHANNEL "…"`
//! one frame, `zeros N` so many octets.

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    time::{Duration, Instant},
};

use it::{Login, RawClient, Received, Target, Words};

use crate::script::{Action, Case, Step};

/// How long nothing must come where nothing can be asked.
const QUIET: Duration = Duration::from_millis(300);

/// How long the broker's own clock may take: heartbeats and handshake limits, with room.
const CLOCK: Duration = Duration::from_secs(16);

/// The connection a case has without asking.
const OWN: &str = "";

struct Connection {
    client: RawClient,
    /// connection.open-ok was seen, so that a probe is possible.
    is_open: bool,
    /// Channel 1 is open.
    has_channel: bool,
    /// Since when the broker's clock may run against this client.
    since: Instant,
}

/// The connections of a case, and what was seen on them.
pub(crate) struct Replay<'a> {
    target: &'a Target,
    connections: BTreeMap<String, Connection>,
    /// Write down what comes instead of comparing.
    is_recording: bool,
    /// The case as it went.
    pub(crate) transcript: Vec<String>,
}

type Outcome = Result<(), String>;

impl<'a> Replay<'a> {
    pub(crate) fn new(target: &'a Target, is_recording: bool) -> Self {
        Self { target, connections: BTreeMap::new(), is_recording, transcript: Vec::new() }
    }

    /// Takes the steps before the cases.
    pub(crate) fn set_up(&mut self, steps: &[Step]) -> Outcome {
        steps
            .iter()
            .try_for_each(|step| self.take(step).map_err(|e| format!("setup: {}: {e}", step.line)))
    }

    /// Plays a case. The first thing that differs ends it.
    pub(crate) fn play(&mut self, case: &Case) -> Outcome {
        for step in &case.steps {
            if let Action::Expect(expected) = &step.action {
                self.expect(&step.connection, expected)?;
            } else {
                self.transcript.push(step.line.clone());
                self.take(step)?;
            }
        }
        let last = self.transcript.iter().rev().find(|line| !line.starts_with("ctl "));
        if last.and_then(|line| line.strip_prefix("< ")).is_some_and(is_outcome) {
            return Ok(());
        }
        if self.is_recording {
            return self.record_the_end();
        }
        Err("the case does not say how it ends".to_owned())
    }

    /// Closes what is open, so that the broker forgets this case before the next.
    pub(crate) fn close(self) {
        for (_, mut connection) in self.connections {
            if connection.is_open {
                let _ = connection.client.send(0, "connection.close reply-code=200");
                while let Received::Method(_, text) = connection.client.receive_within(QUIET * 5) {
                    if text == "connection.close-ok" {
                        break;
                    }
                }
            }
        }
    }

    fn take(&mut self, step: &Step) -> Outcome {
        let name = step.connection.as_str();
        match &step.action {
            Action::Login(words) => {
                let connection = log_in(self.target, words)?;
                self.connections.insert(name.to_owned(), connection);
                Ok(())
            }
            Action::Ctl(words) => self.run_tool(words),
            Action::Drop => {
                self.connections.remove(name);
                Ok(())
            }
            Action::Send { channel, text } => {
                let connection = self.connection(name)?;
                connection.since = Instant::now();
                connection.note_sent(*channel, text);
                send(&mut connection.client, *channel, text)
            }
            Action::Call { channel, text } => {
                let connection = self.connection(name)?;
                if text.starts_with("basic.publish") {
                    connection.client.call(*channel, "confirm.select")?;
                }
                connection.client.call(*channel, text).map(|_| ())
            }
            Action::Expect(expected) => self.expect(name, expected),
        }
    }

    fn run_tool(&self, words: &[String]) -> Outcome {
        let (tool, args) = words.split_first().ok_or("ctl needs a tool")?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = self.target.ctl(tool, &args);
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{} {}", output.status, String::from_utf8_lossy(&said)))
    }

    fn connection(&mut self, name: &str) -> Result<&mut Connection, String> {
        if !self.connections.contains_key(name) {
            let connection = log_in(self.target, &Words::default())?;
            self.connections.insert(name.to_owned(), connection);
        }
        Ok(self.connections.get_mut(name).expect("it was just put there"))
    }

    fn expect(&mut self, name: &str, expected: &str) -> Outcome {
        let recording = self.is_recording;
        let connection = self.connection(name)?;
        let actual = match expected {
            "open" => connection.probe(),
            _ if expected.starts_with("quiet") => connection.silence(expected),
            "heartbeats" => connection.heartbeats(),
            _ if expected.starts_with("dropped") => connection.drop_time(expected),
            _ => connection.next(),
        };
        let is_same = matches(expected, &actual);
        let actual = if is_same { expected } else { &actual };
        self.transcript.push(format!("{name}< {actual}"));
        if !is_same && !recording {
            return Err("differs".to_owned());
        }
        let connection = self.connection(name)?;
        if is_outcome(expected) && expected.starts_with("c") {
            connection
                .finish_close(expected)
                .inspect_err(|e| self.transcript.push(format!("{name}< {e}")))?;
        }
        Ok(())
    }

    /// Writes down what still comes on the case's own connection, and how it ends.
    fn record_the_end(&mut self) -> Outcome {
        loop {
            let connection = self.connection(OWN)?;
            let started = connection.since;
            let answer = connection.client.receive_within(QUIET * 3);
            let text = match said(&answer) {
                None if connection.is_open => connection.probe(),
                None => "quiet".to_owned(),
                Some(text) if text == "dropped" => match started.elapsed().as_secs() {
                    0 => text,
                    seconds => format!("dropped after {seconds} s"),
                },
                Some(text) => text,
            };
            let is_end = is_outcome(&text);
            self.transcript.push(format!("< {text}"));
            if is_end {
                return Ok(());
            }
        }
    }
}

impl Connection {
    fn note_sent(&mut self, channel: u16, text: &str) {
        if text.starts_with("connection.open") {
            self.is_open = true;
        }
        if channel == 1 && text.starts_with("channel.open") {
            self.has_channel = true;
        } else if channel == 1 && text.starts_with("channel.close") {
            self.has_channel = false;
        }
    }

    fn next(&mut self) -> String {
        said(&self.client.receive()).unwrap_or_else(|| "quiet".to_owned())
    }

    /// Asks for something harmless: the answer proves that the connection lives, and its place in the
    /// order that nothing else was on the way.
    fn probe(&mut self) -> String {
        let (question, answer) = if self.has_channel {
            ("basic.qos", "basic.qos-ok")
        } else {
            self.has_channel = true;
            ("channel.open", "channel.open-ok")
        };
        if let Err(error) = self.client.send(1, question) {
            return error;
        }
        let actual = self.next();
        if actual == answer { "open".to_owned() } else { actual }
    }

    /// Nothing, for a moment or, `quiet for 12 s`, for so long.
    fn silence(&mut self, expected: &str) -> String {
        let seconds = expected.split(' ').nth(2).and_then(|n| n.parse().ok());
        let answer = self.client.receive_within(seconds.map_or(QUIET, Duration::from_secs));
        said(&answer).unwrap_or_else(|| expected.to_owned())
    }

    /// At least two heartbeats and nothing else, up to the end.
    fn heartbeats(&mut self) -> String {
        for _ in 0..2 {
            let answer = self.client.receive_within(CLOCK);
            if answer != Received::Heartbeat {
                return said(&answer).unwrap_or_else(|| "quiet".to_owned());
            }
        }
        "heartbeats".to_owned()
    }

    /// Waits for the end of the socket and measures: `expected` where it agrees within a second or,
    /// for long waits, a tenth.
    fn drop_time(&mut self, expected: &str) -> String {
        let mut answer = self.client.receive_within(CLOCK);
        while answer == Received::Heartbeat {
            answer = self.client.receive_within(CLOCK);
        }
        if answer != Received::Closed {
            return said(&answer).unwrap_or_else(|| "quiet".to_owned());
        }
        let seconds = self.since.elapsed().as_secs_f64();
        let wanted: f64 = expected.split(' ').nth(2).and_then(|n| n.parse().ok()).unwrap_or(0.0);
        if (seconds - wanted).abs() <= 1.0_f64.max(wanted / 8.0) {
            return expected.to_owned();
        }
        format!("dropped after {seconds:.1} s")
    }

    /// Answers a close as a client must, and sees that the rest lives or ends as it should.
    fn finish_close(&mut self, close: &str) -> Outcome {
        if close.starts_with("channel.") {
            let _ = self.client.send(1, "channel.close-ok");
            self.has_channel = false;
            return match self.probe() {
                end if end == "open" => Ok(()),
                other => Err(other),
            };
        }
        self.is_open = false;
        let _ = self.client.send(0, "connection.close-ok");
        match self.client.receive() {
            Received::Closed => Ok(()),
            other => Err(format!("after close-ok: {other:?}")),
        }
    }
}

fn is_outcome(text: &str) -> bool {
    ["open", "quiet", "dropped"].contains(&text)
        || ["channel.close ", "connection.close ", "dropped "]
            .iter()
            .any(|end| text.starts_with(end))
}

/// An answer as a line; `None` for silence.
fn said(received: &Received) -> Option<String> {
    Some(match received {
        Received::Method(channel, text) => {
            let usual = u16::from(!text.starts_with("connection."));
            if *channel == usual { text.clone() } else { format!("{channel} {text}") }
        }
        Received::Heartbeat => "heartbeat".to_owned(),
        Received::ProtocolHeader(octets) => format!("protocol-header {}", it::quote(octets)),
        Received::Other(kind, channel, payload) => {
            format!("frame {kind} {channel} {}", it::quote(payload))
        }
        Received::Closed => "dropped".to_owned(),
        Received::Silence => return None,
    })
}

/// Whether a line is as expected, `*` standing for any text.
fn matches(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The broker's address as seen from this machine's own network address, which is not loopback.
/// Connecting a UDP socket sends nothing; it only picks the route.
fn elsewhere(address: &str) -> Result<String, String> {
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let own = own.map_err(|error| format!("this machine has no network address: {error}"))?;
    let port = address.rsplit_once(':').map_or("5672", |(_, port)| port);
    Ok(format!("{}:{port}", own.ip()))
}

fn log_in(target: &Target, words: &Words) -> Result<Connection, String> {
    let login = login(words)?;
    let stage = words.field("to").unwrap_or("channel");
    let says = |flag: &str| words.bare.iter().any(|word| word == flag);
    let client = if says("tls") {
        RawClient::connect_tls(&target.tls_address(), include_str!("tls/ca.pem"))
    } else if says("elsewhere") {
        RawClient::connect(&elsewhere(&target.address())?)
    } else {
        RawClient::connect(&target.address())
    };
    let client = client.map_err(|error| format!("connect: {error}"))?;
    let since = Instant::now();
    let mut connection = Connection { client, is_open: false, has_channel: false, since };
    let client = &mut connection.client;
    if stage == "socket" {
        return Ok(connection);
    }
    client.start()?;
    if stage != "start" {
        let tune = client.log_in(&login)?;
        if stage != "tune" {
            client.open(&login, &tune)?;
            connection.is_open = true;
        }
    }
    if stage == "channel" {
        client.call(1, "channel.open")?;
        connection.has_channel = true;
    }
    connection.since = Instant::now();
    Ok(connection)
}

fn login(words: &Words) -> Result<Login, String> {
    let mut login = Login { vhost: "err".to_owned(), ..Login::default() };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned());
    for (name, value) in &words.fields {
        let unquoted = words.text(name)?.unwrap_or_default();
        match name.as_str() {
            "user" => login.user = text(unquoted)?,
            "password" => login.password = text(unquoted)?,
            "vhost" => login.vhost = text(unquoted)?,
            "mechanism" => login.mechanism = text(unquoted)?,
            "response" => login.response = Some(unquoted),
            "properties" => login.properties = value.clone(),
            "locale" => login.locale = text(unquoted)?,
            "channel-max" | "frame-max" | "heartbeat" => {
                login.tune.push((name.clone(), value.clone()))
            }
            "to" => {}
            _ => return Err(format!("login has no field {name}")),
        }
    }
    Ok(login)
}

fn send(client: &mut RawClient, channel: u16, text: &str) -> Outcome {
    let words = Words::parse(text)?;
    let number = |at: usize| words.bare.get(at).and_then(|word| word.parse().ok());
    match words.bare.first().map(String::as_str) {
        Some("bytes") => client.send_bytes(&words.body.unwrap_or_default()),
        Some("zeros") => client.send_bytes(&vec![0; number(1).ok_or("zeros N")?]),
        Some("frame") => {
            let kind = number(1).and_then(|n| u8::try_from(n).ok()).ok_or("frame TYPE CHANNEL")?;
            let on = number(2).and_then(|n| u16::try_from(n).ok()).ok_or("frame TYPE CHANNEL")?;
            client.send_frame(kind, on, &words.body.unwrap_or_default());
        }
        _ => return client.send(channel, text),
    }
    Ok(())
}
