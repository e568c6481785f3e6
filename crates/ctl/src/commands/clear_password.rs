use super::{CTL, Command, Run, USERS, count, no_such_user};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_password",
    tools: CTL,
    section: USERS,
    usage: "<username>",
    about: "Ends a user's logins with a password",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        vec![format!("Clearing password for user \"{}\" ...", request.argument(0))]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.clear_password(request.argument(0)).map_err(no_such_user)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
