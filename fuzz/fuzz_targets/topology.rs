//! Anything as the control plane's snapshot and commands: what is restored is written again as it
//! was, what decodes comes back, and applying it changes the state or says why not.
#![no_main]

use std::sync::LazyLock;

use field_table::FieldTable;
use leveret_fuzz::damage;
use libfuzzer_sys::fuzz_target;
use topology::{
    AddUser, AddVhost, BindingSpec, Command, DeclareExchange, DeclareQueue, DestinationKind,
    SetPermissions, State,
};

fn commands() -> Vec<Command> {
    let (vhost, all) = ("v".to_owned(), ".*".to_owned());
    let arguments = FieldTable::new().with("x-queue-type", "quorum").with("x-delivery-limit", 3);
    vec![
        Command::AddVhost(AddVhost { name: vhost.clone(), ..AddVhost::default() }),
        Command::AddUser(AddUser {
            name: "u".to_owned(),
            password_hash: "AQIDBA==".to_owned(),
            hashing_algorithm: "rabbit_password_hashing_sha256".to_owned(),
            tags: vec!["administrator".to_owned()],
        }),
        Command::SetPermissions(SetPermissions {
            user: "u".to_owned(),
            vhost: vhost.clone(),
            configure: all.clone(),
            write: all.clone(),
            read: all,
        }),
        Command::DeclareExchange(DeclareExchange {
            vhost: vhost.clone(),
            name: "x".to_owned(),
            kind: "topic".to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::new().with("alternate-exchange", "amq.fanout"),
        }),
        Command::DeclareQueue(DeclareQueue {
            vhost: vhost.clone(),
            name: "q".to_owned(),
            is_server_named: false,
            durable: true,
            auto_delete: false,
            owner: None,
            arguments,
        }),
        Command::Bind(BindingSpec {
            vhost,
            source: "x".to_owned(),
            destination_kind: DestinationKind::Queue,
            destination: "q".to_owned(),
            key: "a.#".to_owned(),
            arguments: FieldTable::default(),
        }),
        Command::SetClusterName("c".to_owned()),
    ]
}

/// A snapshot of a state with a bit of everything, then the commands that made it.
static STORED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut state = State::default();
    let mut stored = Vec::new();
    for (index, command) in (1..).zip(commands()) {
        state.apply(index, &command, &mut Vec::new()).expect("nothing is against it");
        stored.push(command.encode());
    }
    stored.insert(0, state.snapshot());
    stored
});

fuzz_target!(|script: &[u8]| {
    let mut stored = STORED.clone();
    damage(&mut stored, script);
    let Some((snapshot, commands)) = stored.split_first() else { return };
    let mut state = match State::restore(snapshot) {
        Ok(state) => state,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            State::default()
        }
    };
    let written = state.snapshot();
    let again = State::restore(&written).expect("it was just written");
    assert_eq!(again.snapshot(), written);
    for bytes in commands {
        let Ok(command) = Command::decode(bytes) else { continue };
        assert_eq!(Command::decode(&command.encode()).as_ref(), Ok(&command));
        drop(state.apply(state.applied_index() + 1, &command, &mut Vec::new()));
    }
    let written = state.snapshot();
    assert_eq!(State::restore(&written).expect("it was just written").snapshot(), written);
});
