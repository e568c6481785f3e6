//! Comma-separated values, all of them quoted. RabbitMQ 4.3 fails on columns that hold a list;
//! here they read as in the table.

use super::table;
use operator::Term;

pub(super) fn header(columns: &[String]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",")
}

pub(super) fn row(values: &[Term]) -> String {
    values.iter().map(|value| quoted(&table::cell(value))).collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
