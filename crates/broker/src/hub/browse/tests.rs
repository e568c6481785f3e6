//! Messages seen, taken out and given back: whole queues against what is got out of them in the end.

use std::sync::Arc;

use field_table::FieldTable;
use message::{Incoming, MessageRef};
use stdx::Timestamp;
use topology::{Command, DeclareQueue};

use crate::hub::tests::getter;
use crate::testing::{MemoryPages, broker_with_pages};
use crate::{Broker, BrokerConfig, MessageId, QueueRef, Settle, Sight};

const NOW: Timestamp = Timestamp(1000);
/// Messages in each queue: several chunks of them.
const COUNT: u32 = 300;

struct Plot {
    broker: Arc<Broker>,
    pages: Arc<MemoryPages>,
    queue: QueueRef,
}

impl Plot {
    /// A queue of this type; with `max_priority` messages take turns in their priorities.
    fn new(kind: &str, max_priority: u8) -> Self {
        // Everything leaves memory that may.
        let config = BrokerConfig { resident_max: 0, ..BrokerConfig::default() };
        let pages: Arc<MemoryPages> = Arc::default();
        let broker = broker_with_pages(config, Arc::default(), pages.clone());
        let mut arguments = FieldTable::default();
        arguments.set("x-queue-type", kind);
        if kind == "classic" && max_priority != 0 {
            arguments.set("x-max-priority", i64::from(max_priority));
        }
        let command = DeclareQueue {
            vhost: "/".to_owned(),
            name: "q".to_owned(),
            is_server_named: false,
            durable: true,
            auto_delete: false,
            owner: None,
            arguments,
        };
        let done = Box::new(|done: Result<_, _>| drop(done.expect("new")));
        broker.propose_with(Command::DeclareQueue(command), done);
        let id = broker.topology().vhost("/").and_then(|it| it.queue("q")).expect("new").id;
        let queue = broker.queue(id).expect("just declared");
        let plot = Self { broker, pages, queue };
        for number in 0..COUNT {
            // Now and then one that lies outside of its chunk, and one so large that it is a blob.
            let len = if number % 50 == 7 { 5000 } else { 40 };
            plot.publish(number, len, (number % (1 + u32::from(max_priority))) as u8);
        }
        plot
    }

    fn publish(&self, number: u32, len: usize, priority: u8) {
        let mut body = vec![b'x'; len];
        body[..4].copy_from_slice(&number.to_le_bytes());
        let (exchange, routing_key, properties): (&[u8], _, _) = (b"", b"q", &[0, 0]);
        let incoming = Incoming {
            message: MessageRef { exchange, routing_key, properties, body: &body, image: None },
            is_persistent: !number.is_multiple_of(3),
            priority: Some(priority),
            ttl_ms: None,
            history: Default::default(),
        };
        let mut turn = self.broker.begin(NOW);
        self.broker.publish(&mut turn, &self.queue, &[incoming]);
        self.broker.finish(turn);
    }

    fn page_all_out(&self) {
        let mut jobs = Vec::new();
        self.broker.collect_pages_of(NOW, self.queue.record.id, &mut jobs);
        self.broker.paged_out(NOW, jobs);
    }

    /// Gets `count` messages and returns them as nobody wanted them.
    fn disturb(&self, count: usize) {
        let getter = getter();
        let mut turn = self.broker.begin(NOW);
        let mut tickets = Vec::new();
        for _ in 0..count {
            let (ticket, _) = self.broker.get(&mut turn, &self.queue, Some(&getter), |got| {
                got.map(|got| got.delivery.ticket)
            });
            tickets.extend(ticket);
        }
        let (back, kept): (Vec<_>, Vec<_>) =
            tickets.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let back: Vec<_> = back.into_iter().map(|(_, ticket)| *ticket).collect();
        let kept: Vec<_> = kept.into_iter().map(|(_, ticket)| *ticket).collect();
        let settle = |turn: &mut _, tickets: &[_], how| {
            self.broker.settle(turn, &self.queue, Some(getter.id), tickets, how);
        };
        settle(&mut turn, &back, Settle::Requeue);
        settle(&mut turn, &kept, Settle::Ack);
        self.broker.finish(turn);
    }

    fn browse(&self, skip: u64, count: usize) -> Vec<Sight> {
        self.broker.browse(&self.queue, None, skip, count, u64::MAX)
    }

    fn all(&self) -> Vec<u32> {
        numbers(&self.browse(0, usize::MAX))
    }

    /// What consumers would get, in their order. Empties the queue.
    fn get_all(&self) -> Vec<u32> {
        let mut turn = self.broker.begin(NOW);
        let got = std::iter::from_fn(|| {
            let got =
                |got: Option<crate::Got<'_>>| got.map(|got| number_of(got.delivery.message.body));
            self.broker.get(&mut turn, &self.queue, None, got).0
        });
        let got = got.collect();
        self.broker.finish(turn);
        got
    }

    fn take_out(&self, ids: &[MessageId]) -> Vec<crate::TakenOut> {
        let mut turn = self.broker.begin(NOW);
        let taken = self.broker.take_out(&mut turn, &self.queue, ids);
        self.broker.finish(turn);
        taken
    }

    fn end_take_out(&self, taken: &[crate::TakenOut], is_gone: bool) {
        let mut turn = self.broker.begin(NOW);
        let messages = taken.iter().map(|it| (it.ticket, is_gone));
        self.broker.end_take_out(&mut turn, &self.queue, messages);
        self.broker.finish(turn);
    }
}

fn number_of(body: &[u8]) -> u32 {
    u32::from_le_bytes(*body.first_chunk().expect("four bytes"))
}

fn numbers(sights: &[Sight]) -> Vec<u32> {
    sights.iter().map(|sight| number_of(sight.message().body)).collect()
}

