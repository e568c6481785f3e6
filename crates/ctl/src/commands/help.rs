use super::{COMMANDS, Command, HELP, Run, Tool, count, find};
use crate::{
    args::flag,
    exit,
    protocol::{Failure, Output},
    usage,
};

pub(super) const COMMAND: Command = Command {
    name: "help",
    tools: &Tool::ALL,
    section: HELP,
    usage: "(<command> | [--list-commands])",
    about: "Explains a command, or lists all",
    options: &[flag("list-commands")],
    prepare: |request| count(request, 0, 1),
    run: Run::Here(|local| {
        if local.request.has("list-commands") {
            let names: Vec<&str> = COMMANDS
                .iter()
                .filter(|command| command.tools.contains(&local.tool))
                .map(|command| command.name)
                .collect();
            return Ok(Output::Text(names.join("\n")));
        }
        let Some(name) = local.request.arguments.first() else {
            return Ok(Output::Text(usage::all(local.tool)));
        };
        match find(name).filter(|command| command.tools.contains(&local.tool)) {
            Some(command) => Ok(Output::Text(usage::of(command, local.tool))),
            None => Err(Failure::error(exit::USAGE, format!("\nCommand '{name}' not found."))),
        }
    }),
    ..Command::BASE
};
