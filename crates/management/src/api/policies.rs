//! Policies, operator policies, runtime parameters.

use operator::{Management, ParameterInfo, PolicyInfo, PolicyScope};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

impl Row for PolicyInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("apply-to", |p| Some(p.apply_to.clone().into())),
        ("definition", |p| Some(Value::Object(p.definition.clone()))),
        ("name", |p| Some(p.name.clone().into())),
        ("pattern", |p| Some(p.pattern.clone().into())),
        ("priority", |p| Some(Value::Number(p.priority.clone()))),
        ("vhost", |p| Some(p.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.name
    }
}

/// A parameter and where it is.
struct Parameter {
    info: ParameterInfo,
    vhost: String,
}

impl Row for Parameter {
    const KEYS: &'static [Key<Self>] = &[
        ("component", |p| Some(p.info.component.clone().into())),
        ("name", |p| Some(p.info.name.clone().into())),
        ("value", |p| Some(p.info.value.clone())),
        ("vhost", |p| Some(p.vhost.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.info.name
    }
}

/// Policies of all vhosts of a definition document, and the parameters beside them.
pub(super) fn exported(
    call: &Call<'_>,
    vhosts: &[&str],
    is_named: bool,
) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let (mut policies, mut parameters) = (Vec::new(), Vec::new());
    let named = |mut value: Value| {
        if !is_named && let Some(object) = value.as_object_mut() {
            object.remove("vhost");
        }
        value
    };
    for vhost in vhosts {
        let found = call.broker.list_policies(vhost, PolicyScope::User)?;
        policies.extend(found.iter().map(listing::whole).map(named));
        for info in call.broker.list_parameters(vhost)? {
            // Limits stand with their vhost.
            if info.component != LIMITS {
                let vhost = (*vhost).to_owned();
                parameters.push(named(listing::whole(&Parameter { info, vhost })));
            }
        }
    }
    Ok((policies, parameters))
}

/// The component that a vhost's limits are.
const LIMITS: &str = "vhost-limits";

fn list(call: &Call<'_>, scope: PolicyScope) -> Answer {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        rows.extend(call.broker.list_policies(&vhost, scope)?);
    }
    listing::list(call.query, rows)
}

fn find(call: &Call<'_>, scope: PolicyScope) -> Result<PolicyInfo, Failure> {
    let policies = call.broker.list_policies(call.vhost()?, scope)?;
    let name = call.param("name");
    policies.into_iter().find(|it| it.name == name).ok_or_else(Failure::no_object)
}

fn put(call: &Call<'_>, scope: PolicyScope) -> Answer {
    let vhost = call.vhost_to_change()?;
    let body = call.json_with(&["pattern", "definition"])?;
    let is_new = find(call, scope).is_err();
    set(call.broker, vhost, scope, call.param("name"), &body)?;
    Ok(Reply::put(is_new))
}

/// Sets a policy as a body describes it.
pub(super) fn set(
    broker: &dyn Management,
    vhost: &str,
    scope: PolicyScope,
    name: &str,
    body: &Map<String, Value>,
) -> Result<(), Failure> {
    if !body.get("definition").is_some_and(Value::is_object) {
        return Err(Failure::bad_request("definition should be a map"));
    }
    let value = json!({
        "pattern": body.get("pattern"),
        "definition": body.get("definition"),
        "priority": body.get("priority").cloned().unwrap_or_else(|| 0.into()),
        "apply-to": body.get("apply-to").cloned().unwrap_or_else(|| "all".into()),
    });
    let (component, name) = (scope.component().to_owned(), name.to_owned());
    Ok(broker.set_parameter(vhost, &ParameterInfo { component, name, value })?)
}

fn delete(call: &Call<'_>, scope: PolicyScope) -> Answer {
    let policy = find(call, scope)?;
    call.broker.clear_parameter(&policy.vhost, scope.component(), &policy.name)?;
    Ok(Reply::no_content())
}

/// `/api/policies`, `/api/policies/:vhost`
pub(crate) fn list_policies(call: &Call<'_>) -> Answer {
    list(call, PolicyScope::User)
}

/// `/api/policies/:vhost/:name`
pub(crate) fn get_policy(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find(call, PolicyScope::User)?)
}

/// `PUT /api/policies/:vhost/:name`
pub(crate) fn put_policy(call: &Call<'_>) -> Answer {
    put(call, PolicyScope::User)
}

/// `DELETE /api/policies/:vhost/:name`
pub(crate) fn delete_policy(call: &Call<'_>) -> Answer {
    delete(call, PolicyScope::User)
}

