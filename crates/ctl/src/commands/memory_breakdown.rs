use serde_json::{Map, json};

use super::status::{amount, unit};
use super::{Command, DIAGNOSTICS, MONITORING, Misuse, Run, count};
use operator::MemoryInfo;

use crate::{args::text, format, protocol::Output};

/// Fewer than `status` knows.
const UNITS: [&str; 3] = ["bytes", "mb", "gb"];

pub(super) const COMMAND: Command = Command {
    name: "memory_breakdown",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--unit <unit>] [--timeout <timeout>]",
    about: "Shows what the node's memory is used for",
    options: &[text("unit")],
    prepare: |request| {
        count(request, 0, 0)?;
        let unit = unit(request);
        if UNITS.iter().any(|known| unit.eq_ignore_ascii_case(known)) {
            return Ok(());
        }
        Err(Misuse::Other(format!(
            "\"unit '{unit}' is not supported. Please use one of: {}\"",
            UNITS.join(", ")
        )))
    },
    banner: |_, node| vec![format!("Reporting memory breakdown on node {node}...")],
    run: Run::OnNode(|operator, request, _| {
        let memory = operator.status().memory;
        let unit = unit(request);
        let lines = shares(&memory).into_iter().map(|(name, bytes, percent)| {
            format!("{name}: {} ({}%)", amount(bytes, &unit), format::float(percent))
        });
        let values: Map<_, _> = shares(&memory)
            .into_iter()
            .map(|(name, bytes, percentage)| {
                (name.to_owned(), json!({ "bytes": bytes, "percentage": percentage }))
            })
            .collect();
        Ok(Output::Report { text: lines.collect::<Vec<_>>().join("\n"), value: values.into() })
    }),
    ..Command::BASE
};

/// Name, bytes and percentage of each use, the largest first.
fn shares(memory: &MemoryInfo) -> Vec<(&str, u64, f64)> {
    let total: u64 = memory.breakdown.iter().map(|(_, bytes)| bytes).sum();
    let mut shares: Vec<_> = memory
        .breakdown
        .iter()
        .map(|(name, bytes)| {
            let percent = (*bytes as f64 / total.max(1) as f64 * 1e4).round() / 1e2;
            (name.as_str(), *bytes, percent)
        })
        .collect();
    shares.sort_by(|(a, bytes, _), (b, more, _)| more.cmp(bytes).then(a.cmp(b)));
    shares
}
