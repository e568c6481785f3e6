use super::{ACCESS, CTL, Command, Run, count, set_permissions::missing};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_permissions",
    tools: CTL,
    section: ACCESS,
    usage: "[--vhost <vhost>] <username>",
    about: "Takes a user's rights in a vhost away",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        let (user, vhost) = (request.argument(0), request.vhost());
        vec![format!("Clearing permissions for user \"{user}\" in vhost \"{vhost}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.clear_permissions(request.vhost(), request.argument(0)).map_err(missing)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
