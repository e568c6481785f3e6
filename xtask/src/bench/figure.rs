//! What was measured, held against its bars.

use std::fmt::Write as _;

use serde::Serialize;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Better {
    More,
    Less,
}

/// A demand on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bar {
    /// Leveret's own value, inclusive: at least this when more is better, at most otherwise.
    Own(f64),
    /// So many times better than the reference, inclusive.
    Times(f64),
    /// Better than the reference at all.
    Ahead,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    /// `None` when it could not be measured.
    pub(super) leveret: Option<f64>,
    pub(super) reference: Option<f64>,
    pub(super) bars: Vec<Bar>,
    /// What one must know beside the numbers.
    pub(super) note: String,
}

impl Figure {
    /// How many times better Leveret is: 2 is twice the rate or half the time.
    pub(super) fn ratio(&self) -> Option<f64> {
        let (leveret, reference) = (self.leveret?, self.reference?);
        match self.better {
            Better::More if reference > 0.0 => Some(leveret / reference),
            Better::Less if leveret > 0.0 => Some(reference / leveret),
            _ => None,
        }
    }

    /// Whether all bars are met; `None` when there is none, or nothing to hold against one.
    pub(super) fn is_met(&self) -> Option<bool> {
        let leveret = self.leveret?;
        let mut verdict = None;
        for bar in &self.bars {
            let is_met = match (bar, self.better) {
                (Bar::Own(bound), Better::More) => leveret >= *bound,
                (Bar::Own(bound), Better::Less) => leveret <= *bound,
                (Bar::Times(times), _) => self.ratio()? >= *times,
                (Bar::Ahead, Better::More) => leveret > self.reference?,
                (Bar::Ahead, Better::Less) => leveret < self.reference?,
            };
            verdict = Some(verdict.unwrap_or(true) && is_met);
        }
        verdict
    }

    fn bars_text(&self) -> String {
        let sign = if self.better == Better::More { '≥' } else { '≤' };
        let texts: Vec<String> = self
            .bars
            .iter()
            .map(|bar| match bar {
                Bar::Own(bound) => format!("{sign} {}", quantity(*bound)),
                Bar::Times(times) => format!("≥ {times}×"),
                Bar::Ahead if self.better == Better::More => "above the reference".to_owned(),
                Bar::Ahead => "below the reference".to_owned(),
            })
            .collect();
        texts.join(", ")
    }
}

/// The table, in Markdown.
pub(super) fn table(figures: &[Figure]) -> String {
    let mut text = String::from(
        "| figure | unit | Leveret | reference | times better | bar | met | |\n\
         |---|---|---:|---:|---:|---|---|---|\n",
    );
    for figure in figures {
        let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), quantity);
        let met = figure.is_met().map_or("–", |it| if it { "yes" } else { "**no**" });
        let ratio = figure.ratio().map_or_else(|| "–".to_owned(), |it| format!("{it:.1}"));
        writeln!(
            text,
            "| {} | {} | {} | {} | {ratio} | {} | {met} | {} |",
            figure.name,
            figure.unit,
            value(figure.leveret),
            value(figure.reference),
            figure.bars_text(),
            figure.note,
        )
        .expect("a String takes all");
    }
    text
}

/// Three or more significant digits, thousands set apart.
pub(super) fn quantity(value: f64) -> String {
    if value.abs() < 100.0 {
        let digits = match value.abs() {
            ..1.0 => 3,
            ..10.0 => 2,
            _ => 1,
        };
        let text = format!("{value:.digits$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return if text.is_empty() { "0".to_owned() } else { text.to_owned() };
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one, the lower of two; what is no number does not count.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|it| !it.is_nan());
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
