use super::{CTL, Command, OPERATIONS, Run, count};
use operator::{CloseLimits, ConnectionsOf};

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "close_all_user_connections",
    tools: CTL,
    section: OPERATIONS,
    usage: "<username> <explanation>",
    about: "Closes all connections of a user",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let (user, reason) = (request.argument(0), request.argument(1));
        vec![format!("Closing connections of user {user}, reason: {reason}...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let user = ConnectionsOf::User(request.argument(0));
        operator.close_all_connections(user, CloseLimits::default(), request.argument(1))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
