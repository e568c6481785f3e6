//! Direct reply-to: answers that go from a publisher to a consumer past any queue.

use ahash::AHashMap;
use message::MessageRef;
use parking_lot::RwLock;

use crate::{Broker, ConsumerKey, MailboxRef, Turn};

/// The pseudo-queue that a requester consumes from, and the prefix of every reply address.
pub const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Who waits for direct replies.
pub(crate) struct ReplyConsumers {
    /// Part of every address, so that one of an earlier run is not mistaken for one of this.
    epoch: u32,
    waiting: RwLock<AHashMap<u64, Waiting>>,
}

struct Waiting {
    address: String,
    mailbox: MailboxRef,
    key: ConsumerKey,
}

impl ReplyConsumers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { epoch: (seed >> 32) as u32 ^ seed as u32, waiting: RwLock::default() }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    fn id_of(&self, address: &[u8]) -> Option<u64> {
        let token = address.strip_prefix(REPLY_TO.as_bytes())?.strip_prefix(b".")?;
        let text = std::str::from_utf8(token).ok()?;
        let (epoch, rest) = text.split_once('.')?;
        let (id, _chance) = rest.split_once('.')?;
        let is_ours = u32::from_str_radix(epoch, 16).ok()? == self.epoch;
        is_ours.then(|| u64::from_str_radix(id, 16).ok()).flatten()
    }

    fn find(&self, address: &[u8]) -> Option<(MailboxRef, ConsumerKey)> {
        let id = self.id_of(address)?;
        let waiting = self.waiting.read();
        let found = waiting.get(&id).filter(|it| it.address.as_bytes() == address)?;
        Some((found.mailbox.clone(), found.key))
    }
}

impl Broker {
    /// Registers a consumer of direct replies and returns the address that reaches it. The
    /// address holds 128 bits of chance: whoever was not told it cannot guess it.
    pub fn register_reply_consumer(&self, mailbox: MailboxRef, key: ConsumerKey) -> String {
        let id = self.next_id();
        let consumers = &self.reply_consumers;
        let address = self.unique_name(&format!("{REPLY_TO}.{:x}.{id:x}.", consumers.epoch));
        let waiting = Waiting { address: address.clone(), mailbox, key };
        consumers.waiting.write().insert(id, waiting);
        address
    }

    /// Forgets a consumer of direct replies.
    pub fn unregister_reply_consumer(&self, address: &str) {
        if let Some(id) = self.reply_consumers.id_of(address.as_bytes()) {
            self.reply_consumers.waiting.write().remove(&id);
        }
    }

    /// True when somebody waits for replies at this address.
    pub fn has_reply_consumer(&self, address: &[u8]) -> bool {
        self.reply_consumers.find(address).is_some()
    }

    /// Delivers a reply to the consumer at `address`; false when nobody waits there.
    pub fn reply(&self, turn: &mut Turn, address: &[u8], message: &MessageRef<'_>) -> bool {
        let Some((mailbox, key)) = self.reply_consumers.find(address) else { return false };
        let is_taken = mailbox.deliver_reply(key, message);
        if is_taken {
            self.trace_reply(turn, &mailbox, key, address, message);
        }
        turn.touch(&mailbox);
        is_taken
    }
}

/// RFC 4648 base64 with the URL alphabet and no padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for position in 0..=chunk.len() {
            let index = bits >> (18 - 6 * position) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}
