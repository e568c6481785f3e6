//! The objects that metrics are of, and what tells them apart.

use std::sync::Arc;

use operator::{
    ChannelFigures, ConnectionFigures, ExchangeFigures, NodeFigures, QueueFigures, RaftFigures,
};
use statistics::{AuthAttempts, Churn, DeadLetterCount};

use crate::metric::{Number, Row};
use crate::text::Labels;

/// A queue for `queue_info`, which has labels of its own.
pub(crate) struct Described(pub(crate) QueueFigures);

/// An exchange that clients may publish to.
pub(crate) struct ListedExchange(pub(crate) ExchangeFigures);

/// A vhost.
pub(crate) struct ListedVhost(pub(crate) Arc<str>);

/// What memory is used for.
pub(crate) struct Breakdown(pub(crate) Vec<(String, u64)>);

impl Breakdown {
    /// Nothing for what is not known.
    pub(crate) fn bytes_of(&self, name: &str) -> Number {
        self.0.iter().find(|(it, _)| it == name).map(|(_, bytes)| *bytes).into()
    }
}

/// RabbitMQ's name of a type of queues in labels.
pub(crate) fn queue_type_label(name: &str) -> &'static str {
    match name {
        "classic" => "rabbit_classic_queue",
        "quorum" => "rabbit_quorum_queue",
        "volatile" => "rabbit_volatile_queue",
        _ => "rabbit_stream_queue",
    }
}

impl Row for NodeFigures {
    fn put_labels(&self, _labels: &mut Labels<'_>) {}
}

impl Row for Churn {
    fn put_labels(&self, _labels: &mut Labels<'_>) {}
}

impl Row for Breakdown {
    fn put_labels(&self, _labels: &mut Labels<'_>) {}
}

impl Row for QueueFigures {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("vhost", &self.vhost);
        labels.put("queue", &self.name);
    }
}

impl Row for Described {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        self.0.put_labels(labels);
        labels.put("queue_type", queue_type_label(self.0.queue_type));
        labels.put("membership", "leader");
    }
}

impl Row for ListedVhost {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("vhost", &self.0);
    }
}

impl Row for ListedExchange {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("vhost", &self.0.vhost);
        labels.put("exchange", &self.0.name);
        labels.put("type", self.0.exchange_type);
    }
}

/// RabbitMQ names connections so, too.
pub(crate) const PID: &str = "channel";

impl Row for ConnectionFigures {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put_pid(PID, self.id);
    }
}

impl Row for ChannelFigures {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put_pid(PID, self.id);
    }
}

impl Row for DeadLetterCount {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("queue_type", queue_type_label(self.queue_type));
        labels.put("dead_letter_strategy", self.strategy);
    }
}

impl Row for AuthAttempts {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        if let Some(source) = &self.source {
            labels.put("remote_address", &source.address.to_string());
            labels.put("username", &source.user);
        }
        labels.put("protocol", self.protocol);
    }
}

impl Row for RaftFigures {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        match &self.queue {
            Some((vhost, queue)) => {
                labels.put("queue", queue);
                labels.put("vhost", vhost);
            }
            // What RabbitMQ calls its own control plane.
            None => {
                labels.put("module", "rabbit_khepri");
                labels.put("ra_system", "coordination");
            }
        }
    }
}
