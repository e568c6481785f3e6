//! What each command does.

use std::sync::Arc;

use super::{ById, State};
use crate::check::{Checked, resolve};
use crate::refusal::RefusalKind;
use crate::vhost::Cascade;
use crate::{
    AddUser, AddVhost, BindingSpec, ClearTopicPermissions, Command, DeclareExchange, DeclareQueue,
    DeleteExchange, Event, ExchangeRecord, Outcome, Pattern, Permissions, QueueId, QueueKind,
    QueueRecord, Refusal, SetPermissions, SetTopicPermissions, TopicPermissions, User, UserLimits,
    Vhost,
};

type Applied = Result<Outcome, Refusal>;

impl State {
    /// Applies the command that stands at `index` of the log; appends to `events` what the data plane
    /// has to do. A refused command changes nothing.
    pub fn apply(&mut self, index: u64, command: &Command, events: &mut Vec<Event>) -> Applied {
        self.applied_index = index;
        self.dispatch(command, events)
    }

    fn dispatch(&mut self, command: &Command, events: &mut Vec<Event>) -> Applied {
        match command {
            Command::AddVhost(command) => self.add_vhost(command, events),
            Command::DeleteVhost(name) => self.delete_vhost(name, events),
            Command::SetVhostLimits(command) => {
                let vhost = self.vhost_mut(&command.vhost)?;
                vhost.limits = command.limits;
                events.push(Event::VhostLimitsChanged(Arc::clone(&vhost.name)));
                Ok(Outcome::Done)
            }
            Command::SetVhostMetadata(command) => self.set_vhost_metadata(command),
            Command::ProtectVhost(command) => {
                self.vhost_mut(&command.vhost)?.is_protected = command.is_protected;
                Ok(Outcome::Done)
            }
            Command::AddUser(command) => self.add_user(command, events),
            Command::SetPassword(command) => self.change_user(&command.user, events, |user| {
                user.password_hash.clone_from(&command.password_hash);
                user.hashing_algorithm.clone_from(&command.hashing_algorithm);
            }),
            Command::ClearPassword(user) => {
                self.change_user(user, events, |user| user.password_hash.clear())
            }
            Command::SetUserTags(command) => {
                self.change_user(&command.user, events, |user| user.tags.clone_from(&command.tags))
            }
            Command::DeleteUser(name) => self.delete_user(name, events),
            Command::SetUserLimits(command) => {
                let user = self.user_mut(&command.user)?;
                user.limits = command.limits;
                events.push(Event::UserLimitsChanged(Arc::clone(&user.name)));
                Ok(Outcome::Done)
            }
            Command::SetPermissions(command) => self.set_permissions(command, events),
            Command::ClearPermissions(command) => {
                let (user, vhost) = self.user_and_vhost(&command.user, &command.vhost)?;
                user.permissions.remove(&vhost);
                events.push(permissions_changed(user, vhost));
                Ok(Outcome::Done)
            }
            Command::SetTopicPermissions(command) => self.set_topic_permissions(command, events),
            Command::ClearTopicPermissions(command) => {
                self.clear_topic_permissions(command, events)
            }
            Command::DeclareExchange(command) => self.declare_exchange(command, events),
            Command::DeleteExchange(command) => self.delete_exchange(command, events),
            Command::DeclareQueue(command) => self.declare_queue(command, events),
            Command::DeleteQueues(ids) => Ok(self.delete_queues(ids, events)),
            Command::Bind(spec) => self.bind(spec, events),
            Command::Unbind(spec) => self.unbind(spec, events),
            Command::DeleteTransient => Ok(self.delete_transient(events)),
            Command::SetClusterName(name) => {
                self.set_cluster_name(name);
                Ok(Outcome::Done)
            }
            Command::SetParameter(command) => self.set_parameter(command, events),
            Command::ClearParameter(command) => self.clear_parameter(command, events),
            Command::SetGlobalParameter(command) => Ok(self.set_global_parameter(command)),
            Command::ClearGlobalParameter(name) => self.clear_global_parameter(name),
        }
    }

