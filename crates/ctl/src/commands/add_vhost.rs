use super::{CTL, Command, Misuse, Run, VHOSTS, count};
use operator::VhostInfo;

use crate::{args::text, protocol::Output};

const QUEUE_TYPES: [&str; 3] = ["quorum", "stream", "classic"];

pub(super) const COMMAND: Command = Command {
    name: "add_vhost",
    tools: CTL,
    section: VHOSTS,
    usage: "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" \
            --default-queue-type <quorum|classic|stream>]",
    about: "Makes a vhost; nothing happens when there is one of that name",
    options: &[text("description"), text("tags"), text("default-queue-type")],
    prepare: |request| {
        count(request, 1, 1)?;
        match request.options.get("default-queue-type").map(String::as_str) {
            Some(typed) if !QUEUE_TYPES.contains(&typed) => Err(Misuse::bad(format!(
                "Default queue type must be one of: {}. Provided: {typed}",
                QUEUE_TYPES.join(", ")
            ))),
            _ => Ok(()),
        }
    },
    banner: |request, _| vec![format!("Adding vhost \"{}\" ...", request.argument(0))],
    run: Run::OnNode(|operator, request, _| {
        let option = |name: &str| request.options.get(name).cloned();
        let tags = option("tags").unwrap_or_default();
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        operator.add_vhost(&VhostInfo {
            name: request.argument(0).to_owned(),
            description: option("description").unwrap_or_default(),
            tags: tags.map(str::to_owned).collect(),
            default_queue_type: option("default-queue-type"),
            ..VhostInfo::default()
        })?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
