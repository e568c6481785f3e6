//! What queues act on: when they are made, and when policies change.

use std::sync::Arc;

use parking_lot::Mutex;
use stdx::Timestamp;
use topology::{Outcome, QueueRecord, QueueSettings, Refusal, SharedSettings, State};

use super::Broker;
use crate::{Completion, QueueRef};

/// Queues that get their settings anew in one call. Each may have thousands of messages to drop.
const QUEUES_PER_POLL_MAX: usize = 64;

/// Settings of queues, and the changes of policies that have not reached all of them. A leaf in the
/// lock order.
#[derive(Default)]
pub(super) struct Settings {
    shared: Mutex<SharedSettings>,
    rollouts: Mutex<Vec<Rollout>>,
}

/// Policies of a vhost changed.
struct Rollout {
    vhost: Arc<str>,
    /// The queues that have not been looked at since.
    rest: Vec<QueueRef>,
    /// Told when there are none left.
    done: Vec<(Completion, Result<Outcome, Refusal>)>,
}

impl Settings {
    /// Takes a queue that a change has not reached.
    fn next_queue(&self) -> Option<QueueRef> {
        self.rollouts.lock().iter_mut().find_map(|rollout| rollout.rest.pop())
    }

    /// Takes one of those who asked for a change that has reached all queues.
    fn next_done(&self) -> Option<(Completion, Result<Outcome, Refusal>)> {
        let mut rollouts = self.rollouts.lock();
        let done = rollouts.iter_mut().filter(|rollout| rollout.rest.is_empty());
        let next = done.filter_map(|rollout| rollout.done.pop()).next();
        rollouts.retain(|rollout| !(rollout.rest.is_empty() && rollout.done.is_empty()));
        next
    }
}

impl Broker {
    /// What a queue acts on as the control plane stands.
    pub(super) fn settings_of(&self, state: &State, queue: &QueueRecord) -> Arc<QueueSettings> {
        self.settings.shared.lock().share(state.settings_of(queue))
    }

    /// Policies of a vhost changed: [`Broker::poll_timers`] takes that to its queues, some at a time;
    /// then `done` is told. A change that follows before that takes the place of this one.
    pub(super) fn begin_rollout(
        &self,
        vhost: &Arc<str>,
        done: Completion,
        result: Result<Outcome, Refusal>,
    ) {
        let rest: Vec<_> =
            self.queues().into_iter().filter(|cell| cell.record.vhost == *vhost).collect();
        if rest.is_empty() {
            return done.tell(result);
        }
        {
            let mut rollouts = self.settings.rollouts.lock();
            match rollouts.iter_mut().find(|rollout| rollout.vhost == *vhost) {
                Some(rollout) => {
                    rollout.rest = rest;
                    rollout.done.push((done, result));
                }
                None => {
                    let (vhost, done) = (vhost.clone(), vec![(done, result)]);
                    rollouts.push(Rollout { vhost, rest, done });
                }
            }
        }
        self.timers.signal.raise();
    }

    /// Gives some queues the settings that follow from changed policies; says whether there are more.
    ///
    /// Each is taken out of its rollout alone: a bug in one leaves the others to the next call.
    pub(super) fn poll_rollouts(&self, now: Timestamp) -> bool {
        for _ in 0..QUEUES_PER_POLL_MAX {
            let Some(cell) = self.settings.next_queue() else { break };
            self.renew_settings(now, &cell);
        }
        while let Some((done, result)) = self.settings.next_done() {
            done.tell(result);
        }
        !self.settings.rollouts.lock().is_empty()
    }

    /// Takes all changes of policies to all queues. For the start, when the control plane's log is
    /// read: timers go by the settings of the end, not of some moment of the past.
    pub fn settle_policies(&self, now: Timestamp) {
        while self.poll_rollouts(now) {}
    }

    fn renew_settings(&self, now: Timestamp, cell: &QueueRef) {
        let settings = self.settings_of(&self.topology(), &cell.record);
        let mut turn = self.begin(now);
        let mut queue = cell.lock();
        if !cell.is_deleted() && *queue.settings() != settings {
            queue.set_settings(now, settings, &mut turn.fx);
            self.deliver(&mut turn, cell, &mut queue);
            self.conclude(&mut turn, cell, queue);
        } else {
            drop(queue);
        }
        self.finish(turn);
    }
}
