use super::{ACCESS, CTL, Command, Run, count, set_permissions::missing};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_topic_permissions",
    tools: CTL,
    section: ACCESS,
    usage: "[--vhost <vhost>] <username> [<exchange>]",
    about: "Lifts restrictions on a user's routing keys",
    prepare: |request| count(request, 1, 2),
    banner: |request, _| {
        let (user, vhost) = (request.argument(0), request.vhost());
        let what = match request.arguments.get(1) {
            Some(exchange) => format!("topic permissions on \"{exchange}\""),
            None => "topic permissions".to_owned(),
        };
        vec![format!("Clearing {what} for user \"{user}\" in vhost \"{vhost}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let exchange = request.arguments.get(1).map(String::as_str);
        operator
            .clear_topic_permissions(request.vhost(), request.argument(0), exchange)
            .map_err(missing)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
