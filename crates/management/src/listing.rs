//! Lists: which columns, in which order, which page.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use topology::Pattern;

use crate::call::Query;
use crate::reply::{Answer, Failure, Reply};

/// Rows on a page unless told otherwise, and at most.
const PAGE_SIZE: usize = 100;
const PAGE_SIZE_MAX: usize = 500;

/// Longest regular expression for names, bytes.
const FILTER_LEN_MAX: usize = 1024;

/// A key of a JSON object and how to read its value from a row; `None` leaves the key out.
pub(crate) type Key<T> = (&'static str, fn(&T) -> Option<Value>);

/// Something that is shown as JSON.
pub(crate) trait Row: Sized + 'static {
    /// Its keys by name.
    const KEYS: &'static [Key<Self>];

    /// What the parameter `name` is compared with.
    fn name(&self) -> &str;
}

/// Something in a list that knows what it is sorted by, and is made into JSON when it is shown.
pub(crate) trait Listed {
    /// As [`Row::name`].
    fn name(&self) -> &str;

    /// What stands at this path; `None` counts as 0.
    fn key(&self, path: &[&str]) -> Option<Value>;

    /// The wanted part; `None` if it is gone meanwhile.
    fn show(&self, columns: &Columns) -> Option<Value>;
}

impl<T: Row> Listed for T {
    fn name(&self) -> &str {
        Row::name(self)
    }

    fn key(&self, path: &[&str]) -> Option<Value> {
        let (first, rest) = path.split_first()?;
        let (_, read) = T::KEYS.iter().find(|(key, _)| key == first)?;
        rest.iter().try_fold(read(self)?, |value, name| value.get(*name).cloned())
    }

    fn show(&self, columns: &Columns) -> Option<Value> {
        Some(columns.of_row(self))
    }
}

/// Steps of a column's path that count: what is asked for further inside comes whole.
const COLUMN_DEPTH_MAX: usize = 8;

/// Which keys of a row are wanted, and which of those inside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    All,
    /// By key: a request may name very many, and each row asks for all of its own.
    Some(BTreeMap<String, Self>),
}

impl Columns {
    pub(crate) fn of(query: &Query) -> Self {
        let Some(text) = query.get("columns") else { return Self::All };
        let mut columns = Self::Some(BTreeMap::new());
        for path in text.split(',').filter(|it| !it.is_empty()) {
            columns.add(path.split('.').filter(|it| !it.is_empty()).take(COLUMN_DEPTH_MAX));
        }
        columns
    }

    /// Adds a path such as `message_stats.publish`.
    fn add<'a>(&mut self, path: impl Iterator<Item = &'a str>) {
        let mut path = path.peekable();
        if path.peek().is_none() {
            return;
        }
        let mut at = self;
        for key in path {
            let Self::Some(keys) = at else { return };
            at = keys.entry(key.to_owned()).or_insert_with(|| Self::Some(BTreeMap::new()));
        }
        *at = Self::All;
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(keys) => keys.contains_key(key),
        }
    }

    /// The columns wanted inside `key`.
    fn within(&self, key: &str) -> &Self {
        match self {
            Self::All => self,
            Self::Some(keys) => keys.get(key).unwrap_or(&Self::All),
        }
    }

    /// The wanted part of a value.
    pub(crate) fn of_value(&self, value: Value) -> Value {
        match (self, value) {
            (Self::All, value) => value,
            (_, Value::Object(object)) => {
                let wanted = object.into_iter().filter(|(key, _)| self.has(key));
                let wanted: Map<_, _> = wanted
                    .map(|(key, value)| {
                        let inner = self.within(&key);
                        (key, inner.of_value(value))
                    })
                    .collect();
                // Where Erlang's empty object and empty list are the same.
                if wanted.is_empty() { Value::Array(Vec::new()) } else { Value::Object(wanted) }
            }
            (_, Value::Array(values)) => {
                Value::Array(values.into_iter().map(|it| self.of_value(it)).collect())
            }
            (_, value) => value,
        }
    }

    pub(crate) fn of_row<T: Row>(&self, row: &T) -> Value {
        let wanted = T::KEYS.iter().filter(|(key, _)| self.has(key));
        let wanted: Map<_, _> = wanted
            .filter_map(|(key, read)| {
                Some(((*key).to_owned(), self.within(key).of_value(read(row)?)))
            })
            .collect();
        match self {
            Self::Some(_) if wanted.is_empty() => Value::Array(Vec::new()),
            _ => Value::Object(wanted),
        }
    }
}

/// One object.
pub(crate) fn object<T: Row>(query: &Query, row: &T) -> Answer {
    Ok(Reply::json(&Columns::of(query).of_row(row)))
}

/// All of a row.
pub(crate) fn whole<T: Row>(row: &T) -> Value {
    Columns::All.of_row(row)
}

/// A value made by hand, less the columns that are not wanted.
pub(crate) fn value(query: &Query, value: Value) -> Answer {
    Ok(Reply::json(&Columns::of(query).of_value(value)))
}

