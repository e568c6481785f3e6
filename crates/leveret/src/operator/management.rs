//! What the HTTP API asks, answered by the running node.

use auth::Algorithm;
use broker::QueueRef;
use operator::{
    Answer, BindingInfo, BrokerFacts, BrowseMessages, CertificateInfo, ConnectionInfo,
    ConsumerInfo, Declaration, DeleteConditions, Emit, ExchangeInfo, GetMessages, GotMessage,
    Management, MoveMessages, Operator, Publication, QueueInfo, Refusal, SeenMessage, Transferred,
    UserInfo, VhostInfo,
};
use topology::{
    Access, AddUser, AddVhost, BindingSpec, Command, ConnectionId, DeclareExchange, DeclareQueue,
    DeleteExchange, DestinationKind, Outcome, Permission, ProtectVhost, QueueKind, ResourceKind,
    SetPassword, SetUserTags, State, TopicVariables,
};

use super::direct::Direct;
use super::{NodeOperator, listings, refusal};

/// No connection has this number: whoever asks with it has no exclusive queue.
pub(super) const NOBODY: ConnectionId = ConnectionId(0);

impl NodeOperator {
    /// The queue, if `user` may do that to it, and if it is not exclusive to a connection.
    pub(super) fn queue_for(
        &self,
        user: &str,
        vhost: &str,
        name: &str,
        permission: Permission,
    ) -> Answer<QueueRef> {
        let id = {
            let topology = self.broker.topology();
            let kind = ResourceKind::Queue;
            topology.check_access(user, vhost, kind, name, permission).map_err(refusal)?;
            topology.lookup_queue(vhost, name, NOBODY).map_err(refusal)?.id
        };
        self.broker.queue(id).ok_or(Refusal::NotFound)
    }
}

