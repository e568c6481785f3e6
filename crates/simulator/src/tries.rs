//! What a quorum queue has to tell of how often a message was tried, as far as clients can know it.

/// What a delivery tells of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Its redelivered flag.
    pub is_redelivered: bool,
    /// Its `x-acquired-count`, 0 without one.
    pub acquired: u32,
    /// Its `x-delivery-count`, 0 without one.
    pub failures: u32,
}

/// How often a message of a quorum queue was tried: at least what clients saw, at most that and what
/// may have happened unseen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    /// Deliveries that a client saw.
    pub(crate) deliveries: u32,
    /// Some client has it.
    is_out: bool,
    /// It was given back, and a later answer was seen.
    pub(crate) is_returned: bool,
    /// It was given back in this life of the queue.
    is_given_back: bool,
    /// A crash does not make the queue forget what it counts: it came back, and that is durable, or
    /// it was seen after that.
    is_noted: bool,
    /// It was given back without having failed.
    is_spared: bool,
    /// What the last delivery told.
    pub(crate) acquired: u32,
    min: Counts,
    failures_max: u32,
    /// What no crash takes away.
    durable: Counts,
}

/// Attempts and failures among them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    acquired: u32,
    failures: u32,
}

impl Tries {
    /// What is wrong with a delivery, in words.
    pub(crate) fn check(&self, tried: Tried) -> Option<&'static str> {
        let Tried { is_redelivered, acquired, failures } = tried;
        if failures < self.min.failures {
            Some("counts too few failures")
        } else if self.failures_max < failures {
            Some("counts too many failures")
        } else if acquired < self.min.acquired {
            Some("counts too few attempts")
        } else if is_redelivered != (0 < acquired) {
            Some("is flagged otherwise than it counts")
        } else {
            None
        }
    }

    pub(crate) fn deliver(&mut self, tried: Tried) {
        let Tried { acquired, failures, .. } = tried;
        self.deliveries += 1;
        self.is_out = true;
        self.is_noted |= self.is_given_back || 1 < acquired || failures < acquired;
        self.acquired = acquired;
        self.min = Counts { acquired, failures };
        self.failures_max = failures;
    }

    /// Whoever has it gives it back, or is about to acknowledge it. If the queue does not hear of
    /// that, it counts as failed. Returns what it counts then.
    pub(crate) fn give_back(&mut self, has_failed: bool) -> Counts {
        if std::mem::take(&mut self.is_out) {
            self.min.acquired += 1;
            self.min.failures += u32::from(has_failed);
            self.failures_max += 1;
            self.is_spared |= !has_failed;
            self.is_given_back = true;
        }
        self.min
    }

    /// It was given back for good, and counted this.
    pub(crate) fn take_back(&mut self, counts: Counts) {
        self.is_returned = true;
        self.is_noted = true;
        self.durable.raise(counts);
    }

    /// Somebody who might have it is gone. What he `has` failed; what nobody has, he may have had
    /// unseen.
    pub(crate) fn lose(&mut self, has: bool) {
        match self.is_out {
            true if has => drop(self.give_back(true)),
            true => {}
            false => self.failures_max += 1,
        }
    }

    /// The queue was stopped in order.
    pub(crate) fn stop(&mut self) {
        self.durable = self.min;
    }

    /// The queue crashed. What was out has failed; what was so for the first time counts once, however
    /// often that happens.
    pub(crate) fn crash(&mut self) {
        self.lose(true);
        self.is_given_back = false;
        if self.is_noted {
            return;
        }
        self.min = self.durable;
        if 0 < self.deliveries {
            self.min.raise(Counts { acquired: 1, failures: u32::from(!self.is_spared) });
        }
    }

    /// The queue is about to end, and may not have read the message since it was given back: then it
    /// knows it as one that somebody had.
    pub(crate) fn lose_place(&mut self) {
        self.is_returned &= !self.is_given_back;
    }

    /// It may have failed more often than `limit` times.
    pub(crate) fn may_exceed(&self, limit: Option<u32>) -> bool {
        limit.is_some_and(|limit| limit < self.failures_max)
    }
}

impl Counts {
    fn raise(&mut self, other: Self) {
        self.acquired = self.acquired.max(other.acquired);
        self.failures = self.failures.max(other.failures);
    }
}
