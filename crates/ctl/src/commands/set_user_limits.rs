use super::{CTL, Command, Run, USERS, count, json_object, no_such_user};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_user_limits",
    tools: CTL,
    section: USERS,
    usage: "<username> <definition>",
    about: "Limits a user's connections and channels; the definition is a JSON object",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let (user, definition) = (request.argument(0), request.argument(1));
        vec![format!("Setting user limits to \"{definition}\" for user \"{user}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let limits = json_object(request.argument(1))?;
        operator.set_user_limits(request.argument(0), &limits).map_err(no_such_user)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