/// `/api/operator-policies`, `/api/operator-policies/:vhost`
pub(crate) fn list_operator_policies(call: &Call<'_>) -> Answer {
    list(call, PolicyScope::Operator)
}

/// `/api/operator-policies/:vhost/:name`
pub(crate) fn get_operator_policy(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find(call, PolicyScope::Operator)?)
}

/// `PUT /api/operator-policies/:vhost/:name`
pub(crate) fn put_operator_policy(call: &Call<'_>) -> Answer {
    put(call, PolicyScope::Operator)
}

/// `DELETE /api/operator-policies/:vhost/:name`
pub(crate) fn delete_operator_policy(call: &Call<'_>) -> Answer {
    delete(call, PolicyScope::Operator)
}

fn parameters(call: &Call<'_>) -> Result<Vec<Parameter>, Failure> {
    let component = call.params.iter().find(|(key, _)| *key == "component");
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        for info in call.broker.list_parameters(&vhost)? {
            if component.is_none_or(|(_, component)| *component == info.component) {
                rows.push(Parameter { info, vhost: vhost.clone() });
            }
        }
    }
    Ok(rows)
}

/// `/api/parameters`, `/api/parameters/:component`, `/api/parameters/:component/:vhost`
pub(crate) fn list_parameters(call: &Call<'_>) -> Answer {
    listing::list(call.query, parameters(call)?)
}

/// Components with paths of their own: what these ask for is asked for here, too.
fn check_component(call: &Call<'_>) -> Result<(), Failure> {
    match call.param("component") {
        "policy" => Err(Failure::bad_request("policies may not be set using this method")),
        "operator_policy" | "vhost-limits" if !call.caller.is_administrator() => {
            Err(Failure::not_authorised("Not administrator user"))
        }
        _ => Ok(()),
    }
}

fn find_parameter(call: &Call<'_>) -> Result<Parameter, Failure> {
    let mut rows = parameters(call)?.into_iter();
    rows.find(|it| it.info.name == call.param("name")).ok_or_else(Failure::no_object)
}

/// `/api/parameters/:component/:vhost/:name`
pub(crate) fn get_parameter(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find_parameter(call)?)
}

/// `PUT /api/parameters/:component/:vhost/:name`
pub(crate) fn put_parameter(call: &Call<'_>) -> Answer {
    let vhost = call.vhost_to_change()?;
    check_component(call)?;
    let mut body = call.json_with(&["value"])?;
    let is_new = find_parameter(call).is_err();
    let parameter = ParameterInfo {
        component: call.param("component").to_owned(),
        name: call.param("name").to_owned(),
        value: body.remove("value").unwrap_or_default(),
    };
    call.broker.set_parameter(vhost, &parameter)?;
    Ok(Reply::put(is_new))
}

/// `DELETE /api/parameters/:component/:vhost/:name`
pub(crate) fn delete_parameter(call: &Call<'_>) -> Answer {
    check_component(call)?;
    let Parameter { info, vhost } = find_parameter(call)?;
    call.broker.clear_parameter(&vhost, &info.component, &info.name)?;
    Ok(Reply::no_content())
}

fn global(name: &str, value: &Value) -> Value {
    json!({ "name": name, "value": value })
}

/// All of them, for lists and definitions.
pub(super) fn globals(call: &Call<'_>) -> Result<Vec<Value>, Failure> {
    let all = call.broker.list_global_parameters()?;
    Ok(all.iter().map(|(name, value)| global(name, value)).collect())
}

/// `/api/global-parameters`
pub(crate) fn list_globals(call: &Call<'_>) -> Answer {
    listing::value(call.query, Value::Array(globals(call)?))
}

fn find_global(call: &Call<'_>) -> Result<Value, Failure> {
    let all = call.broker.list_global_parameters()?;
    let found = all.into_iter().find(|(name, _)| name == call.param("name"));
    found.map(|(_, value)| value).ok_or_else(Failure::no_object)
}

/// `/api/global-parameters/:name`
pub(crate) fn get_global(call: &Call<'_>) -> Answer {
    listing::value(call.query, global(call.param("name"), &find_global(call)?))
}

/// `PUT /api/global-parameters/:name`
pub(crate) fn put_global(call: &Call<'_>) -> Answer {
    let mut body = call.json_with(&["value"])?;
    let is_new = find_global(call).is_err();
    let value = body.remove("value").unwrap_or_default();
    call.broker.set_global_parameter(call.param("name"), value)?;
    Ok(Reply::put(is_new))
}

/// `DELETE /api/global-parameters/:name`
pub(crate) fn delete_global(call: &Call<'_>) -> Answer {
    find_global(call)?;
    call.broker.clear_global_parameter(call.param("name"))?;
    Ok(Reply::no_content())
}
