//! One publishing connection.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amqp091_codec::{
    BasicProperties, BasicPublish, Method, Payload, ShortBytes, Split, encode_publish, split_frame,
};
use anyhow::bail;
use field_table::ShortStr;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::client::{CHANNEL, check_for_close, close_after_load};
use crate::report::Counters;

/// Bodies below this cannot carry a time.
pub(crate) const STAMP_LEN: usize = 8;

/// Messages sent between two looks at the clock of a rate.
const RATE_TICK: Duration = Duration::from_millis(1);

/// Bytes of confirms read at once.
const CHUNK_LEN: usize = 16 * 1024;

/// What a producer sends.
pub(crate) struct Load {
    pub(crate) exchange: String,
    pub(crate) routing_keys: Vec<String>,
    /// Messages in a row with the same routing key.
    pub(crate) routing_key_run: u64,
    /// Between which times to live messages are published, in milliseconds.
    pub(crate) expirations: Option<RangeInclusive<u64>>,
    pub(crate) size: usize,
    pub(crate) is_persistent: bool,
    pub(crate) is_mandatory: bool,
    pub(crate) messages_max: u64,
    pub(crate) rate: f64,
    pub(crate) window: Option<u64>,
    pub(crate) write_batch: usize,
    pub(crate) frame_max: u32,
}

/// Different times to live in a block.
const EXPIRATIONS: usize = 10_000;

/// The properties of the message with this number in a block.
fn properties(load: &Load, number: usize) -> Vec<u8> {
    let expiration = load.expirations.as_ref().map(|range| {
        let width = range.end() - range.start();
        let step = (number % EXPIRATIONS) as u64;
        (range.start() + width * step / EXPIRATIONS as u64).to_string()
    });
    BasicProperties {
        delivery_mode: Some(if load.is_persistent { 2 } else { 1 }),
        expiration: expiration.and_then(|it| ShortStr::new(it).ok()),
        ..BasicProperties::default()
    }
    .to_bytes()
}

/// Frames of the messages of one write, laid out once and stamped again and again.
struct Block {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// Where each message's time goes, when its body has room.
    stamps: Vec<usize>,
}

impl Block {
    fn new(load: &Load) -> Self {
        let body = vec![0; load.size];
        let mut block = Self { bytes: Vec::new(), ends: Vec::new(), stamps: Vec::new() };
        let run = load.routing_key_run as usize;
        let keys = load.routing_keys.iter().flat_map(|key| std::iter::repeat_n(key, run)).cycle();
        let messages_min = match load.expirations {
            Some(_) => EXPIRATIONS.max(load.routing_keys.len() * run),
            None => load.routing_keys.len() * run,
        };
        // All keys get their turn, and a write is as large as it may be.
        for key in keys {
            if block.bytes.len() >= load.write_batch && block.ends.len() >= messages_min {
                break;
            }
            let properties = properties(load, block.ends.len());
            let publish = BasicPublish {
                ticket: 0,
                exchange: ShortBytes(load.exchange.as_bytes()),
                routing_key: ShortBytes(key.as_bytes()),
                mandatory: load.is_mandatory,
                immediate: false,
            };
            let before_body = block.bytes.len();
            encode_publish(CHANNEL, &publish, &properties, &body, load.frame_max, &mut block.bytes);
            if load.size >= STAMP_LEN {
                let frames = load.size.div_ceil(load.frame_max.max(9) as usize - 8);
                let framing = block.bytes.len() - before_body - load.size - frames * 8;
                block.stamps.push(before_body + framing + 7);
            }
            block.ends.push(block.bytes.len());
        }
        block
    }

    /// Writes `nanos` into messages `from..to`.
    fn stamp(&mut self, from: usize, to: usize, nanos: u64) {
        for at in self.stamps.get(from..to).into_iter().flatten() {
            self.bytes[*at..*at + STAMP_LEN].copy_from_slice(&nanos.to_le_bytes());
        }
    }

    /// How many messages from `message` on fit in `bytes`, one at least.
    fn fitting(&self, message: usize, bytes: usize) -> usize {
        let end = self.start_of(message) + bytes;
        self.ends[message..].partition_point(|it| *it <= end).max(1)
    }

    fn start_of(&self, message: usize) -> usize {
        if message == 0 { 0 } else { self.ends[message - 1] }
    }
}

pub(crate) struct Publisher {
    stream: TcpStream,
    received: Vec<u8>,
    /// Where reads go first.
    chunk: Box<[u8]>,
    load: Load,
    block: Block,
    next_in_block: usize,
    sent: u64,
    confirmed: u64,
    /// First tag not yet confirmed up to, last tag, when sent: one entry a write.
    outstanding: VecDeque<(u64, u64)>,
    counters: Arc<Counters>,
    epoch: Instant,
    /// Part of a frame may have been written.
    is_writing: bool,
}

impl Publisher {
    pub(crate) fn new(
        (stream, received): (TcpStream, Vec<u8>),
        load: Load,
        counters: Arc<Counters>,
        epoch: Instant,
    ) -> Self {
        let block = Block::new(&load);
        Self {
            stream,
            received,
            chunk: vec![0; CHUNK_LEN].into_boxed_slice(),
            load,
            block,
            next_in_block: 0,
            sent: 0,
            confirmed: 0,
            outstanding: VecDeque::new(),
            counters,
            epoch,
            is_writing: false,
        }
    }

