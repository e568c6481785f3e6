//! The queues under load, and what they are declared with.

/// The queues under load. All are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Has a consumer that acknowledges and requeues.
    Work,
    /// Nobody looks at it while it is under load.
    Quiet,
    /// Has priorities and a consumer.
    Priority,
    /// Has a consumer that rejects into [`QueueName::Dead`].
    Rejects,
    /// Its messages expire into [`QueueName::Dead`].
    Expiring,
    /// Read by `basic.get`, message by message, now and then.
    Polled,
    /// Published to and read in transactions.
    Transactional,
    /// A quorum queue that takes messages back as often as it gets them.
    Quorum,
    /// A quorum queue that drops what failed too often.
    Limited,
    /// A quorum queue that keeps what failed too often until [`QueueName::Grave`] has it.
    Buried,
    /// A quorum queue in which what comes back waits.
    Delayed,
    /// A quorum queue with a single active consumer.
    Single,
    /// Takes dead letters of classic queues.
    Dead,
    /// A quorum queue that takes dead letters of quorum queues.
    Grave,
}

use QueueName::{
    Buried, Dead, Delayed, Expiring, Grave, Limited, Polled, Priority, Quiet, Quorum, Rejects,
    Single, Transactional, Work,
};

/// Messages of the expiring queue live this long.
const EXPIRING_TTL_MS: i64 = 150;
/// The highest priority of the classic queue with priorities.
const PRIORITY_MAX: i64 = 5;
/// Failures after which a message has failed too often.
const DELIVERY_LIMIT: u32 = 2;
/// How long what comes back to the delayed queue waits, per failure and at most.
const DELAY_MS: (i64, i64) = (10, 100);

/// The value of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A long string.
    Text(&'static str),
    /// A signed number.
    Number(i64),
    /// A boolean.
    Flag(bool),
}

use Argument::{Flag, Number, Text};

impl QueueName {
    /// All, those for dead letters last.
    pub const ALL: [Self; 14] = [
        Work,
        Quiet,
        Priority,
        Rejects,
        Expiring,
        Polled,
        Transactional,
        Quorum,
        Limited,
        Buried,
        Delayed,
        Single,
        Dead,
        Grave,
    ];

    /// The queue's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Work => "work",
            Quiet => "quiet",
            Priority => "priority",
            Rejects => "rejects",
            Expiring => "expiring",
            Polled => "polled",
            Transactional => "transactional",
            Quorum => "quorum",
            Limited => "limited",
            Buried => "buried",
            Delayed => "delayed",
            Single => "single",
            Dead => "dead",
            Grave => "grave",
        }
    }

    /// What it is declared with.
    pub fn arguments(self) -> Vec<(&'static str, Argument)> {
        let mut arguments = Vec::new();
        if self.is_quorum() {
            arguments.push(("x-queue-type", Text("quorum")));
            let limit = self.delivery_limit().map_or(-1, i64::from);
            arguments.push(("x-delivery-limit", Number(limit)));
        }
        if let Some(grave) = self.grave() {
            arguments.push(("x-dead-letter-exchange", Text("")));
            arguments.push(("x-dead-letter-routing-key", Text(grave.as_str())));
        }
        match self {
            Expiring => arguments.push(("x-message-ttl", Number(EXPIRING_TTL_MS))),
            Priority => arguments.push(("x-max-priority", Number(PRIORITY_MAX))),
            Buried => arguments.extend([
                ("x-dead-letter-strategy", Text("at-least-once")),
                ("x-overflow", Text("reject-publish")),
            ]),
            Delayed => arguments.extend([
                ("x-delayed-retry-type", Text("all")),
                ("x-delayed-retry-min", Number(DELAY_MS.0)),
                ("x-delayed-retry-max", Number(DELAY_MS.1)),
            ]),
            Single => arguments.push(("x-single-active-consumer", Flag(true))),
            _ => {}
        }
        arguments
    }

    /// It counts attempts, keeps every message and puts what comes back in front.
    pub fn is_quorum(self) -> bool {
        matches!(self, Quorum | Limited | Buried | Delayed | Single | Grave)
    }

    /// Messages of higher priority leave it first.
    pub fn has_priorities(self) -> bool {
        self == Priority || (self.is_quorum() && self != Grave)
    }

    /// It takes dead letters, and nothing else.
    pub fn is_grave(self) -> bool {
        matches!(self, Dead | Grave)
    }

    /// Where its messages may go by themselves or on request.
    pub fn grave(self) -> Option<Self> {
        match self {
            Rejects | Expiring => Some(Dead),
            Buried => Some(Grave),
            _ => None,
        }
    }

    /// Failures of a message that it takes back at most.
    pub fn delivery_limit(self) -> Option<u32> {
        matches!(self, Limited | Buried).then_some(DELIVERY_LIMIT)
    }
}
