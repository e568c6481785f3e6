//! As much of a client as a load generator needs: connect, set up, find frames.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use amqp091_codec::{
    BasicConsume, ChannelOpen, ConnectionClose, ConnectionCloseOk, ConnectionOpen,
    ConnectionStartOk, ConnectionTuneOk, Frame, HEARTBEAT, Method, Payload, ProtocolHeader, Split,
    Table, encode_method, split_frame,
};
use anyhow::{Context, bail};
use field_table::FieldTable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The one channel each connection uses.
pub(crate) const CHANNEL: u16 = 1;

/// Time a broker gets to answer `connection.close`.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// `amqp://user:password@host:port/vhost`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) vhost: String,
}

impl Target {
    pub(crate) fn parse(uri: &str) -> anyhow::Result<Self> {
        let rest = uri.strip_prefix("amqp://").context("the URI must begin with amqp://")?;
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, "%2f"));
        let (login, address) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().context("the URI's port is no number")?),
            None => (address, 5672),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            user: percent_decoded(user)?,
            password: percent_decoded(password)?,
            vhost: percent_decoded(vhost)?,
        })
    }
}

fn percent_decoded(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).context("the URI ends inside a %xx")?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits)?, 16)?);
        rest = after;
    }
    Ok(String::from_utf8(bytes)?)
}

/// A connection with one open channel, blocking: set-up needs no speed.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    consumed: usize,
    pub(crate) frame_max: u32,
}

impl Client {
    pub(crate) fn connect(target: &Target) -> anyhow::Result<Self> {
        Self::connect_with(target, 0)
    }

    /// As [`Self::connect`], with a heartbeat in seconds that the caller keeps up.
    pub(crate) fn connect_with(target: &Target, heartbeat: u16) -> anyhow::Result<Self> {
        let address = (target.host.as_str(), target.port);
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        let stream = TcpStream::connect(&addresses[..])
            .with_context(|| format!("cannot connect to {}:{}", target.host, target.port))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, received: Vec::new(), consumed: 0, frame_max: 0 };
        client.stream.write_all(&ProtocolHeader::amqp_bytes([0, 0, 9, 1]))?;
        client.expect_on(0, |method| matches!(method, Method::ConnectionStart(_)))?;
        client.log_in(target, heartbeat)?;
        Ok(client)
    }

    fn log_in(&mut self, target: &Target, heartbeat: u16) -> anyhow::Result<()> {
        let response = format!("\0{}\0{}", target.user, target.password);
        let capabilities = FieldTable::default().with("authentication_failure_close", true);
        let mut properties = Vec::new();
        FieldTable::default()
            .with("product", "leveret perf")
            .with("capabilities", capabilities)
            .encode_fields(&mut properties);
        self.send(
            0,
            &Method::from(ConnectionStartOk {
                client_properties: Table::new(&properties)?,
                mechanism: "PLAIN",
                response: response.as_bytes(),
                locale: "en_US",
            }),
        )?;
        let mut tune = (0, 0);
        self.expect_on(0, |method| match method {
            Method::ConnectionTune(it) => {
                tune = (it.channel_max, it.frame_max);
                true
            }
            _ => false,
        })?;
        self.frame_max = tune.1;
        let tune_ok = ConnectionTuneOk { channel_max: tune.0, frame_max: tune.1, heartbeat };
        self.send(0, &Method::from(tune_ok))?;
        let open = ConnectionOpen { virtual_host: &target.vhost, capabilities: "", insist: false };
        self.send(0, &Method::from(open))?;
        self.expect_on(0, |method| matches!(method, Method::ConnectionOpenOk(_)))?;
        self.send(CHANNEL, &Method::from(ChannelOpen { out_of_band: "" }))?;
        self.expect(|method| matches!(method, Method::ChannelOpenOk(_)))
    }

    /// Sends a method and waits for the answer that `is_answer` names.
    pub(crate) fn call(
        &mut self,
        method: &Method<'_>,
        is_answer: impl FnMut(&Method<'_>) -> bool,
    ) -> anyhow::Result<()> {
        self.send(CHANNEL, method)?;
        self.expect(is_answer)
    }

    /// Subscribes to the queues. Nothing is read once there may be deliveries: those belong to the
    /// load.
    pub(crate) fn consume(&mut self, queues: &[String], no_ack: bool) -> anyhow::Result<()> {
        let mut frames = Vec::new();
        let is_one = queues.len() == 1;
        for (number, queue) in queues.iter().enumerate() {
            let consumer_tag = number.to_string();
            let method = Method::from(BasicConsume {
                ticket: 0,
                queue,
                consumer_tag: &consumer_tag,
                no_local: false,
                no_ack,
                exclusive: false,
                nowait: !is_one,
                arguments: Table::EMPTY,
            });
            encode_method(CHANNEL, &method, &mut frames);
        }
        self.send_frames(&frames)?;
        match is_one {
            true => self.expect(|it| matches!(it, Method::BasicConsumeOk(_))),
            false => Ok(()),
        }
    }

    /// Sends frames as they are.
    pub(crate) fn send_frames(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(frames)?)
    }

    fn send(&mut self, channel: u16, method: &Method<'_>) -> anyhow::Result<()> {
        let mut out = Vec::new();
        encode_method(channel, method, &mut out);
        self.send_frames(&out)
    }

    fn expect(&mut self, is_answer: impl FnMut(&Method<'_>) -> bool) -> anyhow::Result<()> {
        self.expect_on(CHANNEL, is_answer)
    }

    fn expect_on(
        &mut self,
        channel: u16,
        mut is_answer: impl FnMut(&Method<'_>) -> bool,
    ) -> anyhow::Result<()> {
        loop {
            while let Split::Frame(frame) =
                split_frame(&self.received[self.consumed..], self.frame_max)?
            {
                self.consumed += frame.wire_len();
                check_for_close(&frame)?;
                if let Payload::Method(method) = frame.parse()?
                    && frame.channel == channel
                    && is_answer(&method.decode()?)
                {
                    return Ok(());
                }
            }
            self.received.drain(..self.consumed);
            self.consumed = 0;
            let mut chunk = [0; 16 * 1024];
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                bail!("the broker closed the connection");
            }
            self.received.extend_from_slice(&chunk[..read]);
        }
    }

    /// Sends a heartbeat.
    pub(crate) fn beat(&mut self) -> anyhow::Result<()> {
        self.send_frames(&HEARTBEAT)
    }

    /// Tells the broker that this was all; its answer is for [`Self::await_close`].
    pub(crate) fn begin_close(&mut self) -> anyhow::Result<()> {
        self.send_frames(&connection_close())
    }

    /// Waits until the broker agrees with the end of the connection.
    pub(crate) fn await_close(mut self) -> anyhow::Result<()> {
        self.expect_on(0, |method| matches!(method, Method::ConnectionCloseOk(_)))
    }

    /// Ends the connection.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        self.begin_close()?;
        self.await_close()
    }

    /// The socket for the load itself and what was read from it but not looked at.
    pub(crate) fn into_load(self) -> anyhow::Result<(tokio::net::TcpStream, Vec<u8>)> {
        self.stream.set_nonblocking(true)?;
        let rest = self.received[self.consumed..].to_vec();
        Ok((tokio::net::TcpStream::from_std(self.stream)?, rest))
    }
}

