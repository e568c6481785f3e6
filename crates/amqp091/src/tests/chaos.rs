//! Clients that do anything at any time: nothing panics, nothing is left behind.

use std::sync::Arc;

use amqp091_codec::{
    BasicAck, BasicCancel, BasicConsume, BasicGet, BasicNack, BasicProperties, BasicPublish,
    BasicQos, BasicRecover, BasicReject, ChannelClose, ChannelCloseOk, ChannelOpen, ConfirmSelect,
    ConnectionClose, ConnectionCloseOk, ExchangeDeclare, ExchangeDelete, Method, QueueBind,
    QueueDeclare, QueueDelete, QueuePurge, QueueUnbind, TxCommit, TxRollback, TxSelect,
    encode_method, encode_publish,
};
use broker::testing::{MemoryJournal, broker_with};
use broker::{Broker, BrokerConfig};
use field_table::{FieldTable, FieldValue, ShortStr};

use super::kit::Client;
use crate::connection::Stage;

/// A generator that gives the same numbers for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn is_one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const QUEUES: [&str; 7] = ["a", "a", "b", "b", "c", "mine", ""];
const EXCHANGES: [&str; 8] = ["", "", "", "", "amq.fanout", "amq.topic", "amq.topic", "e"];
const TAGS: [&str; 8] = ["r", "s", "t", "u", "", "", "", ""];

/// Any method a client may send on a channel.
fn method(chance: &mut Chance) -> Method<'static> {
    let queue = chance.one_of(&QUEUES);
    let exchange = chance.one_of(&EXCHANGES);
    let consumer_tag = chance.one_of(&TAGS);
    let delivery_tag = chance.one_of(&[0, 0, 0, 1, 2, 3, 5, 8]);
    let (yes, no, nowait) = (chance.is_one_in(2), chance.is_one_in(2), chance.is_one_in(4));
    match chance.below(30) {
        0..=2 => QueueDeclare {
            queue,
            exclusive: queue == "mine",
            durable: queue == "a" || queue.is_empty(),
            auto_delete: queue == "c",
            nowait,
            ..QueueDeclare::default()
        }
        .into(),
        3 => QueueBind { queue, exchange, routing_key: "#", nowait, ..QueueBind::default() }.into(),
        4 => QueueUnbind { queue, exchange, routing_key: "#", ..QueueUnbind::default() }.into(),
        5 => QueuePurge { queue, nowait, ..QueuePurge::default() }.into(),
        6 => QueueDelete { queue, if_unused: yes, if_empty: no, nowait, ..QueueDelete::default() }
            .into(),
        7..=9 => BasicConsume {
            queue,
            consumer_tag,
            no_ack: yes,
            exclusive: chance.is_one_in(5),
            nowait,
            ..BasicConsume::default()
        }
        .into(),
        10 => BasicCancel { consumer_tag, nowait }.into(),
        11..=13 => BasicGet { ticket: 0, queue, no_ack: yes }.into(),
        14..=16 => BasicAck { delivery_tag, multiple: yes || delivery_tag == 0 }.into(),
        17 => BasicNack { delivery_tag, multiple: yes, requeue: no }.into(),
        18 => BasicReject { delivery_tag, requeue: no }.into(),
        19 => BasicQos { prefetch_size: 0, prefetch_count: 2, global: yes }.into(),
        20 => BasicRecover { requeue: true }.into(),
        21 if chance.is_one_in(4) => TxSelect {}.into(),
        22 if chance.is_one_in(2) => TxCommit {}.into(),
        23 if chance.is_one_in(2) => TxRollback {}.into(),
        24 => ConfirmSelect { nowait }.into(),
        25 => {
            ExchangeDeclare { exchange: "e", kind: "topic", nowait, ..ExchangeDeclare::default() }
                .into()
        }
        26 => ExchangeDelete { exchange: "e", if_unused: yes, nowait, ..ExchangeDelete::default() }
            .into(),
        27 => ChannelClose::default().into(),
        28 if chance.is_one_in(20) => ChannelCloseOk {}.into(),
        29 if chance.is_one_in(20) => ChannelOpen::default().into(),
        _ => BasicGet { ticket: 0, queue, no_ack: no }.into(),
    }
}

