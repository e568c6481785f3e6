//! A client that declares and deletes queues while others work, and what it knows of them.

use amqp091_codec::{BasicProperties, QueueDeclare, QueueDelete, Table};
use field_table::FieldTable;

use crate::chance::Chance;
use crate::link::{Link, Said};

/// Queues that come and go. The odd ones are quorum queues.
pub(crate) const PLOTS: usize = 4;
/// Messages published at once to one of them.
const BATCH_MAX: u64 = 12;

/// What is known of a queue that comes and goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plot {
    /// Whether it exists; `None` while an answer is missing.
    is_there: Option<bool>,
    /// How often it was deleted.
    life: u32,
}

/// A question without an answer yet.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Declare(usize),
    Delete(usize),
}

/// See the module. One at a time.
#[derive(Default)]
pub(crate) struct Founder {
    asked: Option<Asked>,
}

pub(crate) fn name(plot: usize) -> String {
    format!("plot-{plot}")
}

impl Plot {
    /// Somebody looked; returns what is wrong with that.
    pub(crate) fn look(&mut self, is_there: bool) -> Option<&'static str> {
        let wrong = match (self.is_there, is_there) {
            (Some(true), false) => Some("is gone, and nobody deleted it"),
            (Some(false), true) => Some("is there, and nobody declared it"),
            _ => None,
        };
        // If it was being deleted, it was.
        if self.is_there.is_none() && !is_there {
            self.life += 1;
        }
        self.is_there = Some(is_there);
        wrong
    }

    /// Whether a message may be in the queue: not one of those that went with an earlier life.
    pub(crate) fn may_hold(&self, plot: usize, body: &[u8]) -> bool {
        body == self.body(plot)
    }

    fn body(&self, plot: usize) -> Vec<u8> {
        format!("{}, life {}", name(plot), self.life).into_bytes()
    }
}

impl Founder {
    pub(crate) fn hear(&mut self, said: &Said, plots: &mut [Plot; PLOTS]) -> Option<String> {
        let answered = self.asked.take_if(|_| matches!(said, Said::Declared | Said::Deleted))?;
        Some(match answered {
            Asked::Declare(plot) => {
                plots[plot].is_there = Some(true);
                format!("has declared {}", name(plot))
            }
            Asked::Delete(plot) => {
                let Plot { life, .. } = plots[plot];
                plots[plot] = Plot { is_there: Some(false), life: life + 1 };
                format!("has deleted {}", name(plot))
            }
        })
    }

    pub(crate) fn act(
        &mut self,
        link: &mut Link,
        chance: &mut Chance,
        plots: &mut [Plot; PLOTS],
    ) -> Option<String> {
        if self.asked.is_some() {
            return None;
        }
        let plot = chance.below(PLOTS as u64) as usize;
        let queue = name(plot);
        match plots[plot].is_there {
            Some(true) if chance.one_in(3) => {
                plots[plot].is_there = None;
                self.asked = Some(Asked::Delete(plot));
                link.send(QueueDelete { queue: &queue, ..QueueDelete::default() });
                Some(format!("deletes {queue}"))
            }
            Some(true) => {
                let properties =
                    BasicProperties { delivery_mode: Some(2), ..BasicProperties::default() };
                let body = plots[plot].body(plot);
                let count = 1 + chance.below(BATCH_MAX);
                (0..count).for_each(|_| link.publish(&queue, &properties, &body));
                Some(format!("publishes {count} to {queue}"))
            }
            _ => {
                plots[plot].is_there = None;
                self.asked = Some(Asked::Declare(plot));
                declare(link, plot, false);
                Some(format!("declares {queue}"))
            }
        }
    }
}

/// Asks for a queue, or whether it is there.
pub(crate) fn declare(link: &mut Link, plot: usize, passive: bool) {
    let kind = if plot.is_multiple_of(2) { "classic" } else { "quorum" };
    let mut fields = Vec::new();
    FieldTable::new().with("x-queue-type", kind).encode_fields(&mut fields);
    let arguments = Table::new(&fields).expect("an encoded table");
    let queue = name(plot);
    link.send(QueueDeclare {
        queue: &queue,
        passive,
        durable: true,
        arguments,
        ..QueueDeclare::default()
    });
}
