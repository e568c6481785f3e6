//! What applies to one object: the policy, the operator policy, and what both come to.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::keys::merge;
use super::{Definition, Policy, PolicyKind};
use crate::{ExchangeRecord, QueueRecord, Vhost};

/// The policies that apply to a queue or an exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applied<'a> {
    /// The user's.
    pub policy: Option<&'a Arc<Policy>>,
    /// The operator's.
    pub operator_policy: Option<&'a Arc<Policy>>,
}

impl<'a> Applied<'a> {
    /// What they set together; none if neither applies.
    pub fn definition(&self) -> Option<Cow<'a, Definition>> {
        match (self.policy, self.operator_policy) {
            (None, None) => None,
            (Some(policy), None) | (None, Some(policy)) => Some(Cow::Borrowed(&policy.definition)),
            (Some(policy), Some(operator)) => {
                let mut merged = policy.definition.clone();
                for (key, value) in &operator.definition {
                    let value = match merged.get(key) {
                        Some(users) => merge(key, users, value),
                        None => value,
                    };
                    let value = value.clone();
                    merged.insert(key.clone(), value);
                }
                Some(Cow::Owned(merged))
            }
        }
    }

    /// What they set for one key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        let of = |policy: Option<&'a Arc<Policy>>| policy.and_then(|it| it.definition.get(key));
        match (of(self.policy), of(self.operator_policy)) {
            (Some(users), Some(operators)) => Some(merge(key, users, operators)),
            (value, None) | (None, value) => value,
        }
    }
}

impl Vhost {
    /// The policies that apply to a queue of this vhost.
    pub fn policies_of_queue(&self, queue: &QueueRecord) -> Applied<'_> {
        let of = |kind| self.policies(kind).of_queue(queue.kind, &queue.name).next();
        Applied { policy: of(PolicyKind::User), operator_policy: of(PolicyKind::Operator) }
    }

    /// The policies that apply to an exchange of this vhost.
    pub fn policies_of_exchange(&self, exchange: &ExchangeRecord) -> Applied<'_> {
        let of = |kind| self.policies(kind).of_exchange(&exchange.name).next();
        Applied { policy: of(PolicyKind::User), operator_policy: of(PolicyKind::Operator) }
    }
}
