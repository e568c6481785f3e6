use super::{CTL_AND_DIAGNOSTICS, Command, Run, USERS, limits_json, no_such_user};
use operator::Term;

use crate::{
    args::{flag, text},
    protocol::{Output, Request},
};

pub(super) const COMMAND: Command = Command {
    name: "list_user_limits",
    tools: CTL_AND_DIAGNOSTICS,
    section: USERS,
    usage: "[--user <username>] [--global]",
    about: "Shows the limits of one user, or of all that have some",
    options: &[text("user"), flag("global"), flag("table-headers")],
    banner: |request, _| {
        vec![match request.has("global") {
            true => "Listing limits for all users ...".to_owned(),
            false => format!("Listing limits for user \"{}\" ...", user(request)),
        }]
    },
    run: Run::OnNode(|operator, request, sink| {
        if !request.has("global") {
            let limits = operator.user_limits(user(request)).map_err(no_such_user)?;
            return Ok(Output::Text(limits_json(&limits)));
        }
        let limits = operator.all_user_limits()?;
        sink.columns(&["user", "limits"], true);
        for (user, limits) in limits {
            sink.row(vec![Term::text(&user), Term::Text(limits_json(&limits))]);
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

fn user(request: &Request) -> &str {
    request.options.get("user").map_or("guest", String::as_str)
}
