//! Runtime parameters: named values that features are configured by, of a vhost or of the cluster.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    ClearParameter, Event, Outcome, Policy, PolicyKind, Refusal, SetGlobalParameter, SetParameter,
    State, Vhost, VhostLimits, erlang,
};

/// RabbitMQ's text for a parameter that is to be cleared and is not there.
pub const PARAMETER_MISSING: &str = "Parameter does not exist";

/// The component that a vhost's limits are a parameter of, and the parameter's name.
const VHOST_LIMITS: &str = "vhost-limits";
const LIMITS: &str = "limits";

/// The global parameter that names the cluster.
const CLUSTER_NAME: &str = "cluster_name";

/// A runtime parameter of a vhost.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// What it is for.
    pub component: &'static str,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl SetParameter {
    /// Refuses a parameter (a policy is one, too) whose value is wrong, with RabbitMQ's list of what is.
    /// Asks for no state, since it may compile a pattern; see [`State::check_set_parameter`].
    pub fn check(&self) -> Result<(), Refusal> {
        let checked = match component(&self.component) {
            Some(Component::Policy(kind)) => Policy::parse(kind, &self.name, &self.value).map(drop),
            Some(Component::Limits) => parse_limits(&self.name, &self.value).map(drop),
            None => Err(unknown_component(&self.component)),
        };
        checked.map_err(invalid)
    }
}

impl State {
    /// Refuses a parameter, found right by [`SetParameter::check`], of a vhost that is not there.
    pub fn check_set_parameter(&self, set: &SetParameter) -> Result<(), Refusal> {
        self.vhost(&set.vhost).map(drop).ok_or_else(|| Refusal::no_vhost(&set.vhost))
    }

    /// Refuses to clear a parameter that is not there, or whose vhost is not.
    pub fn check_clear_parameter(&self, clear: &ClearParameter) -> Result<(), Refusal> {
        let vhost = self.vhost(&clear.vhost).ok_or_else(missing)?;
        let is_there = match component(&clear.component) {
            Some(Component::Policy(kind)) => vhost.policies(kind).get(&clear.name).is_some(),
            Some(Component::Limits) => {
                clear.name == LIMITS && vhost.limits != VhostLimits::default()
            }
            None => false,
        };
        if is_there { Ok(()) } else { Err(missing()) }
    }

    /// The global parameters in the order of their names.
    pub fn global_parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.global_parameters.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The global parameter called `name`.
    pub fn global_parameter(&self, name: &str) -> Option<&Value> {
        self.global_parameters.get(name)
    }

    /// The name given to the cluster.
    pub fn cluster_name(&self) -> Option<&str> {
        self.global_parameter(CLUSTER_NAME).and_then(Value::as_str)
    }

    pub(crate) fn set_cluster_name(&mut self, name: &str) {
        self.global_parameters.insert(CLUSTER_NAME.to_owned(), name.into());
    }

