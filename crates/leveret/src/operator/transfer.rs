//! Messages looked at, and taken from one queue to another within the broker.
//!
//! A message is in the other queue's journal, and that on the disk, before it leaves: a crash in between
//! leaves both, never neither. Meanwhile it is out of its queue's order, so that nobody else gets it.

use std::time::{Duration, Instant};

use broker::dead_letter::{self, Revival};
use broker::{Broker, Lsn, MessageId, QueueRef, TakenOut};
use message::Incoming;
use operator::{
    Answer, BrowseMessages, GotMessage, LeftMessage, MoveMessages, Refusal, SeenMessage,
    Transferred,
};
use topology::{Permission, ResourceKind};

use super::management::NOBODY;
use super::{NodeOperator, durable, refusal};

/// Bytes of messages that one look returns, about.
const SEEN_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Messages, and about so many bytes of them, that are under way at a time.
const UNDER_WAY_MAX: usize = 1024;
const UNDER_WAY_BYTES: usize = 1024 * 1024;
/// After this a move ends with what it has; whoever wants more asks again.
const MOVE_TIME: Duration = Duration::from_secs(5);
/// Time for a part to get to the disk.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Messages out of their queue. Those not noted as gone come back.
struct UnderWay<'b> {
    broker: &'b Broker,
    from: QueueRef,
    taken: Vec<TakenOut>,
    is_gone: Vec<bool>,
}

impl<'b> UnderWay<'b> {
    fn new(broker: &'b Broker, from: QueueRef, taken: Vec<TakenOut>) -> Self {
        let is_gone = vec![false; taken.len()];
        Self { broker, from, taken, is_gone }
    }

