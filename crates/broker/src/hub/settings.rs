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
            return done(result);
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
    pub(super) fn poll_rollouts(&self, now: Timestamp) -> bool {
        let (cells, done) = {
            let mut rollouts = self.settings.rollouts.lock();
            let Some(rollout) = rollouts.first_mut() else { return false };
            let left = rollout.rest.len().saturating_sub(QUEUES_PER_POLL_MAX);
            let cells = rollout.rest.split_off(left);
            let done = if left == 0 { rollouts.remove(0).done } else { Vec::new() };
            (cells, done)
        };
        for cell in cells {
            self.renew_settings(now, &cell);
        }
        for (done, result) in done {
            done(result);
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
