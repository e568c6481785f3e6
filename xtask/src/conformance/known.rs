//! The failures we know: cases that RabbitMQ itself fails, and cases that need a part of RabbitMQ
//! behind another port. The list is exact both ways: a listed case that passes is as wrong as an
//! unlisted one that fails.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::SuiteReport;
use super::cases::{Case, Outcome};

/// Where a listed case fails.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FailsOn {
    /// On RabbitMQ 4.3 and hence on Leveret.
    Rabbitmq,
    /// On Leveret only: the case needs what Leveret does not have yet.
    Leveret,
    /// Now and then, on RabbitMQ too: the case depends on chance.
    Sometimes,
}

#[derive(Deserialize)]
struct Entry {
    suite: String,
    /// The case's name; a `*` at the end stands for any rest.
    case: String,
    fails_on: FailsOn,
    /// For the reader.
    #[serde(rename = "reason")]
    _reason: String,
}

impl Entry {
    fn covers(&self, suite: &str, case: &str) -> bool {
        self.suite == suite
            && match self.case.strip_suffix('*') {
                Some(start) => case.starts_with(start),
                None => self.case == case,
            }
    }
}

/// The list.
pub(super) struct Known {
    entries: Vec<Entry>,
    /// The broker under test is not Leveret.
    other_broker: bool,
}

/// A result that the list does not explain.
pub(super) enum Surprise {
    Failed { case: String, message: String },
    Passed { case: String },
    NotRun { case: String },
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { case, message } => {
                let last = message.lines().rfind(|line| !line.trim().is_empty());
                write!(f, "FAILED {case}: {}", last.unwrap_or("no message").trim())
            }
            Self::Passed { case } => write!(f, "PASSED, though listed as failing: {case}"),
            Self::NotRun { case } => write!(f, "NOT RUN, though listed as failing: {case}"),
        }
    }
}

impl Known {
    /// Reads the list.
    pub(super) fn read(file: &Path, other_broker: bool) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        let entries = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
        Ok(Self { entries, other_broker })
    }

    /// What differs from the list. `whole`: modules ran as a whole, so a listed case of one that
    /// ran is there, or exists no longer.
    pub(super) fn compare(&self, suite: &str, cases: &[Case], whole: bool) -> Vec<Surprise> {
        let mut surprises: Vec<_> =
            cases.iter().filter_map(|case| self.surprise(suite, case)).collect();
        for entry in self.entries.iter().filter(|it| whole && it.suite == suite) {
            let module_ran = cases.iter().any(|case| module(&case.case) == module(&entry.case));
            if module_ran && !cases.iter().any(|case| entry.covers(suite, &case.case)) {
                surprises.push(Surprise::NotRun { case: entry.case.clone() });
            }
        }
        surprises
    }

    fn surprise(&self, suite: &str, case: &Case) -> Option<Surprise> {
        let entry = self.entries.iter().find(|entry| entry.covers(suite, &case.case));
        match (case.outcome, entry.map(|it| it.fails_on)) {
            (Outcome::Failed, None) => {
                Some(Surprise::Failed { case: case.case.clone(), message: case.message.clone() })
            }
            (Outcome::Passed | Outcome::Skipped, Some(FailsOn::Rabbitmq)) => {
                Some(Surprise::Passed { case: case.case.clone() })
            }
            (Outcome::Passed | Outcome::Skipped, Some(FailsOn::Leveret)) if !self.other_broker => {
                Some(Surprise::Passed { case: case.case.clone() })
            }
            _ => None,
        }
    }
}

/// The file that a case is in.
fn module(case: &str) -> &str {
    case.split("::").next().and_then(|file| file.split(" > ").next()).unwrap_or(case)
}

/// How many of all failures the list explains.
pub(super) fn explained(failed: usize, reports: &[SuiteReport]) -> usize {
    let surprises = reports.iter().flat_map(|report| &report.surprises);
    failed - surprises.filter(|it| matches!(it, Surprise::Failed { .. })).count()
}

#[cfg(test)]
mod tests;
