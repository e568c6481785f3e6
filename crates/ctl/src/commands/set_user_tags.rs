use super::{CTL, Command, Run, USERS, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_user_tags",
    tools: CTL,
    section: USERS,
    usage: "<username> <tag> [...]",
    about: "Replaces a user's tags",
    prepare: |request| count(request, 1, usize::MAX),
    banner: |request, _| {
        let tags = request.arguments[1..].join(", ");
        vec![format!("Setting tags for user \"{}\" to [{tags}] ...", request.argument(0))]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.set_user_tags(request.argument(0), request.arguments.get(1..).unwrap_or(&[]))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
