use super::{
    ACCESS, CTL, Command, Run, count,
    set_permissions::{missing, permission},
};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_permissions_globally",
    tools: CTL,
    section: ACCESS,
    usage: "<username> <conf> <write> <read>",
    about: "Grants a user rights in every vhost that exists now",
    prepare: |request| count(request, 4, 4),
    banner: |request, _| {
        let user = request.argument(0);
        vec![format!("Setting permissions for user \"{user}\" in all virtual hosts ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        for vhost in operator.list_vhosts()? {
            operator.set_permissions(&permission(request, &vhost.name)).map_err(missing)?;
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
