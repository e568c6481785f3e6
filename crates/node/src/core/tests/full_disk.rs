//! A whole node, stepped by hand, on a disk without room.

use std::sync::Mutex;

use broker::QueueRef;
use message::{Incoming, MessageRef};
use storage::SimDisk;
use topology::{AddVhost, DeclareQueue};

use crate::core::*;

const NOW: Timestamp = Timestamp(1000);

struct OnSimDisk {
    disk: SimDisk,
    core: Core,
    /// What the alarm heard.
    heard: Arc<Mutex<Vec<bool>>>,
    /// What was answered to declarations.
    answers: Arc<Mutex<Vec<String>>>,
}

impl OnSimDisk {
    fn start(disk: &SimDisk, resident_max: u64) -> Self {
        Self::try_start(disk, resident_max).unwrap()
    }

    fn try_start(disk: &SimDisk, resident_max: u64) -> Result<Self, NodeError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let vhost = AddVhost { name: "/".to_owned(), ..AddVhost::default() };
        let options = CoreOptions {
            disk: Arc::new(disk.clone()),
            data_dir: "/data".into(),
            log: EngineOptions::default(),
            is_synced: true,
            broker: BrokerConfig { resident_max, ..BrokerConfig::default() },
            rules: Rules::default(),
            first_boot: vec![Command::AddVhost(vhost)],
            seed: 1,
            accepts_damage: false,
            on_full: Some(Box::new({
                let heard = heard.clone();
                move |is_full| heard.lock().unwrap().push(is_full)
            })),
        };
        let core = Core::open(options, NOW)?;
        Ok(Self { disk: disk.clone(), core, heard, answers: Arc::default() })
    }

    fn heard(&self) -> Vec<bool> {
        self.heard.lock().unwrap().clone()
    }

    fn declare(&mut self, name: &str) {
        let command = DeclareQueue {
            vhost: "/".to_owned(),
            name: name.to_owned(),
            is_server_named: false,
            durable: true,
            auto_delete: false,
            owner: None,
            arguments: Default::default(),
        };
        let (answers, name) = (self.answers.clone(), name.to_owned());
        let done = Box::new(move |result: Result<_, topology::Refusal>| {
            let answer = result.map_or_else(|refusal| refusal.text, |_| "made".to_owned());
            answers.lock().unwrap().push(format!("{name}: {answer}"));
        });
        self.core.broker.propose_with(Command::DeclareQueue(command), done);
    }

    fn answers(&self) -> Vec<String> {
        std::mem::take(&mut *self.answers.lock().unwrap())
    }

    fn queue(&self, name: &str) -> QueueRef {
        let topology = self.core.broker.topology();
        let id = topology.vhost("/").and_then(|it| it.queue(name)).expect("declared").id;
        self.core.broker.queue(id).expect("declared")
    }

    fn publish(&self, queue: &QueueRef, is_persistent: bool) {
        let mut turn = self.core.broker.begin(NOW);
        let message = MessageRef {
            exchange: b"",
            routing_key: b"q",
            properties: &[0, 0],
            body: &[b'x'; 1000],
            image: None,
        };
        let history = Default::default();
        let incoming = Incoming { message, is_persistent, priority: None, ttl_ms: None, history };
        self.core.broker.publish(&mut turn, queue, &[incoming]);
        self.core.broker.finish(turn);
    }

    fn take_all(&self, queue: &QueueRef) -> usize {
        let broker = &self.core.broker;
        let mut turn = broker.begin(NOW);
        let taken =
            std::iter::from_fn(|| broker.get(&mut turn, queue, None, |got| got.map(drop)).0);
        let count = taken.count();
        broker.finish(turn);
        count
    }
}

#[test]
fn declarations_wait_for_room_and_the_node_goes_on() {
    let mut node = OnSimDisk::start(&SimDisk::new(1), 1 << 20);
    // Nothing fits, not even where the reserve was, once the last block of the log is written to.
    node.disk.set_capacity(0);
    node.declare("q0");
    let mut declared = 1;
    while node.core.step_control(NOW).unwrap() {
        node.declare(&format!("q{declared}"));
        declared += 1;
    }
    node.answers();
    for name in ["a", "b"] {
        node.declare(name);
        assert_eq!(node.core.step_control(NOW).ok(), Some(false));
    }
    assert_eq!(node.answers(), [""; 0]);
    assert!(!node.core.has_failed());
    drop(node.core.purge(NOW));
    assert_eq!(node.heard(), [true]);

    node.disk.set_capacity(u64::MAX);
    assert_eq!(node.core.step_control(NOW).ok(), Some(true));
    let waited = format!("q{}: made", declared - 1);
    assert_eq!(node.answers(), [&waited, "a: made", "b: made"]);
    node.core.purge(NOW).unwrap();
    assert_eq!(node.heard(), [true, false]);
    node.disk.power_cut(1);
    let node = OnSimDisk::start(&node.disk, 1 << 20);
    assert_eq!(&*node.queue("a").record.name, "a");
    assert_eq!(&*node.queue("b").record.name, "b");
}

