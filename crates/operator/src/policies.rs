//! Policies and runtime parameters, in RabbitMQ's terms.

use serde_json::{Number, Value};

/// Who a policy is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// Policymakers.
    User,
    /// Operators: limits that the others cannot lift.
    Operator,
}

impl PolicyScope {
    /// The component that its policies are parameters of.
    pub fn component(self) -> &'static str {
        match self {
            Self::User => "policy",
            Self::Operator => "operator_policy",
        }
    }
}

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyInfo {
    /// Where.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// The names it is for.
    pub pattern: String,
    /// `all`, `queues`, `exchanges`, ...
    pub apply_to: String,
    /// What it sets.
    pub definition: serde_json::Map<String, Value>,
    /// The highest one applies.
    pub priority: Number,
}

/// What a policy may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyObject {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

/// One runtime parameter of a vhost.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterInfo {
    /// What it is for.
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}
