use super::{ACCESS, CTL, Command, Run, count};
use operator::{PermissionInfo, Refusal};

use crate::{
    exit,
    protocol::{Failure, Output, Request},
};

pub(super) const COMMAND: Command = Command {
    name: "set_permissions",
    tools: CTL,
    section: ACCESS,
    usage: "[--vhost <vhost>] <username> <conf> <write> <read>",
    about: "Grants a user rights in a vhost",
    prepare: |request| count(request, 4, 4),
    banner: |request, _| {
        let (user, vhost) = (request.argument(0), request.vhost());
        vec![format!("Setting permissions for user \"{user}\" in vhost \"{vhost}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.set_permissions(&permission(request, request.vhost())).map_err(missing)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

/// The arguments of both commands that grant.
pub(super) fn permission(request: &Request, vhost: &str) -> PermissionInfo {
    PermissionInfo {
        user: request.argument(0).to_owned(),
        vhost: vhost.to_owned(),
        configure: request.argument(1).to_owned(),
        write: request.argument(2).to_owned(),
        read: request.argument(3).to_owned(),
    }
}

/// Grants name a missing user or vhost in their own way.
pub(super) fn missing(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::NoSuchUser(user) => {
            Failure::error(exit::NOUSER, format!("User {user} does not exist"))
        }
        Refusal::NoSuchVhost(vhost) => {
            Failure::error(exit::UNAVAILABLE, format!("Virtual host {vhost} does not exist"))
        }
        refusal => refusal.into(),
    }
}