    /// Publishes messages, given by their index in what was taken, to a queue and waits until they are
    /// on the disk. Returns what is wrong with those that stay, all or some.
    fn publish(
        &mut self,
        to: &QueueRef,
        messages: &[(usize, Incoming<'_>)],
    ) -> Vec<(usize, String)> {
        let batch: Vec<Incoming<'_>> = messages.iter().map(|(_, message)| *message).collect();
        let mut turn = self.broker.begin(net::now());
        let published = self.broker.publish(&mut turn, to, &batch);
        self.broker.finish(turn);
        let all = |reason: String| messages.iter().map(|(at, _)| (*at, reason.clone())).collect();
        let name = &to.record.name;
        if to.is_deleted() {
            return all(format!("queue '{name}' is gone"));
        }
        if !durable::wait(self.broker, published.lsn, DURABLE_TIMEOUT) {
            return all(format!("the disk is slow: queue '{name}' may have a copy already"));
        }
        let mut left = Vec::new();
        for (place, (at, _)) in (0u32..).zip(messages) {
            match published.rejected.contains(&place) {
                true => left.push((*at, format!("queue '{name}' is full"))),
                false => self.is_gone[*at] = true,
            }
        }
        left
    }

    /// Lets go of all; returns the position from which on that is durable.
    fn end(&mut self) -> Lsn {
        if self.taken.is_empty() {
            return Lsn(0);
        }
        let ends = self.taken.drain(..).map(|it| it.ticket).zip(self.is_gone.drain(..));
        let mut turn = self.broker.begin(net::now());
        let lsn = self.broker.end_take_out(&mut turn, &self.from, ends);
        self.broker.finish(turn);
        lsn
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl NodeOperator {
    pub(super) fn browse_queue(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        browse: BrowseMessages,
    ) -> Answer<Vec<SeenMessage>> {
        let cell = self.queue_for(user, vhost, queue, Permission::Read)?;
        let behind = browse.behind.map(|id| message_id(&id)).transpose()?;
        let BrowseMessages { skip, count, .. } = browse;
        let ready = self.broker.counts(&cell).ready;
        let sights = self.broker.browse(&cell, behind, skip, count, SEEN_BYTES_MAX);
        let seen = (skip + 1..).zip(sights).map(|(position, sight)| {
            let message = sight.message();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            SeenMessage {
                id: sight.id.to_string(),
                message: GotMessage {
                    redelivered: sight.is_redelivered,
                    exchange: text(message.exchange),
                    routing_key: text(message.routing_key),
                    message_count: ready.saturating_sub(position),
                    properties: sight.visible_properties(),
                    body: message.body.to_vec(),
                },
            }
        });
        Ok(seen.collect())
    }

    pub(super) fn redrive_messages(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        ids: &[String],
    ) -> Answer<Transferred> {
        let from = self.source_for(user, vhost, queue)?;
        let wanted = ids.iter().map(|id| message_id(id)).collect::<Answer<Vec<_>>>()?;
        let mut done = Transferred::default();
        for part in wanted.chunks(UNDER_WAY_MAX) {
            let mut turn = self.broker.begin(net::now());
            let taken = self.broker.take_out(&mut turn, &from, part);
            self.broker.finish(turn);
            let missing = part.iter().filter(|id| !taken.iter().any(|it| it.id == **id));
            done.left.extend(missing.map(|id| left(*id, "no such message is ready in the queue")));
            self.redrive_part(vhost, &from, taken, &mut done);
        }
        Ok(done)
    }

    fn redrive_part(
        &self,
        vhost: &str,
        from: &QueueRef,
        taken: Vec<TakenOut>,
        done: &mut Transferred,
    ) {
        let ids: Vec<MessageId> = taken.iter().map(|it| it.id).collect();
        let images: Vec<_> = taken.iter().map(|it| it.image.clone()).collect();
        let mut under_way = UnderWay::new(&self.broker, from.clone(), taken);
        let revivals: Vec<_> = images.iter().map(|image| Revival::of(image.as_ref())).collect();
        let mut targets: Vec<(QueueRef, Vec<(usize, Incoming<'_>)>)> = Vec::new();
        for (at, revival) in revivals.iter().enumerate() {
            let target = match revival {
                None => Err("it is no dead letter: it does not say where it died".to_owned()),
                Some(revival) => self.target(vhost, revival.queue()),
            };
            match (target, revival) {
                (Ok(target), Some(revival)) => {
                    let known = targets.iter_mut().find(|(it, _)| it.record.id == target.record.id);
                    match known {
                        Some((_, messages)) => messages.push((at, revival.incoming())),
                        None => targets.push((target, vec![(at, revival.incoming())])),
                    }
                }
                (Err(reason), _) => done.left.push(left(ids[at], &reason)),
                (Ok(_), None) => {}
            }
        }
        for (target, messages) in &targets {
            let refused = under_way.publish(target, messages);
            done.moved += (messages.len() - refused.len()) as u64;
            done.left.extend(refused.iter().map(|(at, reason)| left(ids[*at], reason)));
        }
        durable::wait(&self.broker, under_way.end(), DURABLE_TIMEOUT);
    }

    pub(super) fn move_queue(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        wanted: &MoveMessages,
    ) -> Answer<Transferred> {
        let from = self.source_for(user, vhost, queue)?;
        let to = self.target(vhost, &wanted.destination).map_err(Refusal::Invalid)?;
        if to.record.id == from.record.id {
            let text = "the messages are in that queue already";
            return Err(Refusal::Invalid(text.to_owned()));
        }
        let ready = self.broker.counts(&from).ready;
        let count = wanted.count.unwrap_or(ready);
        let end = Instant::now() + MOVE_TIME;
        let mut done = Transferred::default();
        while done.moved < count && done.left.is_empty() && Instant::now() < end {
            if self.broker.is_paging_behind() || self.broker.alarms() != broker::Alarms::default() {
                break;
            }
            let part = usize::try_from(count - done.moved).unwrap_or(usize::MAX).min(UNDER_WAY_MAX);
            if self.move_part(&from, &to, part, &mut done) == 0 {
                break;
            }
        }
        Ok(done)
    }

    /// Moves the next messages; returns how many were looked at.
    fn move_part(
        &self,
        from: &QueueRef,
        to: &QueueRef,
        count: usize,
        done: &mut Transferred,
    ) -> usize {
        let mut turn = self.broker.begin(net::now());
        let taken = self.broker.take_out_heads(&mut turn, from, count, UNDER_WAY_BYTES);
        self.broker.finish(turn);
        let ids: Vec<MessageId> = taken.iter().map(|it| it.id).collect();
        let images: Vec<_> = taken.iter().map(|it| (it.image.clone(), it.history)).collect();
        let mut under_way = UnderWay::new(&self.broker, from.clone(), taken);
        let published = images
            .iter()
            .map(|(image, history)| dead_letter::as_published(image.as_ref(), *history));
        let messages: Vec<(usize, Incoming<'_>)> = published.enumerate().collect();
        let refused = match messages.is_empty() {
            true => Vec::new(),
            false => under_way.publish(to, &messages),
        };
        done.moved += (messages.len() - refused.len()) as u64;
        done.left.extend(refused.iter().map(|(at, reason)| left(ids[*at], reason)));
        durable::wait(&self.broker, under_way.end(), DURABLE_TIMEOUT);
        ids.len()
    }

    /// A queue whose messages `user` may take away, and put into queues by their names.
    fn source_for(&self, user: &str, vhost: &str, queue: &str) -> Answer<QueueRef> {
        let from = self.queue_for(user, vhost, queue, Permission::Read)?;
        let (kind, permission) = (ResourceKind::Exchange, Permission::Write);
        let topology = self.broker.topology();
        topology.check_access(user, vhost, kind, "", permission).map_err(refusal)?;
        if self.broker.alarms() != broker::Alarms::default() {
            let text = "publishing is blocked by a resource alarm";
            return Err(Refusal::Unavailable(text.to_owned()));
        }
        Ok(from)
    }

    /// A queue that messages can go to.
    fn target(&self, vhost: &str, name: &str) -> Result<QueueRef, String> {
        let id = {
            let topology = self.broker.topology();
            topology.lookup_queue(vhost, name, NOBODY).map_err(|refusal| refusal.text)?.id
        };
        let found = self.broker.queue(id).filter(|cell| !cell.is_deleted());
        found.ok_or_else(|| format!("queue '{name}' in vhost '{vhost}' is not in service"))
    }
}

fn left(id: MessageId, reason: &str) -> LeftMessage {
    LeftMessage { id: id.to_string(), reason: reason.to_owned() }
}

fn message_id(text: &str) -> Answer<MessageId> {
    text.parse().map_err(|_| Refusal::Invalid(format!("no message has the id '{text}'")))
}
