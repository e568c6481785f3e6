//! Policies and runtime parameters.

use broker::Broker;
use operator::{Answer, ParameterInfo, PolicyInfo, PolicyObject, PolicyScope, Refusal};
use topology::{Policy, PolicyKind, RefusalKind, SetParameter};
use tracing::info;

pub(super) fn kind(scope: PolicyScope) -> PolicyKind {
    match scope {
        PolicyScope::User => PolicyKind::User,
        PolicyScope::Operator => PolicyKind::Operator,
    }
}

/// What is wrong with a parameter, in RabbitMQ's words.
pub(super) fn refusal(refusal: topology::Refusal, vhost: &str) -> Refusal {
    match refusal.kind {
        RefusalKind::NotFound if refusal.text != topology::PARAMETER_MISSING => {
            Refusal::NoSuchVhost(vhost.to_owned())
        }
        RefusalKind::NotFound | RefusalKind::PreconditionFailed => Refusal::Invalid(refusal.text),
        _ => super::refusal(refusal),
    }
}

/// Notes that a policy was set, as RabbitMQ does.
pub(super) fn log_set(set: &SetParameter) {
    let text = |key: &str| set.value.get(key).and_then(|it| it.as_str()).unwrap_or_default();
    let SetParameter { vhost, component, name, .. } = set;
    if [PolicyKind::User, PolicyKind::Operator].iter().any(|kind| component == kind.component()) {
        info!(
            "Successfully set policy '{name}' matching {} names in virtual host '{vhost}' using \
             pattern '{}'",
            text("apply-to"),
            text("pattern")
        );
    }
}

pub(super) fn parameters(broker: &Broker, vhost: &str) -> Vec<ParameterInfo> {
    let topology = broker.topology();
    let parameters = topology.vhost(vhost).map(|it| it.parameters()).unwrap_or_default();
    let info = |it: topology::Parameter| ParameterInfo {
        component: it.component.to_owned(),
        name: it.name,
        value: it.value,
    };
    parameters.into_iter().map(info).collect()
}

fn policy_info(vhost: &str, policy: &Policy) -> PolicyInfo {
    PolicyInfo {
        vhost: vhost.to_owned(),
        name: policy.name.to_string(),
        pattern: policy.pattern.as_str().to_owned(),
        apply_to: policy.apply_to.name().to_owned(),
        definition: policy.definition.clone(),
        priority: policy.priority.clone(),
    }
}

/// The policies of a vhost, the lowest priority first.
pub(super) fn policies(broker: &Broker, vhost: &str, scope: PolicyScope) -> Vec<PolicyInfo> {
    let topology = broker.topology();
    let policies = topology.vhost(vhost).map(|it| it.policies(kind(scope)).iter());
    let mut policies: Vec<_> =
        policies.into_iter().flatten().map(|it| policy_info(vhost, it)).collect();
    let rank = |it: &PolicyInfo| it.priority.as_f64().unwrap_or_default();
    policies.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    policies
}

/// The policies of users that match an object, the one that applies first.
pub(super) fn matching(
    broker: &Broker,
    vhost: &str,
    object: PolicyObject,
    name: &str,
) -> Answer<Vec<PolicyInfo>> {
    let topology = broker.topology();
    let found = topology.vhost(vhost);
    let policies = found.map(|it| it.policies(PolicyKind::User));
    let matching: Vec<_> = match object {
        PolicyObject::Queue => {
            let queue = found.and_then(|it| it.queue(name)).ok_or(Refusal::NotFound)?;
            policies.into_iter().flat_map(|it| it.of_queue(queue.kind, name)).collect()
        }
        PolicyObject::Exchange => {
            policies.into_iter().flat_map(|it| it.of_exchange(name)).collect()
        }
    };
    Ok(matching.into_iter().map(|it| policy_info(vhost, it)).collect())
}
