//! Declarations and users under way when the broker dies: what was answered must hold.

use std::collections::BTreeMap;
use std::process::Output;

use it::Server;
use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{ExchangeKind, Result};
use simulator::Chance;

use crate::round::Round;

/// What is known of one declared thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Present,
    Absent,
    /// Asked for and not answered.
    Either,
}

/// Kinds of things, each with a command that lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Queue,
    Exchange,
    /// Destination.
    Binding,
    User,
    Permission,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Queue, Self::Exchange, Self::Binding, Self::User, Self::Permission];

    fn listing(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &["list_queues", "name"],
            Self::Exchange => &["list_exchanges", "name"],
            Self::Binding => &["list_bindings", "source_name", "routing_key"],
            Self::User => &["list_users"],
            Self::Permission => &["list_permissions"],
        }
    }

    /// How a thing's name appears in its listing.
    fn line(self, name: &str) -> String {
        match self {
            Self::Queue | Self::Exchange => name.to_owned(),
            Self::Binding => format!("churn\t{name}"),
            Self::User => format!("{name}\t[]"),
            Self::Permission => format!("{name}\t{name}-.*\t.*\t"),
        }
    }
}

/// All declarations of all rounds.
#[derive(Debug, Default)]
pub(crate) struct ControlLedger {
    things: BTreeMap<(Kind, String), Known>,
}

impl ControlLedger {
    fn set(&mut self, kind: Kind, name: &str, known: Known) {
        self.things.insert((kind, name.to_owned()), known);
    }

    /// Holds listings against what is known, and learns what was open.
    fn check(&mut self, kind: Kind, listing: &str) -> Vec<String> {
        let mut violations = Vec::new();
        for ((_, name), known) in self.things.iter_mut().filter(|((it, _), _)| *it == kind) {
            let line = kind.line(name);
            let found =
                if listing.lines().any(|it| it == line) { Known::Present } else { Known::Absent };
            if *known != Known::Either && *known != found {
                violations.push(format!("{kind:?} {name}: expected {known:?}, found {found:?}"));
            }
            *known = found;
        }
        // Gone and found gone: names are not used again.
        self.things.retain(|_, known| *known != Known::Absent);
        violations
    }
}

/// Asks the broker what it has.
pub(crate) fn inspect(round: &Round, server: &Server) {
    for kind in Kind::ALL {
        let mut arguments = vec!["-q"];
        arguments.extend(kind.listing());
        if matches!(kind, Kind::User | Kind::Permission) {
            arguments.retain(|it| *it != "name");
        }
        arguments.push("--no-table-headers");
        let Output { status, stdout, stderr } = server.ctl("rabbitmqctl", &arguments);
        if !status.success() {
            let stderr = String::from_utf8_lossy(&stderr);
            return round.complain(format!("{arguments:?} failed: {stderr}"));
        }
        let violations = round.control().check(kind, &String::from_utf8_lossy(&stdout));
        round.note(|ledger| ledger.violations.extend(violations));
    }
}

/// Declares and deletes durable things.
pub(crate) async fn churn(round: Round, mut chance: Chance) -> Result<()> {
    let connection = round.connect().await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default;
    channel.exchange_declare("churn", ExchangeKind::Direct, durable, none()).await?;
    let mut queues = Vec::new();
    for number in 0.. {
        let name = format!("churn-{}-{number}", round.number);
        let note = |kind, known| {
            round.control().set(kind, &name, known);
            round.note(|ledger| ledger.events += 1);
        };
        if chance.one_in(4) {
            note(Kind::Exchange, Known::Either);
            channel.exchange_declare(&name, ExchangeKind::Fanout, durable, none()).await?;
            note(Kind::Exchange, Known::Present);
            if chance.one_in(2) {
                note(Kind::Exchange, Known::Either);
                channel.exchange_delete(&name, ExchangeDeleteOptions::default()).await?;
                note(Kind::Exchange, Known::Absent);
            }
            continue;
        }
        note(Kind::Queue, Known::Either);
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(&name, options, none()).await?;
        note(Kind::Queue, Known::Present);
        note(Kind::Binding, Known::Either);
        let options = QueueBindOptions::default();
        channel.queue_bind(&name, "churn", &name, options, none()).await?;
        note(Kind::Binding, Known::Present);
        queues.push(name);
        if 3 < queues.len() {
            let name = queues.swap_remove(chance.below(queues.len() as u64) as usize);
            for known in [Known::Either, Known::Absent] {
                if known == Known::Absent {
                    channel.queue_delete(&name, QueueDeleteOptions::default()).await?;
                }
                round.control().set(Kind::Queue, &name, known);
                round.control().set(Kind::Binding, &name, known);
            }
        }
    }
    Ok(())
}

/// Adds a user with permissions, and deletes it again every other time.
pub(crate) fn add_user(round: &Round, server: &Server, chance: &mut Chance) {
    let name = format!("user-{}", round.number);
    let run = |kind, known, arguments: &[&str]| {
        round.control().set(kind, &name, Known::Either);
        let is_done = server.ctl("rabbitmqctl", arguments).status.success();
        if is_done {
            round.control().set(kind, &name, known);
        }
        is_done
    };
    let configure = format!("{name}-.*");
    let permissions = ["set_permissions", &name, &configure, ".*", ""];
    if run(Kind::User, Known::Present, &["add_user", &name, "secret"])
        && run(Kind::Permission, Known::Present, &permissions)
        && chance.one_in(2)
    {
        round.control().set(Kind::Permission, &name, Known::Either);
        if run(Kind::User, Known::Absent, &["delete_user", &name]) {
            round.control().set(Kind::Permission, &name, Known::Absent);
        }
    }
}