    pub(crate) fn set_parameter(
        &mut self,
        set: &SetParameter,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Refusal> {
        let vhost = self.vhost_mut(&set.vhost)?;
        match component(&set.component) {
            Some(Component::Policy(kind)) => {
                if vhost.set_policy(kind, Policy::stored(kind, &set.name, &set.value)) {
                    events.push(Event::PoliciesChanged(Arc::clone(&vhost.name)));
                }
            }
            Some(Component::Limits) => {
                vhost.limits = parse_limits(&set.name, &set.value).map_err(invalid)?;
                events.push(Event::VhostLimitsChanged(Arc::clone(&vhost.name)));
            }
            None => return Err(invalid(unknown_component(&set.component))),
        }
        Ok(Outcome::Done)
    }

    pub(crate) fn clear_parameter(
        &mut self,
        clear: &ClearParameter,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Refusal> {
        self.check_clear_parameter(clear)?;
        let vhost = self.vhost_mut(&clear.vhost)?;
        let name = Arc::clone(&vhost.name);
        events.push(match component(&clear.component).ok_or_else(missing)? {
            Component::Policy(kind) => {
                vhost.clear_policy(kind, &clear.name);
                Event::PoliciesChanged(name)
            }
            Component::Limits => {
                vhost.limits = VhostLimits::default();
                Event::VhostLimitsChanged(name)
            }
        });
        Ok(Outcome::Done)
    }

    pub(crate) fn set_global_parameter(&mut self, set: &SetGlobalParameter) -> Outcome {
        self.global_parameters.insert(set.name.clone(), set.value.clone());
        Outcome::Done
    }

    pub(crate) fn clear_global_parameter(&mut self, name: &str) -> Result<Outcome, Refusal> {
        self.global_parameters.remove(name).map(|_| Outcome::Done).ok_or_else(missing)
    }
}

impl Vhost {
    /// Its runtime parameters by component and name. The policies of users are none of them to
    /// RabbitMQ's tools, those of operators are.
    pub fn parameters(&self) -> Vec<Parameter> {
        let operators = self.parameters_of(PolicyKind::Operator);
        let limits = [
            ("max-connections", self.limits.max_connections),
            ("max-queues", self.limits.max_queues),
        ];
        let limits = limits.into_iter().filter_map(|(name, limit)| Some((name, json!(limit?))));
        let limits: serde_json::Map<_, _> = limits.map(|(name, v)| (name.to_owned(), v)).collect();
        let limits = (!limits.is_empty()).then(|| Parameter {
            component: VHOST_LIMITS,
            name: LIMITS.to_owned(),
            value: limits.into(),
        });
        operators.chain(limits).collect()
    }

    /// The parameters that its policies of this kind are.
    pub(crate) fn parameters_of(&self, kind: PolicyKind) -> impl Iterator<Item = Parameter> {
        self.policies(kind).iter().map(move |policy| Parameter {
            component: kind.component(),
            name: policy.name.to_string(),
            value: policy.to_value(),
        })
    }
}

/// What parameters of a vhost are for.
#[derive(Clone, Copy)]
enum Component {
    Policy(PolicyKind),
    Limits,
}

/// Whether vhosts have runtime parameters of this component.
pub fn is_component(name: &str) -> bool {
    component(name).is_some()
}

fn component(name: &str) -> Option<Component> {
    match name {
        "policy" => Some(Component::Policy(PolicyKind::User)),
        "operator_policy" => Some(Component::Policy(PolicyKind::Operator)),
        VHOST_LIMITS => Some(Component::Limits),
        _ => None,
    }
}

fn missing() -> Refusal {
    Refusal::not_found(PARAMETER_MISSING)
}

fn unknown_component(name: &str) -> Vec<String> {
    vec![format!("component {name} not found")]
}

fn invalid(errors: Vec<String>) -> Refusal {
    let errors: String = errors.iter().map(|error| format!("{error}\n")).collect();
    Refusal::precondition_failed(format!("Validation failed\n\n{errors}"))
}

fn parse_limits(name: &str, value: &Value) -> Result<VhostLimits, Vec<String>> {
    let fields = match value {
        Value::Object(fields) => fields,
        other => return Err(vec![format!("{name} not a list {}", erlang::json(other))]),
    };
    let mut limits = VhostLimits::default();
    let mut errors = Vec::new();
    let mut unknown = Vec::new();
    for (key, value) in fields {
        let limit = match key.as_str() {
            "max-connections" => &mut limits.max_connections,
            "max-queues" => &mut limits.max_queues,
            _ => {
                unknown.push((key, value));
                continue;
            }
        };
        *limit = value.as_i64().filter(|limit| 0 <= *limit);
        if value.as_i64().is_none() {
            let found = erlang::json(value);
            errors.insert(0, format!("{key} should be a number, actually was {found}"));
        }
    }
    if !unknown.is_empty() {
        errors.insert(0, format!("Unrecognised terms {} in {name}", erlang::proplist(unknown)));
    }
    if errors.is_empty() { Ok(limits) } else { Err(errors) }
}