/// All rows, sorted, on pages if those are asked for.
pub(crate) fn list<T: Listed>(query: &Query, mut rows: Vec<T>) -> Answer {
    let page = Page::of(query)?;
    sort(query, &mut rows);
    let columns = Columns::of(query);
    let Some(page) = page else { return Ok(render(&rows, &columns)) };
    let total_count = rows.len();
    let filtered: Vec<&T> = rows.iter().filter(|row| page.filter.takes(row.name())).collect();
    let filtered_count = filtered.len();
    let start = (page.number - 1).saturating_mul(page.size);
    if filtered_count <= start && page.number > 1 {
        return Err(Failure::bad(
            "page_out_of_range",
            format!(
                "Page out of range, page: {} page size: {}, len: {filtered_count}",
                page.number, page.size
            ),
        ));
    }
    let items: Vec<Value> =
        filtered.iter().skip(start).take(page.size).filter_map(|row| row.show(&columns)).collect();
    Ok(Reply::json(&json!({
        "filtered_count": filtered_count,
        "item_count": items.len(),
        "items": items,
        "page": page.number,
        "page_count": filtered_count.div_ceil(page.size),
        "page_size": page.size,
        "total_count": total_count,
    })))
}

/// A list row by row: the whole of it is never there as values.
fn render<T: Listed>(rows: &[T], columns: &Columns) -> Reply {
    let mut body = Vec::from(b"[");
    for row in rows.iter().filter_map(|row| row.show(columns)) {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(row.to_string().as_bytes());
    }
    body.push(b']');
    Reply::bytes(StatusCode::OK, body)
}

/// By the parameter `sort`, or as they come: handlers list by vhost and name.
fn sort<T: Listed>(query: &Query, rows: &mut [T]) {
    if let Some(path) = query.get("sort").filter(|it| !it.is_empty()) {
        let path: Vec<&str> = path.split('.').filter(|it| !it.is_empty()).collect();
        rows.sort_by_cached_key(|row| Sorted(row.key(&path).unwrap_or_else(|| Value::from(0))));
    }
    if query.is_true("sort_reverse") {
        rows.reverse();
    }
}

/// A value in Erlang's order of terms: numbers, atoms, maps, lists, texts.
#[derive(PartialEq)]
struct Sorted(Value);

impl Eq for Sorted {}

impl Sorted {
    fn rank(&self) -> u8 {
        match self.0 {
            Value::Number(_) => 0,
            Value::Null | Value::Bool(_) => 1,
            Value::Object(_) => 2,
            Value::Array(_) => 3,
            Value::String(_) => 4,
        }
    }

    fn atom(&self) -> &'static str {
        match self.0 {
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            _ => "null",
        }
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => {
                    f64::total_cmp(&a.as_f64().unwrap_or_default(), &b.as_f64().unwrap_or_default())
                }
            },
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Null | Value::Bool(_), Value::Null | Value::Bool(_)) => {
                self.atom().cmp(other.atom())
            }
            (Value::Object(a), Value::Object(b)) => a.len().cmp(&b.len()),
            (Value::Array(a), Value::Array(b)) => a.len().cmp(&b.len()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A page that is asked for.
struct Page {
    /// From 1.
    number: usize,
    size: usize,
    filter: Filter,
}

/// Which names are listed.
enum Filter {
    All,
    Part(String),
    Matching(Pattern),
    /// The expression is none: that finds nothing.
    Nothing,
}

impl Filter {
    fn takes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Part(part) => name.to_lowercase().contains(part),
            Self::Matching(pattern) => pattern.matches(name),
            Self::Nothing => false,
        }
    }
}

impl Page {
    fn of(query: &Query) -> Result<Option<Self>, Failure> {
        let number = |key: &str| match query.get(key) {
            None => Ok(None),
            Some(text) => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Failure::bad_request("Pagination parameters are invalid")),
            },
        };
        let (page, size) = (number("page")?, number("page_size")?);
        let filter = Self::filter(query)?;
        let Some(page) = page else { return Ok(None) };
        let in_range = |it: i64, max: i64| usize::try_from(it).ok().filter(|_| 0 < it && it <= max);
        let default = PAGE_SIZE as i64;
        let fits =
            in_range(page, i64::MAX).zip(in_range(size.unwrap_or(default), PAGE_SIZE_MAX as i64));
        match fits {
            Some((number, size)) => Ok(Some(Self { number, size, filter })),
            None => {
                let size = size.map_or_else(|| "undefined".to_owned(), |size| size.to_string());
                Err(Failure::bad(
                    "invalid_pagination_parameters",
                    format!("Invalid pagination parameters: page number {page}, page size {size}"),
                ))
            }
        }
    }

    fn filter(query: &Query) -> Result<Filter, Failure> {
        let Some(name) = query.get("name").filter(|it| !it.is_empty()) else {
            return Ok(Filter::All);
        };
        if !query.is_true("use_regex") {
            return Ok(Filter::Part(name.to_lowercase()));
        }
        if FILTER_LEN_MAX < name.len() {
            let text = "name filter regex is too long";
            return Err(Failure::bad("invalid_pagination_parameters", text));
        }
        let pattern = Pattern::new(&format!("(?i){name}"));
        Ok(pattern.map_or(Filter::Nothing, Filter::Matching))
    }
}

#[cfg(test)]
mod tests;
