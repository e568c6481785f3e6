//! Who may do what.

use crate::check::Authority;
use crate::pattern::Pattern;
use crate::refusal::Named;
use crate::{Refusal, State};

/// What is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// An exchange.
    Exchange,
    /// A queue.
    Queue,
}

/// How it is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Declared or deleted.
    Configure,
    /// Published to, or bound as a destination.
    Write,
    /// Consumed from, or bound as a source.
    Read,
}

impl Permission {
    /// `configure`, `write` or `read`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// One thing that a user wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access<'a> {
    /// The vhost of the object.
    pub vhost: &'a str,
    /// What the object is.
    pub kind: ResourceKind,
    /// Its name; empty for the default exchange.
    pub name: &'a str,
    /// What is done to it.
    pub permission: Permission,
    /// The routing or binding key, when it is the key on a topic exchange that has to be allowed.
    pub topic: Option<&'a str>,
}

/// What the variables in topic permissions stand for, besides the user and the vhost.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopicVariables<'a> {
    /// `{client_id}`: MQTT's.
    pub client_id: Option<&'a str>,
}

impl State {
    /// Refuses (403) what `user` may not do to an object. The default exchange is `amq.default` to
    /// the patterns.
    pub fn check_access(
        &self,
        user: &str,
        vhost: &str,
        kind: ResourceKind,
        name: &str,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let (name, named) = match kind {
            ResourceKind::Queue => (name, Named::queue(vhost, name)),
            ResourceKind::Exchange => {
                let name = if name.is_empty() { "amq.default" } else { name };
                (name, Named::exchange(vhost, name))
            }
        };
        let permissions = self.user(user).and_then(|user| user.permissions_in(vhost));
        let is_allowed = permissions.is_some_and(|permissions| {
            match permission {
                Permission::Configure => &permissions.configure,
                Permission::Write => &permissions.write,
                Permission::Read => &permissions.read,
            }
            .matches(name)
        });
        if is_allowed {
            return Ok(());
        }
        let permission = permission.name();
        Err(Refusal::access_refused(format!(
            "{permission} access to {named} refused for user '{user}'"
        )))
    }

    /// Refuses (403) a key that `user` may not publish (`Write`) or bind (`Read`) with on a topic
    /// exchange. Where nothing was set, everything is allowed.
    pub fn check_topic_access(
        &self,
        user: &str,
        vhost: &str,
        exchange: &str,
        permission: Permission,
        key: &str,
        variables: TopicVariables<'_>,
    ) -> Result<(), Refusal> {
        let permissions = self.user(user).and_then(|user| {
            let mut all = user.topic_permissions();
            all.find(|(in_vhost, of_exchange, _)| {
                ***in_vhost == *vhost && ***of_exchange == *exchange
            })
        });
        let Some((_, _, permissions)) = permissions else { return Ok(()) };
        let pattern: Option<&Pattern> = match permission {
            Permission::Configure => None,
            Permission::Write => Some(&permissions.write),
            Permission::Read => Some(&permissions.read),
        };
        let mut values = vec![("username", user), ("vhost", vhost)];
        values.extend(variables.client_id.map(|client_id| ("client_id", client_id)));
        if pattern.is_some_and(|pattern| pattern.matches_with(key, &values)) {
            return Ok(());
        }
        Err(Refusal::access_refused(format!(
            "{} access to topic '{key}' in exchange '{exchange}' in vhost '{vhost}' refused for user \
             '{user}'",
            permission.name()
        )))
    }

    /// [`check_access`](Self::check_access) or, where a topic is given,
    /// [`check_topic_access`](Self::check_topic_access).
    pub fn check(
        &self,
        user: &str,
        access: &Access<'_>,
        variables: TopicVariables<'_>,
    ) -> Result<(), Refusal> {
        let Access { vhost, kind, name, permission, topic } = *access;
        match topic {
            Some(key) => self.check_topic_access(user, vhost, name, permission, key, variables),
            None => self.check_access(user, vhost, kind, name, permission),
        }
    }

    /// What a passive declaration needs: any permission on the object. Refuses in the words of the
    /// last one asked for, `configure`.
    pub fn authorize_passive(
        vhost: &str,
        kind: ResourceKind,
        name: &str,
        authority: &mut Authority<'_>,
    ) -> Result<(), Refusal> {
        let mut ask =
            |permission| authority(&Access { vhost, kind, name, permission, topic: None });
        ask(Permission::Read)
            .or_else(|_| ask(Permission::Write))
            .or_else(|_| ask(Permission::Configure))
    }

    /// Refuses (530) a vhost that does not exist or that `user` has no permissions in.
    pub fn check_vhost_access(&self, user: &str, vhost: &str) -> Result<(), Refusal> {
        self.require_vhost(vhost)?;
        if self.has_permissions(user, vhost) {
            return Ok(());
        }
        Err(Refusal::not_allowed(format!("access to vhost '{vhost}' refused for user '{user}'")))
    }

    /// Whether `user` has any permissions in `vhost`, be they empty patterns.
    pub fn has_permissions(&self, user: &str, vhost: &str) -> bool {
        self.user(user).is_some_and(|user| user.permissions_in(vhost).is_some())
    }

    /// Refuses (530) another connection of `user` to `vhost`, of which there are that many. RabbitMQ
    /// asks this before it looks at the permissions.
    pub fn check_connection_limits(
        &self,
        user: &str,
        vhost: &str,
        vhost_connections: u64,
        user_connections: u64,
    ) -> Result<(), Refusal> {
        let limits = self.require_vhost(vhost)?.limits();
        if let Some(limit) = reached(limits.max_connections, vhost_connections) {
            return Err(Refusal::not_allowed(format!(
                "access to vhost '{vhost}' refused for user '{user}': connection limit ({limit}) is \
                 reached"
            )));
        }
        let limits = self.user(user).map(crate::User::limits).unwrap_or_default();
        if let Some(limit) = reached(limits.max_connections, user_connections) {
            return Err(Refusal::not_allowed(format!(
                "connection refused for user '{user}': user connection limit ({limit}) is reached"
            )));
        }
        Ok(())
    }

    /// Refuses (530) another channel of `user`, who has `user_channels` of them.
    pub fn check_channel_limit(&self, user: &str, user_channels: u64) -> Result<(), Refusal> {
        let limits = self.user(user).map(crate::User::limits).unwrap_or_default();
        match reached(limits.max_channels, user_channels) {
            None => Ok(()),
            Some(limit) => Err(Refusal::not_allowed(format!(
                "number of channels opened for user '{user}' has reached the maximum allowed user \
                 limit of {limit}"
            ))),
        }
    }
}

/// The limit, if there are that many.
pub(crate) fn reached(limit: Option<i64>, count: u64) -> Option<u64> {
    let limit = u64::try_from(limit?).ok()?;
    (limit <= count).then_some(limit)
}
