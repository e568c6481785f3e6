use super::{CTL, Command, Run, USERS, count, no_such_user};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_user_limits",
    tools: CTL,
    section: USERS,
    usage: "<username> <limit_type> | all",
    about: "Lifts one limit of a user, or all",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let user = request.argument(0);
        vec![match request.argument(1) {
            "all" => format!("Clearing all limits for user \"{user}\" ..."),
            limit => format!("Clearing \"{limit}\" limit for user \"{user}\" ..."),
        }]
    },
    run: Run::OnNode(|operator, request, _| {
        let limit = Some(request.argument(1)).filter(|limit| *limit != "all");
        operator.clear_user_limits(request.argument(0), limit).map_err(no_such_user)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
