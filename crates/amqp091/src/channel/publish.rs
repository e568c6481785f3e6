//! `basic.publish`: what is checked in which order, where the message goes, who is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amqp091_codec::{BasicProperties, BasicReturn, Properties, ReplyCode, ShortBytes, Table};
use broker::{Lsn, QueueRef, REPLY_TO, Trace};
use bytes::Bytes;
use field_table::{ArrayScanner, FieldValue, ShortStr, ValueRef};
use message::{BLIND_COPIES, HAS_BLIND_COPIES, History, Image, Incoming, MessageRef};
use smallvec::SmallVec;
use topology::{ExchangeRecord, Permission, QueueId, ResourceKind, TopicVariables};

use crate::assembler::{Assembled, BODY_SIZE_MAX};
use crate::attempts::without_blind_copies;
use crate::connection::Connection;
use crate::errors::{Failure, Fault, not_implemented, precondition_failed};
use crate::expiration;
use crate::interceptors::{mark_incoming, marked_outgoing};
use crate::lanes::Fate;
use crate::memo::Facts;
use crate::shared::{SHARED_BODY_MIN, put_content};
use crate::work::{Origin, Queues, Work};

/// The headers with further routing keys (RabbitMQ's sender-selected distribution).
const ROUTING_HEADERS: [&str; 2] = ["CC", BLIND_COPIES];

/// The bits of `basic.publish`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishFlags {
    pub(crate) mandatory: bool,
    pub(crate) immediate: bool,
}

/// A publish that was checked and routed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) facts: Facts,
    pub(super) queues: Queues,
    /// The message with other properties, when they had to be changed.
    image: Option<Image>,
    /// It went to somebody who waits for a direct reply.
    is_reply: bool,
    pub(super) exchange: Arc<str>,
    /// What it counts for, if that is known already.
    lane: Option<u32>,
}

impl Prepared {
    /// What becomes of it.
    pub(super) fn fate(&self, mandatory: bool) -> Fate {
        match (self.is_reply, self.queues.is_empty()) {
            (true, _) => Fate::Replied,
            (false, false) => Fate::Routed,
            (false, true) if mandatory => Fate::Returned,
            (false, true) => Fate::Dropped,
        }
    }
}

impl Facts {
    /// The message as queues take it.
    #[inline]
    pub(super) fn incoming(self, message: MessageRef<'_>) -> Incoming<'_> {
        let Self { is_persistent, priority, ttl_ms } = self;
        Incoming { message, is_persistent, priority, ttl_ms, history: History::default() }
    }
}

impl Connection {
    /// A publish whose bytes lie in the input, on an open channel.
    pub(crate) fn publish<'i>(
        &mut self,
        work: &mut Work<'i>,
        number: u16,
        flags: PublishFlags,
        message: MessageRef<'i>,
    ) -> Result<(), Fault> {
        self.check_publish(flags, message.body.len() as u64)?;
        if !self.is_traced && self.publish_remembered(work, number, message) {
            return Ok(());
        }
        self.check_not_committing(number)?;
        let prepared = self.prepare(work, number, &message)?;
        let channel = self.channel(number);
        if channel.tx.is_some() || prepared.image.is_some() || prepared.queues.is_empty() {
            return self.publish_prepared(work, number, flags, &message, prepared);
        }
        let tag = channel.assign_tag(&prepared.exchange);
        let lane = self.lane(&prepared, Fate::Routed);
        let origin = Origin { channel: number, lane, tag };
        let incoming = prepared.facts.incoming(message);
        self.collect(work, &prepared.queues, incoming, origin);
        Ok(())
    }

    /// Hands a message in memory of its own to its queues at once.
    fn publish_owned(
        &mut self,
        work: &mut Work<'_>,
        queues: &[QueueRef],
        incoming: Incoming<'_>,
        origin: Origin,
    ) {
        self.flush(work);
        let (lsn, is_refused) = self.publish_now(work, queues, incoming);
        let rejected: &[u32] = if is_refused { &[0] } else { &[] };
        self.decide(&[origin], lsn, rejected);
        self.count([&[origin][..]].into_iter());
    }

