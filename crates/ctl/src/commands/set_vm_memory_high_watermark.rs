use config::MemoryHighWatermark;

use super::{CONFIGURATION, CTL, Command, Misuse, Run, count};
use crate::protocol::{Output, Request};

pub(super) const COMMAND: Command = Command {
    name: "set_vm_memory_high_watermark",
    tools: CTL,
    section: CONFIGURATION,
    usage: "<fraction> | absolute <value>",
    about: "Moves the memory alarm until the next restart",
    prepare: |request| {
        let is_absolute = request.arguments.first().is_some_and(|word| word == "absolute");
        let wanted = if is_absolute { 2 } else { 1 };
        count(request, wanted, wanted)?;
        watermark(request).map(|_| ())
    },
    banner: |request, node| {
        let typed = request.argument(request.arguments.len() - 1);
        let unit = if request.arguments.len() == 2 { " bytes" } else { "" };
        vec![format!("Setting memory threshold on {node} to {typed}{unit} ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        if let Ok(watermark) = watermark(request) {
            operator.set_vm_memory_high_watermark(watermark)?;
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

fn watermark(request: &Request) -> Result<MemoryHighWatermark, Misuse> {
    if request.arguments.len() == 2 {
        let bytes = config::information_unit(request.argument(1));
        return bytes.map(MemoryHighWatermark::Absolute).map_err(|_| Misuse::BadArgument(None));
    }
    match request.argument(0).parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(MemoryHighWatermark::Relative(share)),
        Ok(_) => Err(Misuse::bad("The threshold should be a fraction between 0.0 and 1.0")),
        Err(_) => Err(Misuse::BadArgument(None)),
    }
}