fn connection_close() -> Vec<u8> {
    let method = ConnectionClose { reply_code: 200, reply_text: "done", class_id: 0, method_id: 0 };
    let mut out = Vec::new();
    encode_method(0, &Method::from(method), &mut out);
    out
}

/// The last frame of a connection that its client ends.
fn connection_close_ok() -> Vec<u8> {
    let mut out = Vec::new();
    encode_method(0, &Method::from(ConnectionCloseOk {}), &mut out);
    out
}

/// Ends a connection that has carried a load, whose output ends with a whole frame. What the broker
/// still sends is read, so that nobody sees a connection reset. Its agreement is the last of it: then
/// it waits for us to close the socket.
pub(crate) async fn close_after_load(mut stream: tokio::net::TcpStream) {
    let goodbye = async {
        stream.write_all(&connection_close()).await?;
        let mut chunk = vec![0; 64 * 1024];
        let (close_ok, mut end) = (connection_close_ok(), Vec::new());
        loop {
            let read = stream.read(&mut chunk).await?;
            keep_end(&mut end, &chunk[..read], close_ok.len());
            if read == 0 || end == close_ok {
                return io::Result::Ok(());
            }
        }
    };
    // A broker that does not answer, or has gone, keeps nobody from leaving.
    drop(tokio::time::timeout(GOODBYE_MAX, goodbye).await);
}

/// Appends `bytes` to `end`, of which the last `len` bytes stay.
fn keep_end(end: &mut Vec<u8>, bytes: &[u8], len: usize) {
    end.extend_from_slice(&bytes[bytes.len().saturating_sub(len)..]);
    end.drain(..end.len().saturating_sub(len));
}

/// An error when the broker closes channel or connection.
pub(crate) fn check_for_close(frame: &Frame<'_>) -> anyhow::Result<()> {
    if let Payload::Method(method) = frame.parse()? {
        match method.decode()? {
            Method::ConnectionClose(it) => bail!("closed by the broker: {}", it.reply_text),
            Method::ChannelClose(it) => bail!("channel closed by the broker: {}", it.reply_text),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Target, connection_close_ok, keep_end};

    #[test]
    fn the_end_of_a_stream_is_found_however_it_was_cut() {
        let close_ok = connection_close_ok();
        for cut in 0..close_ok.len() {
            let mut end = Vec::new();
            for part in
                [&b"deliveries that nobody wants any more"[..], &close_ok[..cut], &close_ok[cut..]]
            {
                assert_ne!(end, close_ok);
                keep_end(&mut end, part, close_ok.len());
            }
            assert_eq!(end, close_ok);
        }
    }

    #[test]
    fn a_uri_names_user_host_and_vhost() {
        let target = Target::parse("amqp://u%40x:p@[::1]:5673/my%2fhost").expect("well-formed");
        assert_eq!(target.user, "u@x");
        assert_eq!(target.host, "::1");
        assert_eq!((target.port, target.vhost.as_str()), (5673, "my/host"));
        assert_eq!(Target::parse("amqp://localhost").expect("well-formed").vhost, "/");
        assert!(Target::parse("http://localhost").is_err());
        assert!(Target::parse("amqp://a:%4@h").is_err());
    }
}
