//! Values that only logging has: templates, field maps, times of rotation.

use super::typed::FieldMap;
use crate::value::{Result, integer, one_of};
use crate::{LogLevel, LogPart, LogPeriod, LogSchedule};

/// `$time [$level] $msg`
pub(super) fn template(text: &str) -> Result<Vec<LogPart>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_variable = rest.starts_with('$');
        let start = usize::from(is_variable);
        let ends = |c: char| match is_variable {
            true => !c.is_ascii_alphanumeric() && c != '_',
            false => c == '$',
        };
        let len = rest[start..].find(ends).map_or(rest.len(), |len| start + len);
        if len == start {
            return Err(format!("\"{rest}\" does not begin with a variable's name"));
        }
        let part = rest[start..len].to_owned();
        parts.push(if is_variable { LogPart::Variable(part) } else { LogPart::Text(part) });
        rest = &rest[len..];
    }
    Ok(parts)
}

/// `time:ts level msg *:-`
pub(super) fn field_map(text: &str) -> Result<FieldMap> {
    let mut map = FieldMap::default();
    for entry in text.split_whitespace() {
        match entry.split_once(':') {
            Some(("*", "-")) => map.has_only_mapped = true,
            Some(("*", _)) => return Err(format!("\"{entry}\" names all fields")),
            Some((old, "-")) => map.fields.push((old.to_owned(), None)),
            Some((old, new)) => map.fields.push((old.to_owned(), Some(new.to_owned()))),
            None => map.fields.push((entry.to_owned(), Some(entry.to_owned()))),
        }
    }
    Ok(map)
}

/// `debug:2 info:1 *:0`
pub(super) fn verbosity_map(text: &str) -> Result<Vec<(LogLevel, u64)>> {
    let mut map = Vec::new();
    let mut others = None;
    for entry in text.split_whitespace() {
        let Some((level, number)) = entry.split_once(':') else {
            return Err(format!("\"{entry}\" is not a level, a colon and a number"));
        };
        let number = integer(number)?;
        match level {
            "*" => others = Some(number),
            level => map.push((one_of(level, LogLevel::NAMED)?, number)),
        }
    }
    for (_, level) in LogLevel::NAMED {
        if let Some(number) = others
            && !map.iter().any(|(it, _)| it == level)
        {
            map.push((*level, number));
        }
    }
    Ok(map)
}

/// `$D0` (each day at midnight), `$H30`, `$W0D12`, `$M1D4`, `$ML`; nothing is never.
pub(super) fn schedule(text: &str) -> Result<Option<LogSchedule>> {
    if text.is_empty() {
        return Ok(None);
    }
    let error = || format!("Failed to parse rotation date spec: \"{text}\"");
    let period = text.strip_prefix('$').ok_or_else(error)?;
    let mut letters = period.char_indices();
    let (_, kind) = letters.next().ok_or_else(error)?;
    let rest = letters.as_str();
    let within = |digits: &str, max: i8| match digits.parse::<i8>() {
        Ok(number) if (0..=max).contains(&number) => Ok(number),
        _ => Err(error()),
    };
    let (day, hour) = match rest.split_once('D') {
        Some((day, hour)) => (day, within(hour, 23)?),
        None => (rest, 0),
    };
    let at = |every, hour, minute| Ok(Some(LogSchedule { every, hour, minute }));
    match kind {
        'H' => at(LogPeriod::Hour, 0, within(rest, 59)?),
        'D' => at(LogPeriod::Day, within(rest, 23)?, 0),
        'W' => at(LogPeriod::Week(within(day, 6)?), hour, 0),
        'M' if day == "L" || day == "l" => at(LogPeriod::Month(31), hour, 0),
        'M' => match within(day, 31)? {
            0 => Err(error()),
            day => at(LogPeriod::Month(day), hour, 0),
        },
        _ => Err(error()),
    }
}
