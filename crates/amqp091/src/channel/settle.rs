//! `basic.ack`, `basic.nack` and `basic.reject`.

use amqp091_codec::{
    BasicAck, BasicNack, BasicReject, Method, MethodArguments, RawMethod, Split, split_frame,
};
use broker::Settle;
use parking_lot::MutexGuard;

use crate::connection::{Connection, blame};
use crate::errors::{Failure, Fault, precondition_failed};
use crate::shared::{Inner, Side};
use crate::work::Work;

use super::tx::Taken;

/// What a client wants done with deliveries.
#[derive(Clone, Copy, Debug)]
struct Settlement {
    tag: u64,
    is_multiple: bool,
    how: Settle,
}

impl Settlement {
    fn decode(raw: RawMethod<'_>) -> Option<Result<Self, Fault>> {
        Some(match raw.id {
            BasicAck::ID => BasicAck::decode(raw.arguments).map(Self::from),
            BasicNack::ID => BasicNack::decode(raw.arguments).map(Self::from),
            BasicReject::ID => BasicReject::decode(raw.arguments).map(Self::from),
            _ => return None,
        })
        .map(|it| it.map_err(Fault::from))
    }
}

impl From<BasicAck> for Settlement {
    fn from(it: BasicAck) -> Self {
        Self { tag: it.delivery_tag, is_multiple: it.multiple, how: Settle::Ack }
    }
}

impl From<BasicNack> for Settlement {
    fn from(it: BasicNack) -> Self {
        let how = if it.requeue { Settle::Requeue } else { Settle::Reject };
        Self { tag: it.delivery_tag, is_multiple: it.multiple, how }
    }
}

impl From<BasicReject> for Settlement {
    fn from(it: BasicReject) -> Self {
        let how = if it.requeue { Settle::RequeueFailed } else { Settle::RejectFailed };
        Self { tag: it.delivery_tag, is_multiple: false, how }
    }
}

impl Connection {
    /// As many settlements as follow each other in the input, under one lock. The first frame is
    /// one, on an open channel. Returns how many bytes they took.
    pub(crate) fn settle_run(&mut self, work: &mut Work<'_>, input: &[u8]) -> Result<usize, Fault> {
        let shared = self.shared.clone();
        let mut inner = shared.lock();
        let mut taken = 0;
        while let Ok(Split::Frame(frame)) = split_frame(&input[taken..], self.tuned.frame_max) {
            let number = frame.channel;
            let is_method = frame.kind == amqp091_codec::FrameKind::Method as u8;
            let raw = RawMethod::split(frame.payload).filter(|_| is_method);
            let channel = self.channels.get(number);
            if !channel.is_some_and(|it| it.is_open() && it.assembly.is_idle()) {
                break;
            }
            let Some((raw, settlement)) =
                raw.and_then(|raw| Settlement::decode(raw).map(|it| (raw, it)))
            else {
                break;
            };
            taken += frame.wire_len();
            let result = settlement
                .and_then(|it| self.settle_one(&mut inner, work, number, it).map_err(Fault::from));
            if let Err(fault) = result {
                drop(inner);
                self.fail(work, number, blame(fault, raw.id));
                return Ok(taken);
            }
        }
        Ok(taken)
    }

    /// One settlement.
    pub(super) fn settle(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        method: &Method<'_>,
    ) -> Result<(), Failure> {
        let settlement = match *method {
            Method::BasicAck(it) => it.into(),
            Method::BasicNack(it) => it.into(),
            Method::BasicReject(it) => it.into(),
            _ => return Ok(()),
        };
        let shared = self.shared.clone();
        self.settle_one(&mut shared.lock(), work, number, settlement)
    }

    fn settle_one(
        &mut self,
        inner: &mut MutexGuard<'_, Inner>,
        work: &mut Work<'_>,
        number: u16,
        settlement: Settlement,
    ) -> Result<(), Failure> {
        self.check_not_committing(number)?;
        let Some(channel) = self.channels.get_mut(number) else { return Ok(()) };
        inner.note_counted();
        let Some(side) = inner.channels.get_mut(number) else { return Ok(()) };
        match &mut channel.tx {
            Some(tx) => tx.take(side, settlement.tag, settlement.is_multiple, settlement.how)?,
            None => settle_now(side, work, number, settlement)?,
        }
        Ok(())
    }
}

/// Moves deliveries from the channel to the turn's settlements.
fn settle_now(
    side: &mut Side,
    work: &mut Work<'_>,
    number: u16,
    settlement: Settlement,
) -> Result<(), Failure> {
    let Settlement { tag, is_multiple, how } = settlement;
    if !is_multiple {
        let delivered = side.unacked.take(tag).ok_or_else(|| unknown_tag(tag))?;
        let source = || side.source(delivered.slot);
        work.settlements.add(number, delivered.slot, how, delivered.ticket, source);
        side.release(delivered.slot, how);
    } else {
        let mut unacked = std::mem::take(&mut side.unacked);
        let mut each = |delivered: crate::unacked::Delivered<_>| {
            let source = || side.source(delivered.slot);
            work.settlements.add(number, delivered.slot, how, delivered.ticket, source);
            side.release(delivered.slot, how);
        };
        // Tag 0 means all there are, even none.
        let is_known = match tag {
            0 => {
                unacked.take_all(&mut each);
                true
            }
            _ => unacked.take_through(tag, &mut each),
        };
        side.unacked = unacked;
        if !is_known {
            return Err(unknown_tag(tag));
        }
    }
    side.show_unacked();
    resume_unparked(side, work);
    Ok(())
}

/// Consumers that the channel's prefetch held back may go on.
pub(super) fn resume_unparked(side: &mut Side, work: &mut Work<'_>) {
    for slot in side.take_unparked() {
        let source = side.source(slot);
        work.resumed.extend(source.and_then(|(queue, consumer)| Some((queue, consumer?))));
    }
}

pub(super) fn unknown_tag(tag: u64) -> Failure {
    precondition_failed(format!("unknown delivery tag {tag}"))
}

/// Deliveries taken by a transaction.
pub(super) fn take_tagged(
    side: &mut Side,
    tag: u64,
    is_multiple: bool,
    how: Settle,
) -> Result<Vec<Taken>, Failure> {
    let mut taken = Vec::new();
    let mut each = |tag, delivered| taken.push(Taken { tag, delivered, how });
    let is_known = match (tag, is_multiple) {
        (0, true) => match side.unacked.last_tag() {
            Some(last) => side.unacked.take_through_tagged(last, &mut each),
            None => true,
        },
        (tag, true) => side.unacked.take_through_tagged(tag, &mut each),
        (tag, false) => side.unacked.take(tag).map(|it| each(tag, it)).is_some(),
    };
    if is_known { Ok(taken) } else { Err(unknown_tag(tag)) }
}