    pub(crate) fn vhost_mut(&mut self, name: &str) -> Result<&mut Vhost, Refusal> {
        self.vhosts.get_mut(name).ok_or_else(|| Refusal::no_vhost(name))
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, Refusal> {
        self.users.get_mut(name).ok_or_else(|| Refusal::no_user(name))
    }

    /// A user and the vhost's own copy of its name; the user is looked for first.
    fn user_and_vhost(
        &mut self,
        user: &str,
        vhost: &str,
    ) -> Result<(&mut User, Arc<str>), Refusal> {
        let user = self.users.get_mut(user).ok_or_else(|| Refusal::no_user(user))?;
        let vhost = self.vhosts.get(vhost).ok_or_else(|| Refusal::no_vhost(vhost))?;
        Ok((user, Arc::clone(&vhost.name)))
    }

    /// Refuses a vhost that this node's rules or its own properties forbid.
    pub fn check_add_vhost(&self, command: &AddVhost) -> Result<(), Refusal> {
        default_queue_type(command)?;
        let is_new = self.vhost(&command.name).is_none();
        match self.rules.vhost_max {
            Some(limit) if is_new && limit <= self.vhosts.len() as u64 => {
                Err(Refusal::precondition_failed(format!(
                    "cannot create vhost '{}': vhost limit of {limit} is reached",
                    command.name
                )))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn add_vhost(&mut self, command: &AddVhost, events: &mut Vec<Event>) -> Applied {
        if self.vhosts.contains_key(command.name.as_str()) {
            return Ok(Outcome::VhostAdded { created: false });
        }
        let mut vhost = Vhost::new(&command.name, self.applied_index);
        vhost.description.clone_from(&command.description);
        vhost.tags.clone_from(&command.tags);
        vhost.default_queue_type = default_queue_type(command)?;
        let name = Arc::clone(&vhost.name);
        self.vhosts.insert(Arc::clone(&name), vhost);
        events.push(Event::VhostCreated(name));
        Ok(Outcome::VhostAdded { created: true })
    }

    fn set_vhost_metadata(&mut self, command: &AddVhost) -> Applied {
        let kind = default_queue_type(command)?;
        let vhost = self.vhost_mut(&command.name)?;
        vhost.description.clone_from(&command.description);
        vhost.tags.clone_from(&command.tags);
        vhost.default_queue_type = kind;
        Ok(Outcome::Done)
    }

    /// Refuses to delete a vhost that is protected.
    pub fn check_delete_vhost(&self, name: &str) -> Result<(), Refusal> {
        let vhost = self.vhost(name).ok_or_else(|| Refusal::no_vhost(name))?;
        if vhost.is_protected {
            return Err(Refusal::precondition_failed(format!(
                "Refusing to delete virtual host '{name}' because it is protected from deletion"
            )));
        }
        Ok(())
    }

    fn delete_vhost(&mut self, name: &str, events: &mut Vec<Event>) -> Applied {
        self.check_delete_vhost(name)?;
        let vhost = self.vhosts.remove(name).ok_or_else(|| Refusal::no_vhost(name))?;
        for queue in vhost.queues() {
            self.queues.remove(&queue.id);
            events.push(Event::QueueDeleted(Arc::clone(queue)));
        }
        events.extend(vhost.exchanges().cloned().map(Event::ExchangeDeleted));
        for user in self.users.values_mut() {
            let had_topics = user.topic_permissions.len();
            user.topic_permissions.retain(|(vhost, _), _| **vhost != *name);
            let had_permissions = user.permissions.remove(name).is_some();
            if had_permissions || had_topics != user.topic_permissions.len() {
                events.push(permissions_changed(user, Arc::clone(&vhost.name)));
            }
        }
        events.push(Event::VhostDeleted(Arc::clone(&vhost.name)));
        Ok(Outcome::Done)
    }

    pub(super) fn add_user(&mut self, command: &AddUser, events: &mut Vec<Event>) -> Applied {
        if self.users.contains_key(command.name.as_str()) {
            return Err(Refusal::new(
                RefusalKind::AlreadyExists,
                format!("User \"{}\" already exists", command.name),
            ));
        }
        let name: Arc<str> = command.name.as_str().into();
        let user = User {
            name: Arc::clone(&name),
            password_hash: command.password_hash.clone(),
            hashing_algorithm: command.hashing_algorithm.clone(),
            tags: command.tags.clone(),
            limits: UserLimits::default(),
            permissions: Default::default(),
            topic_permissions: Default::default(),
        };
        self.users.insert(Arc::clone(&name), user);
        events.push(Event::UserCreated(name));
        Ok(Outcome::Done)
    }

    fn change_user(
        &mut self,
        name: &str,
        events: &mut Vec<Event>,
        change: impl FnOnce(&mut User),
    ) -> Applied {
        let user = self.user_mut(name)?;
        change(user);
        events.push(Event::UserChanged(Arc::clone(&user.name)));
        Ok(Outcome::Done)
    }

    fn delete_user(&mut self, name: &str, events: &mut Vec<Event>) -> Applied {
        let user = self.users.remove(name).ok_or_else(|| Refusal::no_user(name))?;
        events.push(Event::UserDeleted(user.name));
        Ok(Outcome::Done)
    }

    pub(super) fn set_permissions(
        &mut self,
        command: &SetPermissions,
        events: &mut Vec<Event>,
    ) -> Applied {
        let permissions = Permissions {
            configure: Pattern::stored(Pattern::new, &command.configure),
            write: Pattern::stored(Pattern::new, &command.write),
            read: Pattern::stored(Pattern::new, &command.read),
        };
        let (user, vhost) = self.user_and_vhost(&command.user, &command.vhost)?;
        user.permissions.insert(Arc::clone(&vhost), permissions);
        events.push(permissions_changed(user, vhost));
        Ok(Outcome::Done)
    }

    pub(super) fn set_topic_permissions(
        &mut self,
        command: &SetTopicPermissions,
        events: &mut Vec<Event>,
    ) -> Applied {
        let has_user = self.user(&command.user).is_some();
        let exchange = self.vhost(&command.vhost).map(|vhost| vhost.exchange(&command.exchange));
        if has_user && matches!(exchange, Some(None)) {
            let text = format!("Exchange {} does not exist", command.exchange);
            return Err(Refusal::not_found(text));
        }
        let (user, vhost) = self.insert_topic_permissions(command)?;
        events.push(permissions_changed(user, vhost));
        Ok(Outcome::Done)
    }

    /// Without asking for the exchange: permissions stay when it goes.
    pub(super) fn insert_topic_permissions(
        &mut self,
        command: &SetTopicPermissions,
    ) -> Result<(&User, Arc<str>), Refusal> {
        let permissions = TopicPermissions {
            write: Pattern::stored(Pattern::template, &command.write),
            read: Pattern::stored(Pattern::template, &command.read),
        };
        let (user, vhost) = self.user_and_vhost(&command.user, &command.vhost)?;
        let exchange = command.exchange.as_str().into();
        user.topic_permissions.insert((Arc::clone(&vhost), exchange), permissions);
        Ok((user, vhost))
    }

    fn clear_topic_permissions(
        &mut self,
        command: &ClearTopicPermissions,
        events: &mut Vec<Event>,
    ) -> Applied {
        let (user, vhost) = self.user_and_vhost(&command.user, &command.vhost)?;
        user.topic_permissions.retain(|(in_vhost, of_exchange), _| {
            let is_named = command.exchange.as_ref().is_none_or(|name| **of_exchange == **name);
            *in_vhost != vhost || !is_named
        });
        events.push(permissions_changed(user, vhost));
        Ok(Outcome::Done)
    }

    pub(super) fn declare_exchange(
        &mut self,
        command: &DeclareExchange,
        events: &mut Vec<Event>,
    ) -> Applied {
        let (existing, kind) = self.check_exchange(command, None)?;
        if existing.is_some() {
            return Ok(Outcome::ExchangeDeclared { created: false });
        }
        let vhost = self.vhost_mut(&command.vhost)?;
        let record = vhost.add_exchange(ExchangeRecord {
            vhost: Arc::clone(&vhost.name),
            name: command.name.as_str().into(),
            kind,
            durable: command.durable,
            auto_delete: command.auto_delete,
            internal: command.internal,
            alternate: ExchangeRecord::declared_alternate(&command.arguments),
            arguments: command.arguments.clone(),
        });
        events.push(Event::ExchangeCreated(record));
        Ok(Outcome::ExchangeDeclared { created: true })
    }

    fn delete_exchange(&mut self, command: &DeleteExchange, events: &mut Vec<Event>) -> Applied {
        if self.check_delete_exchange(command)? {
            let cascade = self.vhost_mut(&command.vhost)?.remove_exchange(&command.name);
            announce(cascade, events);
        }
        Ok(Outcome::Done)
    }

    fn declare_queue(&mut self, command: &DeclareQueue, events: &mut Vec<Event>) -> Applied {
        let (kind, properties, arguments) = match self.check_queue(command, None)? {
            Checked::Existing(queue) => {
                return Ok(Outcome::QueueDeclared { queue, created: false });
            }
            Checked::New { kind, properties, arguments } => (kind, properties, arguments),
        };
        let id = QueueId(self.applied_index);
        let arguments = self.share(arguments);
        let vhost = self.vhost_mut(&command.vhost)?;
        let queue = Arc::new(QueueRecord {
            id,
            vhost: Arc::clone(&vhost.name),
            name: command.name.as_str().into(),
            kind,
            durable: properties.durable,
            auto_delete: properties.auto_delete,
            owner: command.owner,
            arguments,
        });
        vhost.add_queue(Arc::clone(&queue));
        self.queues.insert(ById(Arc::clone(&queue)));
        events.push(Event::QueueCreated(Arc::clone(&queue)));
        Ok(Outcome::QueueDeclared { queue, created: true })
    }

    fn delete_queues(&mut self, ids: &[QueueId], events: &mut Vec<Event>) -> Outcome {
        let deleted = ids.iter().filter_map(|id| self.delete_queue(*id, events));
        Outcome::QueuesDeleted(deleted.collect())
    }

    fn delete_queue(&mut self, id: QueueId, events: &mut Vec<Event>) -> Option<Arc<QueueRecord>> {
        let ById(queue) = self.queues.take(&id)?;
        let vhost = self.vhosts.get_mut(&queue.vhost)?;
        let (_, cascade) = vhost.remove_queue(&queue.name)?;
        announce(cascade, events);
        events.push(Event::QueueDeleted(Arc::clone(&queue)));
        Some(queue)
    }

    pub(super) fn bind(&mut self, spec: &BindingSpec, events: &mut Vec<Event>) -> Applied {
        // What it says was checked when it was asked for, and is not asked again.
        let vhost = self.vhost_mut(&spec.vhost)?;
        let binding = resolve(vhost, spec)?;
        let created = vhost.add_binding(&binding);
        if created {
            events.push(Event::BindingCreated(binding));
        }
        Ok(Outcome::Bound { created })
    }

    fn unbind(&mut self, spec: &BindingSpec, events: &mut Vec<Event>) -> Applied {
        if !self.check_unbind(spec, None)? {
            return Ok(Outcome::Unbound { removed: false });
        }
        let vhost = self.vhost_mut(&spec.vhost)?;
        let binding = resolve(vhost, spec)?;
        let cascade = vhost.remove_binding(&binding);
        let removed = cascade.is_some();
        announce(cascade.unwrap_or_default(), events);
        Ok(Outcome::Unbound { removed })
    }

    fn delete_transient(&mut self, events: &mut Vec<Event>) -> Outcome {
        let transient = self.vhosts.values().flat_map(Vhost::queues);
        let transient: Vec<_> =
            transient.filter(|queue| queue.is_transient()).map(|queue| queue.id).collect();
        let outcome = self.delete_queues(&transient, events);
        for vhost in self.vhosts.values_mut() {
            let names = vhost.exchanges().filter(|exchange| !exchange.durable);
            let names: Vec<_> = names.map(|exchange| Arc::clone(&exchange.name)).collect();
            for name in names {
                announce(vhost.remove_exchange(&name), events);
            }
        }
        outcome
    }
}

fn default_queue_type(command: &AddVhost) -> Result<Option<QueueKind>, Refusal> {
    match command.default_queue_type.as_deref() {
        None | Some("undefined") => Ok(None),
        Some(name) => QueueKind::from_name(name)
            .map(Some)
            .ok_or_else(|| Refusal::precondition_failed("Unsupported default queue type")),
    }
}

fn permissions_changed(user: &User, vhost: Arc<str>) -> Event {
    Event::PermissionsChanged { user: Arc::clone(&user.name), vhost }
}

fn announce(cascade: Cascade, events: &mut Vec<Event>) {
    events.extend(cascade.bindings.into_iter().map(Event::BindingDeleted));
    events.extend(cascade.exchanges.into_iter().map(Event::ExchangeDeleted));
}
