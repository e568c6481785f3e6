use super::{Command, DIAGNOSTICS, Misuse, POLICIES, Run, count, policies};
use operator::PolicyObject;

use crate::{args::text, format::Format, protocol::Request};

pub(super) const COMMAND: Command = Command {
    name: "list_policies_that_match",
    tools: DIAGNOSTICS,
    section: POLICIES,
    usage: "[--object-type <type>] <name>",
    about: "Shows the policies that match a queue or an exchange; the first one applies",
    options: &[text("object-type")],
    format: Format::PrettyTable,
    prepare: |request| {
        count(request, 1, 1)?;
        object(request).map(drop)
    },
    banner: |request, _| {
        let (name, vhost) = (request.argument(0), request.vhost());
        vec![format!(
            "Listing policies that match {} '{name}' in vhost '{vhost}' ...",
            object_name(request)
        )]
    },
    run: Run::OnNode(|operator, request, sink| {
        let object = object(request).unwrap_or(PolicyObject::Queue);
        let found = operator.policies_that_match(request.vhost(), object, request.argument(0));
        policies::list_matching(found, request, sink)
    }),
    ..Command::BASE
};

fn object_name(request: &Request) -> &str {
    request.options.get("object-type").map_or("queue", String::as_str)
}

fn object(request: &Request) -> Result<PolicyObject, Misuse> {
    match object_name(request) {
        "queue" => Ok(PolicyObject::Queue),
        "exchange" => Ok(PolicyObject::Exchange),
        other => Err(Misuse::bad(format!("there is no object type '{other}'"))),
    }
}
