//! What the commands about policies and parameters have in common.

use serde_json::{Value, json};

use super::{Misuse, count, json_value};
use operator::{Answer, Operator, ParameterInfo, PolicyInfo, PolicyScope, Refusal, Term};

use crate::{
    args::{OptionSpec, integer, text},
    format::erlang_term,
    protocol::{Failure, Output, Request},
    server::Sink,
};

pub(super) const SET_USAGE: &str = "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>";

pub(super) const SET_OPTIONS: &[OptionSpec] = &[integer("priority"), text("apply-to")];

const COLUMNS: [&str; 6] = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];

pub(super) fn prepare_set(request: &mut Request) -> Result<(), Misuse> {
    count(request, 3, 3)
}

fn option<'a>(request: &'a Request, name: &str, default: &'a str) -> &'a str {
    request.options.get(name).map_or(default, String::as_str)
}

pub(super) fn set_banner(request: &Request, what: &str) -> Vec<String> {
    let [name, pattern, definition] = [0, 1, 2].map(|idx| request.argument(idx));
    let (priority, vhost) = (option(request, "priority", "0"), request.vhost());
    vec![format!(
        "Setting {what} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \
         \"{priority}\" for vhost \"{vhost}\" ..."
    )]
}

pub(super) fn set(
    operator: &dyn Operator,
    request: &Request,
    scope: PolicyScope,
) -> Result<(), Failure> {
    let [name, pattern, definition] = [0, 1, 2].map(|idx| request.argument(idx));
    let value = json!({
        "pattern": pattern,
        "definition": json_value(definition)?,
        "priority": json_value(option(request, "priority", "0"))?,
        "apply-to": option(request, "apply-to", "all"),
    });
    let (component, name) = (scope.component().to_owned(), name.to_owned());
    operator.set_parameter(request.vhost(), &ParameterInfo { component, name, value })?;
    Ok(())
}

/// All rows; without any what RabbitMQ shows for an empty list that its node sends in one piece.
pub(super) fn rows(
    columns: &[&str],
    rows: impl ExactSizeIterator<Item = Vec<Term>>,
    request: &Request,
    sink: &mut dyn Sink,
) -> Result<Output, Failure> {
    if rows.len() == 0 {
        let text = if option(request, "formatter", "") == "pretty_table" { "[]" } else { "" };
        return Ok(Output::Report { text: text.to_owned(), value: json!([]) });
    }
    sink.columns(columns, true);
    rows.for_each(|row| sink.row(row));
    Ok(Output::Nothing)
}

/// A parameter's value as JSON; an operator policy's in RabbitMQ's order.
pub(super) fn value_text(parameter: &ParameterInfo) -> String {
    let is_policy = parameter.component == PolicyScope::Operator.component();
    let Some(fields) = parameter.value.as_object().filter(|_| is_policy) else {
        return parameter.value.to_string();
    };
    let fields = ["pattern", "definition", "priority", "apply-to"]
        .into_iter()
        .filter_map(|key| Some(format!("\"{key}\":{}", fields.get(key)?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// The policies that match an object, or none if it is not there. Their definitions are Erlang terms,
/// but in JSON.
pub(super) fn list_matching(
    found: Answer<Vec<PolicyInfo>>,
    request: &Request,
    sink: &mut dyn Sink,
) -> Result<Output, Failure> {
    let format = option(request, "formatter", "pretty_table");
    let policies = match found {
        Err(Refusal::NotFound) if format == "json" => {
            let message = "object (queue, exchange) not found";
            let value = json!({ "result": "error", "message": message, "policies": [] });
            return Ok(Output::Report { text: String::new(), value });
        }
        found => found?,
    };
    if format == "json" {
        let policies: Vec<_> = policies.iter().map(matching_value).collect();
        let value = json!({ "result": "ok", "policies": policies });
        return Ok(Output::Report { text: String::new(), value });
    }
    if policies.is_empty() {
        return Ok(Output::Text("[]".to_owned()));
    }
    sink.columns(&COLUMNS, true);
    for policy in policies {
        let definition = definition_term(&policy.definition, format == "pretty_table");
        sink.row(row(&policy, definition));
    }
    Ok(Output::Nothing)
}

fn matching_value(it: &PolicyInfo) -> Value {
    json!({
        "vhost": it.vhost,
        "name": it.name,
        "pattern": it.pattern,
        "apply-to": it.apply_to,
        "definition": it.definition,
        "priority": it.priority,
    })
}

/// A definition as Erlang's pairs, which RabbitMQ's pretty table puts close to each other.
fn definition_term(definition: &serde_json::Map<String, Value>, is_close: bool) -> Term {
    let pairs = definition.iter();
    let pairs = pairs.map(|(key, value)| {
        [Term::text(key), Term::from(value)].map(|it| Term::Atom(erlang_term(&it)))
    });
    if !is_close {
        return Term::List(pairs.map(|pair| Term::Tuple(pair.to_vec())).collect());
    }
    let text = |pair: [Term; 2]| match pair {
        [Term::Atom(key), Term::Atom(value)] => format!("{{{key},{value}}}"),
        _ => String::new(),
    };
    Term::Text(pairs.map(text).collect())
}

pub(super) fn list(
    policies: Vec<PolicyInfo>,
    request: &Request,
    sink: &mut dyn Sink,
) -> Result<Output, Failure> {
    let row = |it: PolicyInfo| {
        let definition = Term::Text(Value::Object(it.definition.clone()).to_string());
        row(&it, definition)
    };
    rows(&COLUMNS, policies.into_iter().map(row), request, sink)
}

fn row(it: &PolicyInfo, definition: Term) -> Vec<Term> {
    let priority = it
        .priority
        .as_i64()
        .map_or_else(|| Term::Float(it.priority.as_f64().unwrap_or_default()), Term::Int);
    let [vhost, name, pattern, apply_to] =
        [&it.vhost, &it.name, &it.pattern, &it.apply_to].map(|text| Term::text(text));
    vec![vhost, name, pattern, apply_to, definition, priority]
}