#[test]
fn declarations_go_on_where_the_reserve_was() {
    let mut node = OnSimDisk::start(&SimDisk::new(1), 1 << 20);
    node.disk.set_capacity(node.disk.used_bytes());
    for number in 0..100 {
        node.declare(&format!("q{number}"));
        assert_eq!(node.core.step_control(NOW).ok(), Some(true));
    }
    assert_eq!(node.answers().len(), 100);
    drop(node.core.purge(NOW));
    assert_eq!(node.heard(), [true], "but it is time to tell");
}

#[test]
fn a_disk_that_only_the_pager_finds_full_is_full() {
    let mut node = OnSimDisk::start(&SimDisk::new(1), 16 << 10);
    node.declare("q");
    node.core.step_control(NOW).unwrap();
    node.disk.set_capacity(node.disk.used_bytes());
    let queue = node.queue("q");
    (0..100).for_each(|_| node.publish(&queue, false));
    assert!(!node.core.step_log() && !node.core.step_pages(NOW).unwrap());
    assert_eq!(node.heard(), [true]);
    assert!(!node.core.step_pages(NOW).unwrap(), "it is tried again");
    node.disk.set_capacity(u64::MAX);
    assert!(node.core.step_pages(NOW).unwrap());
    assert_eq!(node.heard(), [true, false]);
    assert!(node.core.broker.resident_bytes() <= 16 << 10);
    assert_eq!(node.take_all(&queue), 100);
}

#[test]
fn consumers_end_what_only_the_pager_finds() {
    let mut node = OnSimDisk::start(&SimDisk::new(1), 16 << 10);
    node.declare("q");
    node.core.step_control(NOW).unwrap();
    node.disk.set_capacity(node.disk.used_bytes());
    let queue = node.queue("q");
    (0..100).for_each(|_| node.publish(&queue, false));
    assert!(!node.core.step_pages(NOW).unwrap());
    assert_eq!(node.take_all(&queue), 100);
    assert!(!node.core.step_pages(NOW).unwrap(), "nothing has to leave memory");
    assert_eq!(node.heard(), [true, false]);
}

#[test]
fn messages_stay_in_memory_while_the_reserve_is_in_use() {
    let mut node = OnSimDisk::start(&SimDisk::new(1), 16 << 10);
    node.declare("q");
    node.core.step_control(NOW).unwrap();
    node.disk.set_capacity(node.disk.used_bytes());
    let queue = node.queue("q");
    (0..100).for_each(|_| node.publish(&queue, true));
    assert!(node.core.step_log(), "where the reserve was");
    let used = node.disk.used_bytes();
    assert!(!node.core.step_pages(NOW).unwrap());
    assert_eq!((node.disk.used_bytes(), node.heard()), (used, vec![true]));
    assert_eq!(node.take_all(&queue), 100);
    node.disk.set_capacity(u64::MAX);
    node.core.purge(NOW).unwrap();
    assert_eq!(node.heard(), [true, false]);
}

#[test]
fn a_start_without_any_room_says_so_and_loses_nothing() {
    let disk = SimDisk::new(1);
    disk.set_capacity(0);
    let refused = OnSimDisk::try_start(&disk, 1 << 20).err().expect("not even a first file fits");
    assert!(matches!(refused, NodeError::DataDir(_)), "{refused}");

    disk.set_capacity(u64::MAX);
    let mut node = OnSimDisk::start(&disk, 1 << 20);
    disk.set_capacity(0);
    let mut declared = 0;
    node.declare("q0");
    while node.core.step_control(NOW).unwrap() {
        declared += 1;
        node.declare(&format!("q{declared}"));
    }
    drop(node);
    disk.kill();
    // What little a start writes fits behind the last block once or twice.
    let refused = (0..9).find_map(|_| {
        let started = OnSimDisk::try_start(&disk, 1 << 20);
        disk.kill();
        started.err()
    });
    let refused = refused.expect("there is no room for a block");
    assert!(matches!(refused, NodeError::Full(_)), "{refused}");
    assert!(refused.to_string().contains("make room"), "{refused}");

    disk.set_capacity(u64::MAX);
    let node = OnSimDisk::start(&disk, 1 << 20);
    for queue in 0..declared {
        node.queue(&format!("q{queue}"));
    }
}
