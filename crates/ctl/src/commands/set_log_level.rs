use super::{CONFIGURATION, CTL, Command, Run, count};
use crate::{
    exit,
    protocol::{Failure, Output},
};

const LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];

pub(super) const COMMAND: Command = Command {
    name: "set_log_level",
    tools: CTL,
    section: CONFIGURATION,
    usage: "<log_level>",
    about: "Changes how much is logged until the next restart",
    prepare: |request| count(request, 1, 1),
    // An unknown level is refused before anything is printed.
    banner: |request, _| match request.argument(0) {
        level if LEVELS.contains(&level) => vec![format!("Setting log level to \"{level}\" ...")],
        _ => Vec::new(),
    },
    run: Run::OnNode(|operator, request, _| {
        let level = request.argument(0);
        if !LEVELS.contains(&level) {
            return Err(Failure::error(
                exit::UNAVAILABLE,
                format!("level {level} is not supported. Try one of {}", LEVELS.join(", ")),
            ));
        }
        operator.set_log_level(level)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
