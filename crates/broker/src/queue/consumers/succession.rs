//! Who is the single active consumer of a quorum queue: whoever has the highest priority, as soon
//! as the one before has settled all it had; and not who took too long.

use std::cmp::Reverse;

use super::{At, Consumer, ConsumerId, Consumers, Slot};

/// What RabbitMQ grants a consumer without prefetch count.
const UNLIMITED: u32 = 2000;

impl Consumers {
    /// Consumers of a quorum queue.
    pub(in crate::queue) fn with_succession() -> Self {
        Self { has_succession: true, ..Self::default() }
    }

    /// The consumer with this id.
    pub(in crate::queue) fn get(&self, id: ConsumerId) -> Option<&Consumer> {
        self.find(id).map(|at| &self.slot(at).consumer)
    }

    /// How many deliveries a consumer did not settle yet.
    pub(in crate::queue) fn unacked(&self, id: ConsumerId) -> u32 {
        self.find(id).map_or(0, |at| self.slot(at).unacked)
    }

    /// A consumer took too long, or has made up for it.
    pub(in crate::queue) fn set_late(
        &mut self,
        id: ConsumerId,
        is_late: bool,
        is_single_active: bool,
    ) {
        let Some(at) = self.find(id) else { return };
        self.slot_mut(at).is_late = is_late;
        match is_late {
            true => self.leave_ring(at),
            false => self.enter_ring(at),
        }
        self.review(is_single_active);
    }

    /// Looks who should be active.
    pub(super) fn review(&mut self, is_single_active: bool) {
        if !is_single_active || !self.has_succession {
            return;
        }
        let active = self.active.filter(|at| !self.slot(*at).is_late);
        let candidates =
            self.taken_slots().filter(|(at, slot)| !slot.is_late && Some(*at) != active);
        let best = candidates.min_by_key(|&(at, slot)| rank(at, slot)).map(|(at, _)| at);
        let is_outranked = match (active, best) {
            (Some(active), Some(best)) => {
                self.slot(active).consumer.priority < self.slot(best).consumer.priority
            }
            _ => false,
        };
        let is_busy = active.is_some_and(|active| self.slot(active).unacked != 0);
        self.is_quiescing = is_outranked && is_busy;
        self.active = match active {
            Some(active) if !is_outranked || is_busy => Some(active),
            _ => best,
        };
    }
}

/// Smaller for who comes first: by priority, then by prefetch count, then by age.
fn rank(at: At, slot: &Slot) -> (Reverse<i64>, Reverse<u32>, At) {
    let prefetch = match slot.consumer.prefetch {
        0 => UNLIMITED,
        prefetch => prefetch,
    };
    (Reverse(slot.consumer.priority), Reverse(prefetch), at)
}
