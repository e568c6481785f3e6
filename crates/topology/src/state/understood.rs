//! What of a state this version does not understand: another one may have taken what this one would
//! refuse, and a start is no time to refuse it.

use super::State;
use crate::{Pattern, PolicyKind};

impl State {
    /// Policies and permissions that have no effect, or not all of it, one description each.
    pub fn not_understood(&self) -> Vec<String> {
        let mut found = Vec::new();
        for vhost in self.vhosts() {
            for kind in [PolicyKind::User, PolicyKind::Operator] {
                let policies = vhost.policies(kind).iter().filter(|it| !it.is_understood());
                found.extend(policies.map(|policy| {
                    format!("{} '{}' in vhost '{}'", kind.component(), policy.name, vhost.name())
                }));
            }
        }
        for user in self.users() {
            let is_dead = |patterns: &[&Pattern]| patterns.iter().any(|it| it.is_nothing());
            let dead =
                user.permissions().filter(|(_, it)| is_dead(&[&it.configure, &it.write, &it.read]));
            found.extend(dead.map(|(vhost, _)| {
                format!("permissions of user '{}' in vhost '{vhost}'", user.name())
            }));
            let dead = user.topic_permissions();
            let dead = dead.filter(|(_, _, it)| is_dead(&[&it.write, &it.read]));
            found.extend(dead.map(|(vhost, exchange, _)| {
                let user = user.name();
                format!("topic permissions of user '{user}' for '{exchange}' in vhost '{vhost}'")
            }));
        }
        found
    }
}
