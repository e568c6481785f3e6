//! Counters of messages.

use std::ops::{AddAssign, Index, IndexMut};

macro_rules! message_counts {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        /// What can happen to a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MessageCount {
            $($(#[$doc])* $name,)*
        }

        impl MessageCount {
            /// All there are, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The key in RabbitMQ's `message_stats`.
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                }
            }
        }
    };
}

message_counts! {
    /// A client published it; of a queue: it was routed there.
    Publish = "publish",
    /// An exchange took it.
    PublishIn = "publish_in",
    /// An exchange handed it to a queue.
    PublishOut = "publish_out",
    /// Its publish was confirmed.
    Confirm = "confirm",
    /// No queue wanted it, and its publisher got it back.
    ReturnUnroutable = "return_unroutable",
    /// No queue wanted it, and nobody was told.
    DropUnroutable = "drop_unroutable",
    /// Sent to a consumer that acknowledges.
    Deliver = "deliver",
    /// Sent to a consumer that does not.
    DeliverNoAck = "deliver_no_ack",
    /// Fetched by a client that acknowledges.
    Get = "get",
    /// Fetched by a client that does not.
    GetNoAck = "get_no_ack",
    /// There was none to fetch.
    GetEmpty = "get_empty",
    /// Of those sent and fetched: not for the first time.
    Redeliver = "redeliver",
    /// Acknowledged.
    Ack = "ack",
    /// Read from disk.
    DiskReads = "disk_reads",
    /// Written to disk.
    DiskWrites = "disk_writes",
}

/// How often each of them happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts([u64; MessageCount::ALL.len()]);

impl MessageCounts {
    /// Everything sent or fetched: RabbitMQ's `deliver_get`.
    pub fn deliver_get(&self) -> u64 {
        use MessageCount::{Deliver, DeliverNoAck, Get, GetNoAck};
        [Deliver, DeliverNoAck, Get, GetNoAck].iter().map(|&count| self[count]).sum()
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&count| count == 0)
    }
}

impl Index<MessageCount> for MessageCounts {
    type Output = u64;

    fn index(&self, count: MessageCount) -> &u64 {
        &self.0[count as usize]
    }
}

impl IndexMut<MessageCount> for MessageCounts {
    fn index_mut(&mut self, count: MessageCount) -> &mut u64 {
        &mut self.0[count as usize]
    }
}

impl AddAssign for MessageCounts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_and_fetched_is_counted_together() {
        let mut counts = MessageCounts::default();
        assert!(counts.is_empty());
        counts[MessageCount::Deliver] = 3;
        counts[MessageCount::GetNoAck] = 2;
        counts[MessageCount::Redeliver] = 1;
        counts += counts;
        assert_eq!(counts.deliver_get(), 10);
        assert_eq!(counts[MessageCount::Redeliver], 2);
    }
}