    /// Publishes until the load is sent and confirmed or the time is over.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let counters = self.counters.clone();
        tokio::select! {
            result = self.publish() => result?,
            () = counters.over() => {}
        }
        if !self.is_writing {
            close_after_load(self.stream).await;
        }
        Ok(())
    }

    async fn publish(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            self.read_available()?;
            if self.counters.is_over() {
                return Ok(());
            }
            let is_done = self.load.messages_max > 0 && self.sent >= self.load.messages_max;
            if is_done && (self.load.window.is_none() || self.confirmed >= self.sent) {
                return Ok(());
            }
            match self.allowance(start) {
                0 if self.load.window.is_some() && (is_done || self.is_window_full()) => {
                    self.stream.readable().await?;
                }
                0 => tokio::time::sleep(RATE_TICK).await,
                count => {
                    self.write(count).await?;
                    // The other connections of this thread want their turn, too.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Whether only confirms can let the next message out.
    fn is_window_full(&self) -> bool {
        let outstanding = self.sent - self.confirmed;
        match self.load.window {
            // Without a rate, only the window holds messages back.
            Some(_) if self.load.rate == 0.0 => outstanding > 0,
            Some(window) => outstanding >= window,
            None => false,
        }
    }

    /// How many messages may go out in the next write.
    fn allowance(&self, start: Instant) -> usize {
        let mut count = self.block.fitting(self.next_in_block, self.load.write_batch) as u64;
        if self.load.messages_max > 0 {
            count = count.min(self.load.messages_max - self.sent.min(self.load.messages_max));
        }
        if let Some(window) = self.load.window {
            let outstanding = self.sent - self.confirmed;
            let room = window.saturating_sub(outstanding);
            // Filling every hole at once would make a write of every confirm: wait for a quarter
            // of the window, unless a rate sets the pace.
            let enough = count.min(window / 4);
            if room < enough && outstanding > 0 && self.load.rate == 0.0 {
                return 0;
            }
            count = count.min(room);
        }
        if self.load.rate > 0.0 {
            let due = (start.elapsed().as_secs_f64() * self.load.rate) as u64;
            count = count.min(due.saturating_sub(self.sent));
        }
        count as usize
    }

    async fn write(&mut self, count: usize) -> anyhow::Result<()> {
        let (from, to) = (self.next_in_block, self.next_in_block + count);
        let now = self.epoch.elapsed().as_nanos() as u64;
        self.block.stamp(from, to, now);
        let mut at = self.block.start_of(from);
        let end = self.block.ends[to - 1];
        if self.load.window.is_some() {
            self.outstanding.push_back((self.sent + count as u64, now));
        }
        let mut counted = from;
        self.is_writing = true;
        while at < end {
            match self.stream.try_write(&self.block.bytes[at..end]) {
                Ok(written) => {
                    at += written;
                    let through = self.block.ends.partition_point(|it| *it <= at);
                    self.counters.add_sent((through - counted) as u64);
                    counted = through;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
                    self.read_available()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.is_writing = false;
        self.sent += count as u64;
        self.next_in_block = if to == self.block.ends.len() { 0 } else { to };
        Ok(())
    }

    /// Takes what the broker has sent: confirms, returns, bad news.
    fn read_available(&mut self) -> anyhow::Result<()> {
        loop {
            match self.stream.try_read(&mut self.chunk) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(read) => self.received.extend_from_slice(&self.chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let received = std::mem::take(&mut self.received);
        let mut consumed = 0;
        while let Split::Frame(frame) = split_frame(&received[consumed..], 0)? {
            consumed += frame.wire_len();
            check_for_close(&frame)?;
            if let Payload::Method(method) = frame.parse()? {
                match method.decode()? {
                    Method::BasicAck(it) => self.confirm(it.delivery_tag, it.multiple, false),
                    Method::BasicNack(it) => self.confirm(it.delivery_tag, it.multiple, true),
                    Method::BasicReturn(_) => self.counters.add_returned(1),
                    _ => {}
                }
            }
        }
        self.received = received;
        self.received.drain(..consumed);
        Ok(())
    }

    fn confirm(&mut self, tag: u64, is_multiple: bool, is_negative: bool) {
        let before = self.confirmed;
        // Confirms out of order are counted one by one: `confirmed` is a number, not a tag.
        self.confirmed = if is_multiple { self.confirmed.max(tag) } else { self.confirmed + 1 };
        let count = self.confirmed - before;
        let now = self.epoch.elapsed().as_nanos() as u64;
        while let Some((last, sent_at)) = self.outstanding.front()
            && *last <= self.confirmed
        {
            self.counters.record_confirm(now.saturating_sub(*sent_at));
            self.outstanding.pop_front();
        }
        if is_negative {
            self.counters.add_nacked(count);
        } else {
            self.counters.add_confirmed(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Load};

    #[test]
    fn a_write_is_bounded_though_all_keys_get_their_turn() {
        let load = Load {
            exchange: "x".to_owned(),
            routing_keys: (0..100).map(|number| format!("key.{number:03}")).collect(),
            routing_key_run: 1,
            expirations: None,
            size: 12,
            is_persistent: false,
            is_mandatory: false,
            messages_max: 0,
            rate: 0.0,
            window: None,
            write_batch: 256,
            frame_max: 131_072,
        };
        let block = Block::new(&load);
        assert_eq!(block.ends.len(), 100);
        let count = block.fitting(10, 256);
        assert!(block.ends[9 + count] - block.ends[9] <= 256);
        assert!(block.ends[10 + count] - block.ends[9] > 256);
        assert_eq!(block.fitting(99, 256), 1, "the block ends here");
        assert_eq!(block.fitting(0, 1), 1, "a message larger than a write goes alone");
    }
}
