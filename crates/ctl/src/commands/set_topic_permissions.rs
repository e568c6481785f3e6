use super::{ACCESS, CTL, Command, Run, count, set_permissions::missing};
use operator::{Refusal, TopicPermissionInfo};

use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "set_topic_permissions",
    tools: CTL,
    section: ACCESS,
    usage: "[--vhost <vhost>] <username> <exchange> <write> <read>",
    about: "Restricts the routing keys a user may use on a topic exchange",
    prepare: |request| count(request, 4, 4),
    banner: |request, _| {
        let (user, exchange) = (request.argument(0), request.argument(1));
        let vhost = request.vhost();
        vec![format!(
            "Setting topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" \
             ..."
        )]
    },
    run: Run::OnNode(|operator, request, _| {
        let permission = TopicPermissionInfo {
            user: request.argument(0).to_owned(),
            vhost: request.vhost().to_owned(),
            exchange: request.argument(1).to_owned(),
            write: request.argument(2).to_owned(),
            read: request.argument(3).to_owned(),
        };
        operator.set_topic_permissions(&permission).map_err(refused)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

/// The same words as for permissions, but for the pattern's quotes.
fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::InvalidRegex { pattern, reason, position } => Failure::error(
            exit::UNAVAILABLE,
            format!("{{:invalid_regexp, \"{pattern}\", {{~c\"{reason}\", {position}}}}}"),
        ),
        refusal => missing(refusal),
    }
}