/// Each kind of queue, in memory and on pages, untouched and with messages that came back.
fn plots() -> impl Iterator<Item = (String, Plot)> {
    let kinds = [("classic", 0), ("classic", 3), ("quorum", 0), ("quorum", 9)];
    let states = [(0, false), (0, true), (41, false), (41, true)];
    kinds.into_iter().flat_map(move |(kind, max_priority)| {
        states.into_iter().map(move |(disturbed, is_on_pages)| {
            let plot = Plot::new(kind, max_priority);
            plot.disturb(disturbed);
            if is_on_pages {
                plot.page_all_out();
            }
            (format!("{kind} {max_priority} {disturbed} {is_on_pages}"), plot)
        })
    })
}

#[test]
fn one_sees_what_consumers_would_get_and_changes_nothing() {
    for (name, plot) in plots() {
        let (counts, blocks) = (plot.broker.counts(&plot.queue), plot.pages.references());
        let seen = plot.all();
        assert_eq!(plot.broker.counts(&plot.queue), counts, "{name}");
        assert_eq!(plot.pages.references(), blocks, "{name}");
        assert_eq!(seen, plot.get_all(), "{name}");
    }
}

#[test]
fn one_sees_a_part_by_position_and_by_name() {
    for (name, plot) in plots() {
        let all = plot.all();
        for (skip, count) in [(0, 1), (1, 10), (100, 50), (all.len() - 1, 10), (all.len(), 10)] {
            let part: Vec<u32> = all.iter().copied().skip(skip).take(count).collect();
            assert_eq!(numbers(&plot.browse(skip as u64, count)), part, "{name} {skip}");
        }
        let (mut behind, mut seen) = (None, Vec::new());
        loop {
            let part = plot.broker.browse(&plot.queue, behind, 0, 7, u64::MAX);
            let Some(last) = part.last() else { break };
            behind = Some(last.id);
            seen.extend(numbers(&part));
        }
        assert_eq!(seen, all, "{name}");
    }
}

#[test]
fn one_sees_no_more_bytes_than_asked_for() {
    let plot = Plot::new("classic", 0);
    plot.page_all_out();
    let seen = plot.broker.browse(&plot.queue, None, 0, usize::MAX, 5000);
    assert_eq!(numbers(&seen), (0..8).collect::<Vec<_>>());
}

#[test]
fn what_is_taken_out_is_not_there_and_stands_where_it_stood_when_it_comes_back() {
    for (name, plot) in plots() {
        let all = plot.browse(0, usize::MAX);
        let chosen: Vec<MessageId> = all.iter().map(|it| it.id).skip(2).step_by(5).collect();
        let taken = plot.take_out(&chosen);
        assert_eq!(taken.iter().map(|it| it.id).collect::<Vec<_>>(), chosen, "{name}");
        let left = all.iter().filter(|it| !chosen.contains(&it.id));
        let left: Vec<u32> = left.map(|it| number_of(it.message().body)).collect();
        assert_eq!(plot.all(), left, "{name}");
        plot.page_all_out();
        assert_eq!(plot.all(), left, "{name}");
        plot.end_take_out(&taken, false);
        let mut back = plot.all();
        if name.starts_with("classic") || name.contains(" 0 ") && !name.contains("41") {
            assert_eq!(back, numbers(&all), "{name}");
        }
        let mut expected = numbers(&all);
        assert_eq!(back, plot.get_all(), "{name}");
        back.sort_unstable();
        expected.sort_unstable();
        assert_eq!(back, expected, "{name}");
    }
}

#[test]
fn what_is_taken_out_and_gone_is_gone_and_its_pages_with_it() {
    for (name, plot) in plots() {
        let all = plot.browse(0, usize::MAX);
        let (gone, left): (Vec<_>, Vec<_>) =
            all.iter().partition(|it| number_of(it.message().body).is_multiple_of(2));
        let gone: Vec<MessageId> = gone.iter().map(|it| it.id).collect();
        let left: Vec<u32> = left.iter().map(|it| number_of(it.message().body)).collect();
        let taken = plot.take_out(&gone);
        plot.page_all_out();
        plot.end_take_out(&taken, true);
        assert!(plot.take_out(&gone).is_empty(), "{name}");
        assert_eq!(plot.get_all(), left, "{name}");
        let counts = plot.broker.counts(&plot.queue);
        assert_eq!((counts.ready, counts.unacked, counts.persistent), (0, 0, 0), "{name}");
        assert_eq!(plot.pages.references(), [0u32; 0], "{name}");
    }
}

#[test]
fn what_consumers_passed_meanwhile_comes_back_to_them() {
    for (name, plot) in plots() {
        let all = plot.browse(0, usize::MAX);
        let taken = plot.take_out(&[all[1].id, all[20].id]);
        let before: Vec<u32> = plot.get_all();
        assert_eq!(before.len(), all.len() - 2, "{name}");
        plot.end_take_out(&taken, false);
        assert_eq!(plot.all().len(), 2, "{name}");
        assert_eq!(plot.all(), plot.get_all(), "{name}");
    }
}

#[test]
fn heads_are_taken_out_up_to_a_limit() {
    for (name, plot) in plots() {
        let all = plot.all();
        let mut turn = plot.broker.begin(NOW);
        let taken = plot.broker.take_out_heads(&mut turn, &plot.queue, 30, usize::MAX);
        plot.broker.finish(turn);
        let heads: Vec<u32> = taken.iter().map(|it| number_of(it.image.as_ref().body)).collect();
        assert_eq!(heads, all[..30], "{name}");
        plot.end_take_out(&taken, true);
        assert_eq!(plot.get_all(), all[30..], "{name}");
    }
}
