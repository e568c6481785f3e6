//! How answers look: `--formatter`.

mod csv;
mod erlang;
mod json;
mod pretty_table;
mod table;

use std::io::{self, Write};

pub(crate) use erlang::{float, term as erlang_term};

use operator::Term;

use crate::protocol::Output;

/// The formats RabbitMQ's tools have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    PrettyTable,
    Json,
    Csv,
    Erlang,
}

impl Format {
    /// `string` and `inspect`, which some commands use by default, look like `table` here.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "table" | "string" | "inspect" => Self::Table,
            "pretty_table" => Self::PrettyTable,
            "json" | "json_stream" => Self::Json,
            "csv" => Self::Csv,
            "erlang" => Self::Erlang,
            _ => return None,
        })
    }

    /// Whether a program reads it: then no banner is printed.
    pub(crate) fn is_machine_readable(self) -> bool {
        matches!(self, Self::Json | Self::Csv)
    }

    /// What is neither row nor progress.
    pub(crate) fn output(self, output: &Output, to: &mut dyn Write) -> io::Result<()> {
        match (self, output) {
            (_, Output::Nothing) => Ok(()),
            (Self::Json, Output::Text(text)) => {
                writeln!(to, "{}", serde_json::json!({ "message": text }))
            }
            (Self::Json, Output::Report { value, .. }) => writeln!(to, "{value}"),
            (Self::PrettyTable, Output::Text(text) | Output::Report { text, .. }) => {
                pretty_table::single(text, to)
            }
            (_, Output::Text(text) | Output::Report { text, .. }) => writeln!(to, "{text}"),
        }
    }
}

/// Rows on their way to the terminal.
pub(crate) struct Rows<'a> {
    format: Format,
    /// Off with `-s` and `--no-table-headers`.
    has_header: bool,
    columns: Vec<String>,
    /// Kept until the end by the formats that need all.
    kept: Vec<Vec<Term>>,
    count: u64,
    to: &'a mut dyn Write,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        format: Format,
        has_header: bool,
        columns: Vec<String>,
        to: &'a mut dyn Write,
    ) -> io::Result<Self> {
        if format == Format::Json {
            writeln!(to, "[")?;
        }
        Ok(Self { format, has_header, columns, kept: Vec::new(), count: 0, to })
    }

    pub(crate) fn row(&mut self, values: Vec<Term>) -> io::Result<()> {
        let is_first = self.count == 0;
        self.count += 1;
        match self.format {
            Format::Table => {
                if is_first && self.has_header {
                    writeln!(self.to, "{}", self.columns.join("\t"))?;
                }
                writeln!(self.to, "{}", table::row(&values))
            }
            Format::Csv => {
                if is_first {
                    writeln!(self.to, "{}", csv::header(&self.columns))?;
                }
                writeln!(self.to, "{}", csv::row(&values))
            }
            Format::Json => {
                let separator = if is_first { "" } else { "," };
                writeln!(self.to, "{separator}{}", json::row(&self.columns, &values))
            }
            Format::PrettyTable | Format::Erlang => {
                self.kept.push(values);
                Ok(())
            }
        }
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        match self.format {
            Format::Table | Format::Csv => Ok(()),
            Format::Json => writeln!(self.to, "]"),
            Format::PrettyTable => pretty_table::rows(&self.columns, &self.kept, self.to),
            Format::Erlang => writeln!(self.to, "{}", erlang::rows(&self.columns, &self.kept)),
        }
    }
}

#[cfg(test)]
mod tests;