fn properties(chance: &mut Chance) -> BasicProperties {
    let keys = FieldValue::Array(vec![FieldValue::from("a"), FieldValue::from("b")]);
    let header = chance.one_of(&["CC", "BCC", "other"]);
    BasicProperties {
        delivery_mode: chance.is_one_in(2).then_some(2),
        expiration: if chance.is_one_in(8) { ShortStr::new("0").ok() } else { None },
        headers: chance.is_one_in(4).then(|| FieldTable::new().with(header, keys)),
        ..BasicProperties::default()
    }
}

/// What a client sends next, which may be damaged.
fn input(chance: &mut Chance) -> Vec<u8> {
    let channel = chance.one_of(&[1, 1, 1, 2]);
    let mut bytes = Vec::new();
    for _ in 0..=chance.below(4) {
        if chance.is_one_in(2) {
            encode_method(channel, &method(chance), &mut bytes);
        } else {
            let exchange = chance.one_of(&EXCHANGES);
            let routing_key = chance.one_of(&QUEUES);
            let publish = BasicPublish {
                exchange: exchange.into(),
                routing_key: routing_key.into(),
                mandatory: chance.is_one_in(3),
                ..BasicPublish::default()
            };
            let body = vec![b'x'; chance.one_of(&[0, 1, 12, 5_000, 20_000])];
            let properties = properties(chance).to_bytes();
            encode_publish(channel, &publish, &properties, &body, 8192, &mut bytes);
        }
    }
    if chance.is_one_in(200) {
        let at = chance.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << chance.below(8);
    }
    if chance.is_one_in(200) {
        encode_method(0, &ConnectionClose::default().into(), &mut bytes);
        encode_method(0, &ConnectionCloseOk {}.into(), &mut bytes);
    }
    bytes
}

fn open(broker: &Arc<Broker>) -> Client {
    let mut client = Client::open(broker);
    client.send(2, ChannelOpen::default());
    client.declare_with("a", FieldTable::new());
    client.declare("b");
    client
}

fn is_over(client: &Client) -> bool {
    matches!(client.connection.stage, Stage::Closed | Stage::Silent | Stage::Gone(_))
}

/// Reads what came, and opens channels again that the server closed. Returns how many messages came.
fn read(client: &mut Client) -> usize {
    let said = client.said();
    for channel in [1, 2] {
        if said.contains(&format!("{channel}: channel.close ")) {
            client.send(channel, ChannelCloseOk {});
        }
        if said.contains(&format!("{channel}: channel.close")) {
            client.send(channel, ChannelOpen::default());
        }
    }
    if said.contains("0: connection.close ") {
        client.send(0, ConnectionCloseOk {});
    }
    said.matches("deliver ").count() + said.matches("get-ok ").count()
}

/// Returns how many messages clients got.
fn run(broker: &Arc<Broker>, journal: &MemoryJournal, chance: &mut Chance) -> usize {
    let mut clients = [open(broker), open(broker)];
    let mut received = 0;
    journal.hold();
    for _ in 0..200 {
        let client = &mut clients[chance.below(2) as usize];
        let bytes = input(chance);
        let cut = chance.below(bytes.len() as u64 + 1) as usize;
        let (front, rest) = bytes.split_at(cut);
        client.bytes(front);
        if chance.is_one_in(2) {
            received += read(client);
        }
        client.bytes(rest);
        received += read(client);
        if chance.is_one_in(3) {
            journal.sync();
        }
        if chance.is_one_in(50) {
            client.wait(5_000);
        }
        if is_over(client) || chance.is_one_in(60) {
            journal.sync();
            *client = open(broker);
        }
    }
    journal.sync();
    received
}

#[test]
fn whatever_clients_do_nothing_is_left_behind() {
    let mut received = 0;
    for seed in 1..=100 {
        let journal = Arc::new(MemoryJournal::default());
        let broker = broker_with(BrokerConfig::default(), journal.clone());
        received += run(&broker, &journal, &mut Chance(seed * 0x9e37_79b9));
        assert!(broker.registry.connections().is_empty(), "seed {seed}");
        for queue in broker.queues() {
            let counts = broker.counts(&queue);
            assert_eq!((counts.unacked, counts.consumers), (0, 0), "seed {seed}: {queue:?}");
            assert_eq!(queue.record.owner, None, "seed {seed}: {queue:?}");
        }
    }
    // Mistakes are frequent, but not all there is.
    assert!(5_000 < received, "{received}");
}