    /// A publish that came in pieces.
    pub(crate) fn publish_assembled(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        assembled: Assembled,
    ) -> Result<(), Fault> {
        self.check_not_committing(number)?;
        let Assembled { method, body_size, image } = assembled;
        let flags = PublishFlags { mandatory: method.mandatory, immediate: method.immediate };
        self.check_publish(flags, body_size)?;
        // Only a body above the maximum, which was refused above, is not kept.
        let Some(image) = image else { return Ok(()) };
        let message = image.as_ref();
        let prepared = self.prepare(work, number, &message)?;
        self.publish_prepared(work, number, flags, &message, prepared)
    }

    /// What does not depend on the exchange.
    #[inline]
    fn check_publish(&self, flags: PublishFlags, body_size: u64) -> Result<(), Failure> {
        if flags.immediate {
            return Err(not_implemented("immediate=true"));
        }
        let max = self.broker.config().max_message_size;
        if max < body_size {
            let which = if max == BODY_SIZE_MAX { "max size" } else { "configured max size" };
            return Err(precondition_failed(format!(
                "message size {body_size} is larger than {which} {max}"
            )));
        }
        Ok(())
    }

    /// The short way: properties and route are those of an earlier publish. False when the long way
    /// has to be gone.
    #[inline]
    fn publish_remembered<'i>(
        &mut self,
        work: &mut Work<'i>,
        number: u16,
        message: MessageRef<'i>,
    ) -> bool {
        let (Some(memo), Some(routes)) = (&self.memo, &mut self.routes) else { return false };
        let Some(facts) = memo.get(message.properties) else { return false };
        let generation = self.broker.generation();
        let Some(route) = routes.get(generation, message.exchange, message.routing_key) else {
            return false;
        };
        let queues = &route.queues;
        let Some(channel) = self.channels.get_mut(number) else { return false };
        if queues.is_empty() || channel.tx.is_some() {
            return false;
        }
        let tag = channel.assign_tag(&route.exchange);
        let origin = Origin { channel: number, lane: route.lane, tag };
        let incoming = facts.incoming(message);
        let is_shared = 1 < queues.len() && SHARED_BODY_MIN <= message.body.len();
        if is_shared || !work.publishes.add(queues, incoming, origin) {
            let queues = queues.clone();
            self.collect(work, &queues, incoming, origin);
        }
        true
    }

    /// Adds a publish to the turn's, which reach their queues first if the order asks for that. A
    /// large body for several queues is copied once, for all of them.
    fn collect<'i>(
        &mut self,
        work: &mut Work<'i>,
        queues: &[QueueRef],
        incoming: Incoming<'i>,
        origin: Origin,
    ) {
        if 1 < queues.len() && SHARED_BODY_MIN <= incoming.message.body.len() {
            let image = incoming.message.to_image();
            let incoming = Incoming { message: image.as_ref(), ..incoming };
            return self.publish_owned(work, queues, incoming, origin);
        }
        if !work.publishes.add(queues, incoming, origin) {
            self.flush(work);
            let is_added = work.publishes.add(queues, incoming, origin);
            debug_assert!(is_added, "nothing is in the way after a flush");
        }
    }

    /// A publish that is not collected: it has no queue, waits for a commit, or has memory of its
    /// own.
    fn publish_prepared(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        flags: PublishFlags,
        message: &MessageRef<'_>,
        prepared: Prepared,
    ) -> Result<(), Fault> {
        let image = prepared.image.clone();
        let message = image.as_ref().map_or(*message, Image::as_ref);
        let channel = self.channel(number);
        if let Some(tx) = &mut channel.tx {
            let fate = prepared.fate(flags.mandatory);
            tx.hold(message.to_image(), prepared, fate);
            channel.entry.uncommitted.store(tx.publish_count(), Ordering::Relaxed);
            return Ok(());
        }
        let tag = channel.assign_tag(&prepared.exchange);
        let fate = prepared.fate(flags.mandatory);
        let origin = Origin { channel: number, lane: self.lane(&prepared, fate), tag };
        if prepared.queues.is_empty() {
            if fate == Fate::Returned {
                self.return_unroutable(number, &message);
            }
            self.decide(&[origin], Lsn(0), &[]);
            self.count([&[origin][..]].into_iter());
            return Ok(());
        }
        self.publish_owned(work, &prepared.queues, prepared.facts.incoming(message), origin);
        Ok(())
    }

    /// What a publish counts for.
    fn lane(&self, prepared: &Prepared, fate: Fate) -> u32 {
        let Prepared { exchange, queues, .. } = prepared;
        prepared.lane.unwrap_or_else(|| self.shared.lock().lane(exchange, queues, fate))
    }

    /// Hands one message to its queues. Returns what its confirm waits for, and whether a queue
    /// refused it.
    pub(super) fn publish_now(
        &mut self,
        work: &mut Work<'_>,
        queues: &[QueueRef],
        incoming: Incoming<'_>,
    ) -> (Lsn, bool) {
        let mut lsn = Lsn(0);
        let mut is_refused = false;
        work.turn.set_fan_out(1 < queues.len());
        for queue in queues {
            let published = self.broker.publish(&mut work.turn, queue, &[incoming]);
            lsn = lsn.max(published.lsn);
            is_refused |= !published.rejected.is_empty();
        }
        work.turn.set_fan_out(false);
        self.published = self.published.max(lsn);
        self.has_published = true;
        (lsn, is_refused)
    }

    /// Sends a mandatory message back that reached no queue.
    pub(super) fn return_unroutable(&self, number: u16, message: &MessageRef<'_>) {
        let code = ReplyCode::NoRoute;
        let method = BasicReturn {
            reply_code: code.code(),
            reply_text: ShortBytes(code.name().as_bytes()),
            exchange: ShortBytes(message.exchange),
            routing_key: ShortBytes(message.routing_key),
        };
        let mut inner = self.shared.lock();
        let frame_max = inner.frame_max;
        inner.send(number, method);
        without_blind_copies(message, |message| {
            put_content(&mut inner.out, frame_max, number, message);
        });
    }

    /// Checks and routes a publish, in RabbitMQ's order.
    fn prepare(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        message: &MessageRef<'_>,
    ) -> Result<Prepared, Fault> {
        let generation = self.broker.generation();
        let routes = self.routes.get_or_insert_default();
        let remembered = routes.get(generation, message.exchange, message.routing_key);
        // Who copies what is published wants to know all about it.
        let remembered = remembered.filter(|_| !self.is_traced);
        let remembered = remembered.map(|it| (it.queues.clone(), it.exchange.clone(), it.lane));
        let exchange = match remembered {
            Some(_) => None,
            None => Some(self.check_exchange(message.exchange)?),
        };
        // RabbitMQ decodes properties without looking whether they are well-formed, and fails.
        let Ok(properties) = Properties::parse(message.properties) else {
            return Err(Failure::internal().into());
        };
        let reply_to = self.reply_to(number, properties)?;
        let facts = facts(properties)?;
        let further_keys = further_keys(properties.headers())?;
        let image = self.rewritten(message, properties, facts, reply_to);
        let (queues, is_reply, exchange, lane) = match (remembered, exchange) {
            (Some((queues, exchange, lane)), _) if further_keys.is_empty() => {
                self.check_user_id(properties)?;
                let lane = (!queues.is_empty()).then_some(lane);
                (queues, false, exchange, lane)
            }
            (_, exchange) => {
                let exchange = match exchange {
                    Some(exchange) => exchange,
                    None => self.check_exchange(message.exchange)?,
                };
                let mut keys: SmallVec<[&[u8]; 4]> = SmallVec::new();
                keys.push(message.routing_key);
                keys.extend(further_keys.iter().copied());
                self.check_topics(&exchange, &keys)?;
                self.check_user_id(properties)?;
                let message = image.as_ref().map_or(*message, Image::as_ref);
                if exchange.name.is_empty() && is_reply_address(message.routing_key) {
                    self.trace_publish(work, number, &message, &keys, &[]);
                    let is_reply = self.reply_directly(work, &message);
                    (Queues::new(), is_reply, exchange.name.clone(), None)
                } else {
                    let (queues, lane) =
                        self.route(&exchange, &keys, &message, properties, generation)?;
                    self.trace_publish(work, number, &message, &keys, &queues);
                    (queues, false, exchange.name.clone(), lane)
                }
            }
        };
        if image.is_none() && !is_reply {
            self.memo.get_or_insert_default().learn(properties, facts);
        }
        Ok(Prepared { facts, queues, image, is_reply, exchange, lane })
    }

    /// Permission, existence, and that clients may publish to it.
    fn check_exchange(&self, name: &[u8]) -> Result<Arc<ExchangeRecord>, Failure> {
        let name = String::from_utf8_lossy(name);
        let topology = self.broker.topology();
        let (kind, permission) = (ResourceKind::Exchange, Permission::Write);
        topology.check_access(&self.user, &self.vhost, kind, &name, permission)?;
        let exchange = topology.lookup_exchange(&self.vhost, &name)?;
        topology::State::check_not_internal(exchange)?;
        Ok(exchange.clone())
    }

    fn check_topics(&self, exchange: &ExchangeRecord, keys: &[&[u8]]) -> Result<(), Failure> {
        if exchange.kind.name != "topic" {
            return Ok(());
        }
        let topology = self.broker.topology();
        for key in keys {
            topology.check_topic_access(
                &self.user,
                &self.vhost,
                &exchange.name,
                Permission::Write,
                &String::from_utf8_lossy(key),
                TopicVariables::default(),
            )?;
        }
        Ok(())
    }

    /// A publisher may claim to be nobody else, unless it carries the tag `impersonator`.
    fn check_user_id(&self, properties: Properties<'_>) -> Result<(), Failure> {
        let Some(claimed) = properties.user_id() else { return Ok(()) };
        if claimed == self.user.as_bytes() {
            return Ok(());
        }
        let topology = self.broker.topology();
        let may_impersonate =
            topology.user(&self.user).is_some_and(|user| user.has_tag("impersonator"));
        if may_impersonate {
            return Ok(());
        }
        Err(precondition_failed(format!(
            "user_id property set to '{}' but authenticated user was '{}'",
            String::from_utf8_lossy(claimed),
            self.user
        )))
    }

    /// The address that stands for `amq.rabbitmq.reply-to` in a request.
    fn reply_to(&self, number: u16, properties: Properties<'_>) -> Result<Option<String>, Failure> {
        if properties.reply_to() != Some(REPLY_TO.as_bytes()) {
            return Ok(None);
        }
        let consumer = self.channels.get(number).and_then(|it| it.reply_consumer.as_ref());
        match consumer {
            Some(consumer) => Ok(Some(consumer.address.clone())),
            None => Err(precondition_failed("fast reply consumer does not exist")),
        }
    }

    /// Hands a direct reply over; whether anybody waits for it.
    fn reply_directly(&mut self, work: &mut Work<'_>, message: &MessageRef<'_>) -> bool {
        self.flush(work);
        let address = message.routing_key;
        without_blind_copies(message, |message| {
            if !self.shared.marks_sent_time {
                return self.broker.reply(&mut work.turn, address, message);
            }
            let properties = &marked_outgoing(message, self.now);
            let message = MessageRef { properties, image: None, ..*message };
            self.broker.reply(&mut work.turn, address, &message)
        })
    }

    /// The queues of a message, and the lane of those that will be asked for again.
    fn route(
        &mut self,
        exchange: &ExchangeRecord,
        keys: &[&[u8]],
        message: &MessageRef<'_>,
        properties: Properties<'_>,
        generation: u64,
    ) -> Result<(Queues, Option<u32>), Failure> {
        let mut ids: SmallVec<[QueueId; 4]> = SmallVec::new();
        let is_fixed = {
            let topology = self.broker.topology();
            let Some(vhost) = topology.vhost(&self.vhost) else {
                return Ok((Queues::new(), None));
            };
            let headers = || properties.headers().map(Table::decode).unwrap_or_default();
            let chance = self.broker.chance();
            vhost.route(&exchange.name, keys, &headers, chance, &mut ids)?;
            keys.len() == 1 && !vhost.route_depends_on_headers(&exchange.name)
        };
        let queues: Queues = ids.iter().filter_map(|id| self.broker.queue(*id)).collect();
        if !is_fixed {
            return Ok((queues, None));
        }
        let is_routed = !queues.is_empty();
        let name = &exchange.name;
        let lane = is_routed.then(|| self.shared.lock().lane(name, &queues, Fate::Routed));
        let routes = self.routes.get_or_insert_default();
        let key = message.routing_key;
        routes.insert(generation, name, key, queues.clone(), lane.unwrap_or_default());
        Ok((queues, lane))
    }

    /// Copies a publish if the vhost is traced. RabbitMQ takes the default exchange's keys for names
    /// of queues, whether there are any or not.
    fn trace_publish(
        &self,
        work: &mut Work<'_>,
        number: u16,
        message: &MessageRef<'_>,
        keys: &[&[u8]],
        queues: &[QueueRef],
    ) {
        let Some(entry) = self.entry.as_ref().filter(|_| self.is_traced) else { return };
        let mut names: SmallVec<[&[u8]; 4]> = match message.exchange {
            b"" => keys.into(),
            _ => queues.iter().map(|queue| queue.record.name.as_bytes()).collect(),
        };
        names.sort_unstable();
        names.dedup();
        let party = self.broker.party(&entry.facts, number);
        let names = names.into_iter();
        work.turn.trace(Trace::of_publish(&self.vhost, party, message, keys, names));
    }

    /// The message with the properties that queues are to keep, if they are not those it came with:
    /// another reply address, a note that there are BCC keys, what interceptors add, and values that
    /// RabbitMQ reads but writes in another way. It writes all properties anew; what only differs in
    /// the order of the headers stays as it came.
    fn rewritten(
        &self,
        message: &MessageRef<'_>,
        properties: Properties<'_>,
        facts: Facts,
        reply_to: Option<String>,
    ) -> Option<Image> {
        let has_bcc =
            properties.headers().is_some_and(|headers| headers.get(BLIND_COPIES).is_some());
        let config = self.broker.config();
        let is_marked = config.interceptors.mark_incoming();
        let is_canonical = properties.is_canonical()
            && properties.expiration().is_none_or(expiration::is_canonical);
        if reply_to.is_none() && !has_bcc && !is_marked && is_canonical {
            return None;
        }
        let mut changed = BasicProperties::from(properties);
        if let Some(address) = reply_to {
            changed.reply_to = ShortStr::new(address).ok();
        }
        if let Some(ttl_ms) = facts.ttl_ms {
            changed.expiration = ShortStr::new(ttl_ms.to_string()).ok();
        }
        if let Some(headers) = &mut changed.headers {
            headers.sort_unique();
        }
        if is_marked {
            mark_incoming(&mut changed, config.interceptors, &config.identity.node, self.now);
        }
        let mut properties = changed.to_bytes();
        if has_bcc {
            properties[1] |= HAS_BLIND_COPIES;
        }
        let MessageRef { exchange, routing_key, body, .. } = *message;
        let bytes = Bytes::from([exchange, routing_key, &properties, body].concat());
        let lens = (exchange.len() as u8, routing_key.len() as u8, properties.len() as u32);
        Image::from_parts(bytes, lens.0, lens.1, lens.2)
    }
}

