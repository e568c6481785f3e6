use super::{CTL, Command, Run, USERS, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "delete_user",
    tools: CTL,
    section: USERS,
    usage: "<username>",
    about: "Removes a user; nothing happens when there is none of that name",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| vec![format!("Deleting user \"{}\" ...", request.argument(0))],
    run: Run::OnNode(|operator, request, _| {
        operator.delete_user(request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
