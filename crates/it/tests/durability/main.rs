//! Proof of durability: the real broker is killed again and again under load, stopped, and given
//! damaged files, and what its clients know is held against what it has afterwards.
//!
//! `LEVERET_SEED` repeats a run's choices, `LEVERET_ROUNDS` sets how many kills there are. What
//! happens between processes stays a matter of their speed, so a seed makes a failure likely
//! again, not certain.

mod big;
mod check;
mod control;
mod damage;
mod full;
mod inspect;
mod load;
mod round;
mod stop;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use it::Server;
use simulator::Chance;
use simulator::QueueName::{Priority, Quorum, Rejects, Single, Work};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use round::{KillAt, Round, Shared};

/// Kills per run unless `LEVERET_ROUNDS` says otherwise.
const ROUNDS: u32 = 50;

const CONF: &str = "log.console.level = info\n";

/// Rounds after which settled messages are forgotten.
const ROUNDS_REMEMBERED: u32 = 5;

fn seed() -> u64 {
    let given = std::env::var("LEVERET_SEED").ok();
    given.map_or_else(
        || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.expect("the clock is past 1970").as_nanos() as u64
        },
        |text| text.parse().expect("LEVERET_SEED is a number"),
    )
}

fn rounds() -> u32 {
    let given = std::env::var("LEVERET_ROUNDS").ok();
    given.map_or(ROUNDS, |text| text.parse().expect("LEVERET_ROUNDS is a number"))
}

#[test]
fn nothing_is_lost_or_comes_back_when_the_broker_is_killed() {
    let seed = seed();
    println!("LEVERET_SEED={seed}");
    let mut chance = Chance::new(seed);
    let runtime = Runtime::new().expect("a runtime");
    let shared = Arc::new(Shared::default());
    let mut server = Server::start(CONF);
    let configured = fs::read_to_string(conf_path(&server)).expect("readable");
    let mut rounds_with_pages = 0;
    for number in 1..=rounds() {
        if 1 < number {
            while chance.one_in(4) {
                server.start_and_kill_after(Duration::from_micros(chance.below(80_000)));
            }
            let limit = memory_limit(&mut chance);
            fs::write(conf_path(&server), format!("{configured}{limit}")).expect("writable");
            server.restart();
        }
        let started_at = SystemTime::now();
        let round = Round::new(number, server.address(), &shared);
        let at = match chance.below(10) {
            0 | 1 => KillAt::Inspection(chance.below(300)),
            2 => KillAt::Inspected,
            _ => KillAt::Load(chance.below(1200)),
        };
        let mut chance = chance.fork();
        std::thread::scope(|scope| {
            let clients = scope.spawn({
                let (round, server, mut chance) = (&round, &server, chance.fork());
                let runtime = &runtime;
                move || run_clients(runtime, round, server, &mut chance)
            });
            round.await_kill(if number == 1 { KillAt::Load(200) } else { at });
            kill(&server);
            clients.join().expect("clients do not panic");
        });
        server.kill();
        rounds_with_pages += u32::from(are_pages_written_since(&server, started_at));
        let mut ledger = round.ledger();
        ledger.crash();
        let violations = std::mem::take(&mut ledger.violations);
        assert!(
            violations.is_empty(),
            "LEVERET_SEED={seed} round {number} killed at {at:?}:\n{}\nlog:\n{}",
            violations.join("\n"),
            tail(&server.log()),
        );
        let oldest = number.saturating_sub(ROUNDS_REMEMBERED) * load::PUBLISHERS_PER_ROUND;
        ledger.prune(oldest);
        assert!(!server.log().contains("panicked"), "round {number}:\n{}", tail(&server.log()));
    }
    let ledger = shared.ledger.lock().expect("no client panicked");
    println!("{} rounds, {} events, {} confirmed", rounds(), ledger.events, ledger.confirmed);
    println!("quorum queues: {:?}", ledger.quorum);
    assert!(0 < ledger.quorum.confirms && 0 < ledger.quorum.returns, "{:?}", ledger.quorum);
    println!("pages were written in {rounds_with_pages} of them");
    assert!(rounds() <= 4 * rounds_with_pages, "in {rounds_with_pages} of {} rounds", rounds());
}

fn conf_path(server: &Server) -> PathBuf {
    server.dir().join("rabbitmq.conf")
}

/// A line that lets backlogs go to pages, mostly so early that all rounds have some there.
fn memory_limit(chance: &mut Chance) -> String {
    match chance.below(4) {
        0 => String::new(),
        1 => "message_memory_limit = 0\n".to_owned(),
        _ => format!("message_memory_limit = {}\n", chance.below(100_000)),
    }
}

fn are_pages_written_since(server: &Server, moment: SystemTime) -> bool {
    let entries = fs::read_dir(server.dir().join("data/pages")).expect("a directory of pages");
    let mut files = entries.map(|entry| entry.expect("an entry").metadata().expect("a file"));
    files.any(|file| moment < file.modified().expect("this system keeps times"))
}

/// `kill -9` while clients hold on to the server.
fn kill(server: &Server) {
    let pid = server.pid().expect("it runs").to_string();
    let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
    assert!(killed.is_ok_and(|it| it.success()), "kill -KILL {pid}");
}

/// The end of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Looks at what is there, then loads the broker until it is gone.
fn run_clients(runtime: &Runtime, round: &Round, server: &Server, chance: &mut Chance) {
    control::inspect(round, server);
    let inspected = runtime.block_on(async {
        if round.number == 1 {
            let connection = round.connect().await?;
            load::declare(&connection.create_channel().await?).await?;
        }
        tokio::select! {
            inspected = inspect::inspect(round, chance) => inspected,
            () = round.killed() => Ok(()),
        }
    });
    if round.is_killed() {
        return;
    }
    if let Err(error) = inspected {
        return round.complain(format!("while looking at what is there: {error}"));
    }
    round.begin_load();
    let mut clients = JoinSet::new();
    let handle = runtime.handle();
    for worker in 0..2 {
        clients.spawn_on(load::publish(round.clone(), chance.fork(), worker), handle);
    }
    for queue in [Work, Priority, Rejects, Quorum, Single] {
        clients.spawn_on(load::consume(round.clone(), chance.fork(), queue), handle);
    }
    clients.spawn_on(load::poll(round.clone(), chance.fork(), 2), handle);
    clients.spawn_on(load::transact(round.clone(), chance.fork(), 3), handle);
    clients.spawn_on(control::churn(round.clone(), chance.fork()), handle);
    control::add_user(round, server, chance);
    runtime.block_on(async {
        loop {
            let ended = tokio::select! {
                ended = clients.join_next() => ended,
                () = round.killed() => None,
            };
            let Some(ended) = ended else { break };
            if let Err(error) = ended.expect("clients do not panic") {
                round.complain(format!("a client failed under load: {error}"));
            }
        }
        clients.shutdown().await;
    });
}
