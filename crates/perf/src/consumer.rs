//! One consuming connection.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use amqp091_codec::{BasicAck, FrameKind, Split, encode_ack, split_frame};
use anyhow::bail;
use tokio::net::TcpStream;

use crate::client::{CHANNEL, check_for_close, close_after_load};
use crate::publisher::STAMP_LEN;
use crate::report::Counters;

/// Bytes read at once at most.
const READ_LEN: usize = 256 * 1024;

/// `basic.deliver`, as the first four bytes of a method frame's payload.
const BASIC_DELIVER: [u8; 4] = [0, 60, 0, 60];

/// What a consumer does.
pub(crate) struct Taste {
    pub(crate) is_autoack: bool,
    /// Acknowledge every so many, 0 once per read.
    pub(crate) multi_ack_every: u64,
    pub(crate) messages_max: u64,
    /// Bodies carry the time they were sent.
    pub(crate) is_stamped: bool,
}

pub(crate) struct Consumer {
    stream: TcpStream,
    taste: Taste,
    counters: Arc<Counters>,
    epoch: Instant,
    /// Bytes at the front of the buffer that belong to an incomplete frame.
    filled: usize,
    buffer: Vec<u8>,
    received: u64,
    acked: u64,
    last_tag: u64,
    /// The next body frame begins a body.
    is_first_body_frame: bool,
    redelivered: u64,
    latencies: Vec<u64>,
    out: Vec<u8>,
    /// Part of a frame may have been written.
    is_writing: bool,
}

impl Consumer {
    pub(crate) fn new(
        (stream, rest): (TcpStream, Vec<u8>),
        taste: Taste,
        counters: Arc<Counters>,
        epoch: Instant,
    ) -> Self {
        let mut buffer = vec![0; READ_LEN.max(rest.len())];
        buffer[..rest.len()].copy_from_slice(&rest);
        Self {
            stream,
            taste,
            counters,
            epoch,
            filled: rest.len(),
            buffer,
            received: 0,
            acked: 0,
            last_tag: 0,
            is_first_body_frame: false,
            redelivered: 0,
            latencies: Vec::new(),
            out: Vec::new(),
            is_writing: false,
        }
    }

    /// Consumes until it has had its share or the time is over.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let counters = self.counters.clone();
        tokio::select! {
            result = self.consume() => result?,
            () = counters.over() => {}
        }
        if !self.is_writing {
            close_after_load(self.stream).await;
        }
        Ok(())
    }

    async fn consume(&mut self) -> anyhow::Result<()> {
        loop {
            self.take_frames()?;
            self.acknowledge().await?;
            if self.taste.messages_max > 0 && self.received >= self.taste.messages_max {
                return Ok(());
            }
            self.stream.readable().await?;
            match self.stream.try_read(&mut self.buffer[self.filled..]) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_frames(&mut self) -> anyhow::Result<()> {
        let now = self.epoch.elapsed().as_nanos() as u64;
        let (mut consumed, before) = (0, self.received);
        let buffer = std::mem::take(&mut self.buffer);
        while let Split::Frame(frame) = split_frame(&buffer[consumed..self.filled], 0)? {
            consumed += frame.wire_len();
            if frame.kind == FrameKind::Body as u8 {
                if self.is_first_body_frame {
                    self.is_first_body_frame = false;
                    self.take_stamp(frame.payload, now);
                }
            } else if frame.kind == FrameKind::Method as u8 {
                if frame.payload.starts_with(&BASIC_DELIVER) {
                    self.take_delivery(&frame.payload[BASIC_DELIVER.len()..]);
                } else {
                    check_for_close(&frame)?;
                }
            }
        }
        self.buffer = buffer;
        self.buffer.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        if self.filled == self.buffer.len() {
            // A frame larger than the buffer.
            self.buffer.resize(self.filled * 2, 0);
        }
        self.counters.add_received(self.received - before, &self.latencies);
        self.counters.add_redelivered(std::mem::take(&mut self.redelivered));
        self.latencies.clear();
        Ok(())
    }

    fn take_delivery(&mut self, arguments: &[u8]) {
        self.received += 1;
        self.is_first_body_frame = true;
        // Consumer tag, then the delivery tag and the redelivered bit.
        let tag_len = usize::from(arguments.first().copied().unwrap_or(0));
        if let Some(rest) = arguments.get(1 + tag_len..)
            && let Some((tag, rest)) = rest.split_first_chunk::<8>()
        {
            self.last_tag = u64::from_be_bytes(*tag);
            self.redelivered += u64::from(rest.first().copied().unwrap_or(0) & 1);
        }
    }

    fn take_stamp(&mut self, body: &[u8], now: u64) {
        if self.taste.is_stamped
            && let Some(stamp) = body.first_chunk::<STAMP_LEN>()
        {
            self.latencies.push(now.saturating_sub(u64::from_le_bytes(*stamp)));
        }
    }

    async fn acknowledge(&mut self) -> anyhow::Result<()> {
        let unacked = self.received - self.acked;
        if self.taste.is_autoack || unacked == 0 || unacked < self.taste.multi_ack_every {
            return Ok(());
        }
        let ack = BasicAck { delivery_tag: self.last_tag, multiple: true };
        self.acked = self.received;
        self.out.clear();
        encode_ack(CHANNEL, &ack, &mut self.out);
        let mut at = 0;
        self.is_writing = true;
        while at < self.out.len() {
            match self.stream.try_write(&self.out[at..]) {
                Ok(written) => at += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.is_writing = false;
        Ok(())
    }
}