/// Asks for `user`; whoever acts for nobody may do everything.
fn authority<'a>(
    topology: &'a State,
    user: Option<&'a str>,
) -> impl FnMut(&Access<'_>) -> Result<(), topology::Refusal> + 'a {
    move |access| match user {
        Some(user) => topology.check(user, access, TopicVariables::default()),
        None => Ok(()),
    }
}

impl Management for NodeOperator {
    fn facts(&self) -> BrokerFacts {
        let config = self.broker.config();
        let given = self.broker.topology().cluster_name().map(str::to_owned);
        BrokerFacts {
            product: config.identity.product.clone(),
            version: config.identity.version.clone(),
            cluster_name: given.unwrap_or_else(|| config.identity.cluster_name.clone()),
            default_queue_type: config.default_queue_type.name().to_owned(),
            mechanisms: config.mechanisms.clone(),
            connections_max: config.connections_max,
            consumer_timeout_ms: config.consumer_timeout_ms,
            processors: std::thread::available_parallelism().map_or(1, |it| it.get() as u64),
            rates_mode: self.collector.settings().rates_mode.name(),
            sample_retention: self.collector.settings().retention.clone(),
        }
    }

    fn certificates(&self) -> Vec<CertificateInfo> {
        self.certificates.iter().map(super::certificates::read).collect()
    }

    fn user(&self, name: &str) -> Option<UserInfo> {
        self.broker.topology().user(name).map(super::user_info)
    }

    fn is_loopback_only(&self, user: &str) -> bool {
        self.broker.config().loopback_users.iter().any(|it| it == user)
    }

    fn put_user(&self, user: &UserInfo) -> Answer<bool> {
        let UserInfo { name, tags, password_hash, hashing_algorithm, .. } = user.clone();
        if self.require_user(&name).is_err() {
            let user = AddUser { name, password_hash, hashing_algorithm, tags };
            return self.done(Command::AddUser(user)).map(|()| true);
        }
        self.done(match password_hash.is_empty() {
            true => Command::ClearPassword(name.clone()),
            false => Command::SetPassword(SetPassword {
                user: name.clone(),
                password_hash,
                hashing_algorithm,
            }),
        })?;
        self.done(Command::SetUserTags(SetUserTags { user: name, tags })).map(|()| false)
    }

    fn hash_password(&self, password: &str) -> String {
        auth::hash_password(Algorithm::default(), rand::random(), password.as_bytes())
    }

    fn may_enter(&self, user: &str, vhost: &str) -> bool {
        self.broker.topology().has_permissions(user, vhost)
    }

    fn vhost(&self, name: &str) -> Option<VhostInfo> {
        self.broker.topology().vhost(name).map(|it| self.vhost_info(it))
    }

    fn put_vhost(&self, vhost: &VhostInfo) -> Answer<bool> {
        let is_new = self.require_vhost(&vhost.name).is_err();
        if is_new {
            self.add_vhost(vhost)?;
        } else {
            self.done(Command::SetVhostMetadata(AddVhost {
                name: vhost.name.clone(),
                description: Some(vhost.description.clone()).filter(|it| !it.is_empty()),
                tags: vhost.tags.clone(),
                default_queue_type: vhost.default_queue_type.clone(),
            }))?;
        }
        Ok(is_new)
    }

    fn protect_vhost(&self, name: &str, is_protected: bool) -> Answer<()> {
        self.require_vhost(name)?;
        let vhost = name.to_owned();
        self.done(Command::ProtectVhost(ProtectVhost { vhost, is_protected }))
    }

    fn exchange(&self, vhost: &str, name: &str) -> Option<ExchangeInfo> {
        let topology = self.broker.topology();
        let vhost = topology.vhost(vhost)?;
        vhost.exchange(name).map(|it| listings::exchange(vhost, it))
    }

    fn queue(&self, vhost: &str, name: &str) -> Option<QueueInfo> {
        let cell = Self::queue(self, vhost, name).ok()?;
        Some(listings::queue(&self.broker, &cell))
    }

    fn consumers_of(&self, vhost: &str, queue: &str, emit: Emit<'_, ConsumerInfo>) {
        if let Ok(cell) = Self::queue(self, vhost, queue) {
            listings::consumers_of(&self.broker, &cell, emit);
        }
    }

    fn bindings_between(
        &self,
        vhost: &str,
        source: &str,
        destination_kind: DestinationKind,
        destination: &str,
    ) -> Vec<BindingInfo> {
        listings::bindings_where(&self.broker, vhost, |it| {
            it.source == source
                && it.destination_kind == destination_kind
                && it.destination == destination
        })
    }

    fn connection(&self, name: &str) -> Option<ConnectionInfo> {
        let connections = self.broker.registry.connections();
        let entry = connections.iter().find(|it| it.facts.name == name)?;
        Some(listings::connection(&self.broker, entry))
    }

    fn declare_exchange(&self, user: Option<&str>, declare: DeclareExchange) -> Answer<bool> {
        let existing = {
            let topology = self.broker.topology();
            topology
                .authorize_declare_exchange(&declare, &mut authority(&topology, user))
                .and_then(|()| topology.check_declare_exchange(&declare))
                .map_err(refusal)?
        };
        if existing.is_some() {
            return Ok(false);
        }
        match self.commit(Command::DeclareExchange(declare))? {
            Outcome::ExchangeDeclared { created } => Ok(created),
            _ => Ok(true),
        }
    }

    fn delete_exchange(&self, user: &str, delete: DeleteExchange) -> Answer<()> {
        let exists = {
            let topology = self.broker.topology();
            State::authorize_delete_exchange(&delete, &mut authority(&topology, Some(user)))
                .and_then(|()| topology.check_delete_exchange(&delete))
                .map_err(refusal)?
        };
        if exists { self.done(Command::DeleteExchange(delete)) } else { Ok(()) }
    }

    fn declare_queue(&self, user: Option<&str>, declare: DeclareQueue) -> Answer<bool> {
        self.broker.note_queue_declared();
        let existing = {
            let topology = self.broker.topology();
            topology
                .authorize_declare_queue(&declare, &mut authority(&topology, user))
                .and_then(|()| topology.check_declare_queue(&declare))
                .map_err(refusal)?
        };
        match existing.and_then(|record| self.broker.queue(record.id)) {
            Some(cell) if !cell.is_doomed() => {
                let mut turn = self.broker.begin(net::now());
                self.broker.touch_queue(&mut turn, &cell);
                self.broker.finish(turn);
                return Ok(false);
            }
            // Whoever saw that nobody uses it may not have asked for its end yet.
            Some(cell) => self.done(Command::DeleteQueues(vec![cell.record.id]))?,
            None => {}
        }
        match self.commit(Command::DeclareQueue(declare))? {
            Outcome::QueueDeclared { created, .. } => Ok(created),
            _ => Ok(true),
        }
    }

    fn delete_queue_for(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        conditions: DeleteConditions,
    ) -> Answer<()> {
        let cell = self.queue_for(user, vhost, queue, Permission::Configure)?;
        if let Some(text) = forbidden_condition(&cell, conditions) {
            return Err(Refusal::Amqp { name: "not_implemented", text });
        }
        self.delete_queue(vhost, queue, conditions).map(drop)
    }

    fn purge_queue_for(&self, user: &str, vhost: &str, queue: &str) -> Answer<()> {
        self.queue_for(user, vhost, queue, Permission::Read)?;
        self.purge_queue(vhost, queue).map(drop)
    }

    fn bind(&self, user: Option<&str>, binding: BindingSpec) -> Answer<()> {
        let exists = {
            let topology = self.broker.topology();
            topology
                .authorize_bind(&binding, &mut authority(&topology, user))
                .and_then(|()| topology.check_bind(&binding, user.map(|_| NOBODY)))
                .map_err(refusal)?
        };
        if exists { Ok(()) } else { self.done(Command::Bind(binding)) }
    }

    fn declare_all(&self, declarations: Vec<Declaration>) -> Answer<()> {
        self.declare_in_batches(declarations)
    }

    fn unbind(&self, user: &str, binding: BindingSpec) -> Answer<()> {
        let exists = {
            let topology = self.broker.topology();
            topology
                .authorize_bind(&binding, &mut authority(&topology, Some(user)))
                .and_then(|()| topology.check_unbind(&binding, Some(NOBODY)))
                .map_err(refusal)?
        };
        if exists { self.done(Command::Unbind(binding)) } else { Ok(()) }
    }

    fn publish(&self, user: &str, vhost: &str, publication: &Publication) -> Answer<bool> {
        let alarms = self.broker.alarms();
        if alarms.any() {
            // It would hold its thread for as long as the alarm lasts.
            let reason = alarms.reason();
            return Err(Refusal::Unavailable(format!("publishing is blocked: {reason}")));
        }
        Direct::open(&self.broker, user, vhost)?.publish(publication)
    }

    fn get(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        get: GetMessages,
    ) -> Answer<Vec<GotMessage>> {
        Direct::open(&self.broker, user, vhost)?.get(queue, get)
    }

    fn browse(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        browse: BrowseMessages,
    ) -> Answer<Vec<SeenMessage>> {
        self.browse_queue(user, vhost, queue, browse)
    }

    fn redrive(&self, user: &str, vhost: &str, queue: &str, ids: &[String]) -> Answer<Transferred> {
        self.redrive_messages(user, vhost, queue, ids)
    }

    fn move_messages(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        wanted: &MoveMessages,
    ) -> Answer<Transferred> {
        self.move_queue(user, vhost, queue, wanted)
    }
}

/// A quorum queue is deleted without conditions.
fn forbidden_condition(cell: &QueueRef, conditions: DeleteConditions) -> Option<String> {
    let record = &cell.record;
    let flag = match conditions {
        _ if record.kind != QueueKind::Quorum => return None,
        DeleteConditions { if_unused: true, .. } => "if-unused",
        DeleteConditions { if_empty: true, .. } => "if-empty",
        DeleteConditions { .. } => return None,
    };
    Some(format!(
        "cannot delete queue '{}' in vhost '{}'. queue.delete operations with {flag} flag set are \
         not supported by quorum queues",
        record.name, record.vhost
    ))
}
