use config::DiskFreeLimit;

use super::{CONFIGURATION, CTL, Command, Misuse, Run, count};
use crate::protocol::{Output, Request};

pub(super) const COMMAND: Command = Command {
    name: "set_disk_free_limit",
    tools: CTL,
    section: CONFIGURATION,
    usage: "<disk_limit> | mem_relative <fraction>",
    about: "Moves the disk alarm until the next restart",
    prepare: |request| {
        let is_relative = request.arguments.first().is_some_and(|word| word == "mem_relative");
        let wanted = if is_relative { 2 } else { 1 };
        count(request, wanted, wanted)?;
        limit(request).map(|_| ()).ok_or(Misuse::BadArgument(None))
    },
    banner: |request, node| {
        let typed = request.argument(request.arguments.len() - 1);
        vec![match request.arguments.len() {
            2 => format!("Setting disk free limit on {node} to {typed} times the total RAM ..."),
            _ => format!("Setting disk free limit on {node} to {typed} bytes ..."),
        }]
    },
    run: Run::OnNode(|operator, request, _| {
        if let Some(limit) = limit(request) {
            operator.set_disk_free_limit(limit)?;
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

fn limit(request: &Request) -> Option<DiskFreeLimit> {
    if request.arguments.len() == 2 {
        let factor: f64 = request.argument(1).parse().ok()?;
        return (0.0 <= factor && factor.is_finite()).then_some(DiskFreeLimit::Relative(factor));
    }
    config::information_unit(request.argument(0)).ok().map(DiskFreeLimit::Absolute)
}
