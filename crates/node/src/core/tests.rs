//! Starts on a damaged control plane.

use std::path::Path;
use std::sync::Arc;

use broker::BrokerConfig;
use stdx::Timestamp;
use storage::{GroupId, SimDisk};
use topology::{AddVhost, Command, Rules};

use super::*;

mod full_disk;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LOG: &str = "/data/log/0000000001.log";
/// A queue's group without a queue.
const NOBODYS: GroupId = GroupId(77);

fn add_vhost(name: &str) -> Command {
    Command::AddVhost(AddVhost { name: name.to_owned(), ..AddVhost::default() })
}

fn open(disk: &SimDisk, accepts_damage: bool) -> Result<Core, NodeError> {
    let options = CoreOptions {
        disk: Arc::new(disk.clone()),
        data_dir: "/data".into(),
        log: EngineOptions::default(),
        is_synced: true,
        broker: BrokerConfig::default(),
        rules: Rules::default(),
        first_boot: vec![add_vhost("/")],
        seed: 1,
        accepts_damage,
        on_full: None,
    };
    Core::open(options, NOW)
}

/// A stopped node with three vhosts, and one in the log that nobody removed.
fn stopped() -> SimDisk {
    let disk = SimDisk::new(1);
    let mut core = open(&disk, false).unwrap();
    for name in ["first-vhost", "second-vhost", "third-vhost"] {
        core.plane.propose_now(vec![add_vhost(name)], NOW).unwrap();
    }
    core.close(NOW).unwrap();
    disk
}

fn vhosts(core: &Core) -> Vec<String> {
    let topology = core.broker.topology();
    let mut names: Vec<String> = topology.vhosts().map(|it| it.name().to_string()).collect();
    names.sort_unstable();
    names
}

fn position(disk: &SimDisk, text: &str) -> u64 {
    let bytes = disk.read(Path::new(LOG));
    bytes.windows(text.len()).position(|bytes| bytes == text.as_bytes()).unwrap() as u64
}

#[test]
fn a_start_does_not_pass_over_lost_declarations_unless_told() {
    let disk = stopped();
    disk.rot(Path::new(LOG), position(&disk, "second-vhost"), 1);
    for _ in 0..2 {
        let refused = open(&disk, false).err().expect("an entry is lost");
        assert!(matches!(&refused, NodeError::Lost { entries } if entries.len() == 1), "{refused}");
        assert!(refused.to_string().contains("--accept-damage"), "{refused}");
    }
    let core = open(&disk, true).unwrap();
    assert_eq!(vhosts(&core), ["/", "first-vhost", "third-vhost"]);
    core.close(NOW).unwrap();
    let core = open(&disk, false).unwrap();
    assert_eq!(vhosts(&core), ["/", "first-vhost", "third-vhost"]);
}

#[test]
fn messages_of_a_queue_that_nobody_knows_stay_while_the_log_is_damaged() {
    let disk = stopped();
    let core = open(&disk, false).unwrap();
    core.wal.append(NOBODYS, 1, b"a confirmed message");
    core.close(NOW).unwrap();
    // The whole block of one of the declarations.
    let block = position(&disk, "second-vhost");
    let before = disk.read(Path::new(LOG));
    let mark = &before[..8];
    let header = before[..block as usize].windows(8).rposition(|bytes| bytes == mark).unwrap();
    disk.rot(Path::new(LOG), header as u64, 1);
    for _ in 0..2 {
        let refused = open(&disk, false).err().expect("something is lost");
        assert!(matches!(refused, NodeError::Lost { .. } | NodeError::Orphans { .. }), "{refused}");
    }
    let core = open(&disk, true).unwrap();
    core.close(NOW).unwrap();
    let core = open(&disk, false).unwrap();
    assert_eq!(core.wal.groups(), []);
}

/// The last declaration is lost with its block, so that nothing follows it in its log.
#[test]
fn messages_of_the_queue_declared_last_stay_when_its_declaration_is_lost() {
    let disk = stopped();
    let mut core = open(&disk, false).unwrap();
    core.plane.propose_now(vec![add_vhost("the-last-one")], NOW).unwrap();
    core.wal.append(NOBODYS, 1, b"a confirmed message");
    core.close(NOW).unwrap();
    let at = position(&disk, "the-last-one") as usize;
    let before = disk.read(Path::new(LOG));
    let header = before[..at].windows(8).rposition(|bytes| bytes == &before[..8]).unwrap();
    disk.rot(Path::new(LOG), header as u64, 1);
    let refused = open(&disk, false).err().expect("something is lost");
    assert!(matches!(refused, NodeError::Lost { .. } | NodeError::Orphans { .. }), "{refused}");
}

#[test]
fn messages_of_a_queue_that_nobody_knows_go_when_all_is_sound() {
    let disk = stopped();
    let core = open(&disk, false).unwrap();
    core.wal.append(NOBODYS, 1, b"of a queue deleted just before a crash");
    core.close(NOW).unwrap();
    open(&disk, false).unwrap().close(NOW).unwrap();
    assert_eq!(open(&disk, false).unwrap().wal.groups(), []);
}
