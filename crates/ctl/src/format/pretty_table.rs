//! A table with lines, drawn with the VT100's line-drawing characters.

use std::io::{self, Write};

use super::{erlang, table};
use operator::Term;

/// A line-drawing character between the escapes that switch the set.
fn lines(text: &str) -> String {
    format!("\x1b(0{text}\x1b(B")
}

/// Nothing at all when there are no rows.
pub(super) fn rows(columns: &[String], rows: &[Vec<Term>], to: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    draw(columns, &cells, to)
}

/// A single text, under the title `Output`.
pub(super) fn single(text: &str, to: &mut dyn Write) -> io::Result<()> {
    draw(&["Output".to_owned()], &[vec![text.to_owned()]], to)
}

fn draw(titles: &[String], rows: &[Vec<String>], to: &mut dyn Write) -> io::Result<()> {
    let mut widths: Vec<usize> = titles.iter().map(|title| title.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let border = |left: &str, middle: &str, right: &str| {
        let bars: Vec<String> = widths.iter().map(|width| "q".repeat(width + 2)).collect();
        lines(&format!("{left}{}{right}", bars.join(middle)))
    };
    let line = |cells: &[String], is_title: bool| {
        let mut text = lines("x");
        for (cell, width) in cells.iter().zip(&widths) {
            let padding = " ".repeat(width - cell.chars().count());
            let cell = if is_title { format!("\x1b[1m{cell}\x1b[0m") } else { cell.clone() };
            text.push_str(&format!(" {cell}{padding} {}", lines("x")));
        }
        text
    };
    writeln!(to, "{}", border("l", "w", "k"))?;
    writeln!(to, "{}", line(titles, true))?;
    for row in rows {
        writeln!(to, "{}", border("t", "n", "u"))?;
        writeln!(to, "{}", line(row, false))?;
    }
    writeln!(to, "{}", border("m", "v", "j"))
}

/// The drawing library runs the elements of a list together.
fn cell(value: &Term) -> String {
    match value {
        Term::List(values) => values.iter().map(cell).collect(),
        Term::Table(fields) => erlang::table_fields(fields).concat(),
        Term::Atom(_) | Term::Text(_) | Term::Pid(_) => table::cell(value),
        value => erlang::term(value),
    }
}
