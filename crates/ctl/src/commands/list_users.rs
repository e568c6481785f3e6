use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, Run, USERS};
use operator::Term;

use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_users",
    tools: CTL_AND_DIAGNOSTICS,
    section: USERS,
    usage: "[--no-table-headers] [--timeout <timeout>]",
    about: "Shows users and their tags",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |_, _| vec!["Listing users ...".to_owned()],
    run: Run::OnNode(|operator, _, sink| {
        let users = operator.list_users()?;
        sink.columns(&["user", "tags"], true);
        for user in users {
            sink.row(vec![Term::text(&user.name), Term::atoms(&user.tags)]);
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
