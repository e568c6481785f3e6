//! What was counted, how fast it grows, and how it was.

use std::net::IpAddr;
use std::sync::Arc;

use statistics::{
    AuthAttempts, Churn, Clients, DeadLetterCount, Figures, GlobalCounts, Known, MessageCounts,
    Other, Pairs, Ranges, Report, Subject,
};

use crate::Emit;

/// Counters of a running broker. Unless it says otherwise, what is asked is as of the last
/// [`Counters::refresh`] or collection, whichever was later; samples are as of the last collection.
pub trait Counters: Sync {
    /// Takes in what happened up to now. Once for a listing or a scrape.
    fn refresh(&self);
    /// What is shown of one thing; nothing if nothing was ever counted, or where rates are off.
    fn report(&self, of: Subject<'_>, ranges: &Ranges) -> Report;
    /// What passed between it and others. Empty unless the rates mode is `detailed`.
    fn pairs(&self, of: Subject<'_>, ranges: &Ranges) -> Pairs;
    /// Exchanges and queues by vhost that something was counted of.
    fn known(&self) -> Vec<Known>;
    /// Messages by what happened to them, in every rates mode. Of an exchange: `PublishIn`, `PublishOut`,
    /// and what became of those published. Nothing of connections and the node.
    fn counts(&self, of: Subject<'_>) -> MessageCounts;
    /// What a channel did by exchange and by queue, in every rates mode.
    fn channel_pairs(&self, id: u64) -> Vec<(Other, MessageCounts)>;
    /// How many messages each exchange of a vhost handed to which queue, in every rates mode.
    fn route_counts(&self, vhost: &str) -> Vec<(Arc<str>, Arc<str>, u64)>;
    /// By protocol and type of queue.
    fn global_counts(&self) -> Vec<GlobalCounts>;
    /// What came and went since the node started, as of now.
    fn churn(&self) -> Churn;
    /// Who publishes and consumes now.
    fn clients(&self) -> Clients;
    /// Messages that died in queues.
    fn dead_letters(&self) -> Vec<DeadLetterCount>;
    /// Attempts to log in, by protocol.
    fn auth_attempts(&self) -> Vec<AuthAttempts>;
    /// The same by address and user, as far as these are told apart.
    fn auth_attempts_by_source(&self) -> Vec<AuthAttempts>;
    /// Forgets all attempts to log in.
    fn forget_auth_attempts(&self);
    /// Somebody tried to log in over HTTP.
    fn note_http_login(&self, address: IpAddr, user: &str, is_success: bool);
    /// Forgets the samples; what was counted stays.
    fn forget_samples(&self);
    /// The vhost's queues, by name, with what lists are sorted by: much cheaper than
    /// [`list_queues`](crate::Operator::list_queues). None when there is no such vhost. As of now.
    fn summarize_queues(&self, vhost: &str, emit: Emit<'_, QueueSummary>);
    /// As [`Counters::report`], the figures of a queue's messages alone and without samples.
    fn message_figures(&self, vhost: &str, name: &str) -> Figures {
        self.report(Subject::Queue { vhost, name }, &Ranges::default()).messages
    }
}

/// A queue in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSummary {
    /// Where it is.
    pub vhost: Arc<str>,
    /// Its name in the vhost.
    pub name: Arc<str>,
    /// `classic`, `quorum`, `stream`
    pub queue_type: &'static str,
    /// Waiting to be delivered.
    pub messages_ready: u64,
    /// Delivered, not yet settled.
    pub messages_unacknowledged: u64,
    /// Neither.
    pub messages_aside: u64,
    /// Body bytes of the ready ones.
    pub message_bytes_ready: u64,
    /// Body bytes of the unacknowledged ones.
    pub message_bytes_unacknowledged: u64,
    /// How many consume.
    pub consumers: u64,
    /// Bytes, everything included.
    pub memory: u64,
}

impl QueueSummary {
    /// All messages.
    pub fn messages(&self) -> u64 {
        self.messages_ready + self.messages_unacknowledged + self.messages_aside
    }
}