fn is_reply_address(routing_key: &[u8]) -> bool {
    let rest = routing_key.strip_prefix(REPLY_TO.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"."))
}

fn facts(properties: Properties<'_>) -> Result<Facts, Failure> {
    let ttl_ms = match properties.expiration() {
        Some(text) => Some(expiration::parse(text).map_err(precondition_failed)?),
        None => None,
    };
    Ok(Facts {
        is_persistent: properties.delivery_mode() == Some(2),
        priority: properties.priority(),
        ttl_ms,
    })
}

/// The routing keys in CC and BCC: arrays of strings, whose other elements do not count.
fn further_keys(headers: Option<Table<'_>>) -> Result<SmallVec<[&[u8]; 2]>, Failure> {
    let mut keys = SmallVec::new();
    let Some(headers) = headers else { return Ok(keys) };
    for name in ROUTING_HEADERS {
        match headers.get(name) {
            None => {}
            Some(ValueRef::Array(values)) => {
                let values = ArrayScanner::new(values).map_while(Result::ok);
                keys.extend(values.filter_map(ValueRef::as_long_str));
            }
            Some(_) => {
                let table = headers.decode();
                let kind = table.get(name).map_or("void", FieldValue::type_name);
                return Err(precondition_failed(format!(
                    "invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}"
                )));
            }
        }
    }
    Ok(keys)
}
