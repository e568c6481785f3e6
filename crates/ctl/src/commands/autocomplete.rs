use super::{COMMANDS, Command, HELP, Run, Tool, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "autocomplete",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Queues, Tool::Plugins],
    section: HELP,
    usage: "[prefix] [--timeout <timeout>]",
    about: "Shows the commands that begin with a prefix",
    prepare: |request| count(request, 0, 1),
    run: Run::Here(|local| {
        let mut names: Vec<&str> = COMMANDS
            .iter()
            .filter(|command| command.tools.contains(&local.tool))
            .map(|command| command.name)
            .filter(|name| name.starts_with(local.request.argument(0)))
            .collect();
        names.sort_unstable();
        match names.is_empty() {
            true => Ok(Output::Nothing),
            false => Ok(Output::Text(names.join("\n"))),
        }
    }),
    ..Command::BASE
};
