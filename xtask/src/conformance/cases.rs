//! What a suite reports: cases with their outcomes.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// The suite itself decided not to run it.
    Skipped,
}

/// One case of a suite, named as the suite names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) case: String,
    pub(super) outcome: Outcome,
    /// Why it failed or was skipped; empty when it passed.
    #[serde(default)]
    pub(super) message: String,
}

impl Case {
    /// A failure of the suite as a whole.
    pub(super) fn failed(case: &str, message: &str) -> Self {
        Self { case: case.to_owned(), outcome: Outcome::Failed, message: message.to_owned() }
    }

    /// Something that was not run, and why.
    pub(super) fn skipped(case: &str, message: &str) -> Self {
        Self { case: case.to_owned(), outcome: Outcome::Skipped, message: message.to_owned() }
    }
}

/// Reads a report of one JSON object per line. A case told twice counts by the later line.
pub(super) fn read_report(file: &Path) -> Result<Vec<Case>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let mut cases: Vec<Case> = Vec::new();
    // The last line may be cut short when the suite was ended.
    for case in text.lines().filter_map(|line| serde_json::from_str::<Case>(line).ok()) {
        match cases.iter_mut().find(|it| it.case == case.case) {
            Some(earlier) => *earlier = case,
            None => cases.push(case),
        }
    }
    Ok(cases)
}

/// Reads what `cargo test` printed, run with one thread. Cases are named `tests/FILE.rs::NAME`.
pub(super) fn read_cargo_output(output: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut file = "";
    // A test that prints puts its output between its name and how it ended.
    let mut running = None;
    for line in output.lines() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("Running ") {
            file = rest.split(" (").next().unwrap_or(rest);
            continue;
        }
        let started = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
        let (name, ending) = match (started, running) {
            (Some((name, ending)), _) => (name, ending),
            (None, Some(name)) => (name, line),
            (None, None) => continue,
        };
        let Some(outcome) = ending_of(ending) else {
            running = Some(name);
            continue;
        };
        running = None;
        let message = match outcome {
            Outcome::Failed => panic_text(output, name),
            _ => String::new(),
        };
        cases.push(Case { case: format!("{file}::{name}"), outcome, message });
    }
    if let Some(name) = running {
        cases.push(Case::failed(&format!("{file}::{name}"), "did not end"));
    }
    cases
}

fn ending_of(text: &str) -> Option<Outcome> {
    match text {
        "ok" => Some(Outcome::Passed),
        "FAILED" => Some(Outcome::Failed),
        text if text == "ignored" || text.starts_with("ignored, ") => Some(Outcome::Skipped),
        _ => None,
    }
}

/// What `cargo test` repeats at its end about a failed test.
fn panic_text(output: &str, name: &str) -> String {
    let head = format!("---- {name} stdout ----");
    let Some((_, rest)) = output.split_once(&head) else { return String::new() };
    let end = rest.find("\n---- ").or_else(|| rest.find("\nfailures:")).unwrap_or(rest.len());
    rest[..end].trim().to_owned()
}

#[cfg(test)]
mod tests;
