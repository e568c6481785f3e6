//! Heartbeats of one connection (AMQP 0-9-1 §4.2.7, at RabbitMQ's pace).

use stdx::Timestamp;

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Nothing was sent for a while: send a heartbeat frame.
    pub(crate) is_due: bool,
    /// The client was silent for too long.
    pub(crate) is_missed: bool,
}

/// Why the client's bytes are not read, if they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    /// Something here has to happen first: silence means nothing.
    Ours,
    /// It does not read its answers: it is there as long as it takes some of them.
    Theirs,
}

/// Sends every half interval in which nothing else was sent, and looks once an interval whether
/// something came: two looks in vain end the connection, that is after two to three intervals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heartbeat {
    interval_ms: u64,
    next_send: Timestamp,
    next_look: Timestamp,
    /// RabbitMQ sends the first heartbeat whatever else it sent.
    is_first: bool,
    has_sent: bool,
    has_received: bool,
    has_written: bool,
    looks_in_vain: u8,
}

impl Heartbeat {
    /// Starts with an interval of `seconds`; 0 is none.
    pub(crate) fn start(now: Timestamp, seconds: u16) -> Self {
        let interval_ms = u64::from(seconds) * 1000;
        Self {
            interval_ms,
            next_send: now.plus_ms(interval_ms / 2),
            next_look: now.plus_ms(interval_ms),
            is_first: true,
            has_sent: false,
            // The frames that negotiated the heartbeat count as traffic of the first interval.
            has_received: true,
            has_written: false,
            looks_in_vain: 0,
        }
    }

    /// Bytes came in.
    pub(crate) fn received(&mut self) {
        self.has_received = true;
    }

    /// The client took bytes from the socket.
    pub(crate) fn written(&mut self) {
        self.has_written = true;
    }

    /// Bytes are on their way out.
    pub(crate) fn sent(&mut self) {
        self.has_sent = true;
    }

    /// When something may be due.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        (self.interval_ms != 0).then(|| self.next_send.min(self.next_look))
    }

    /// What is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp, pause: Pause) -> Beat {
        let mut beat = Beat::default();
        if self.interval_ms == 0 {
            return beat;
        }
        if self.next_send <= now {
            beat.is_due = self.is_first || !self.has_sent;
            self.is_first = false;
            self.has_sent = false;
            self.next_send = now.plus_ms(self.interval_ms / 2);
        }
        if self.next_look <= now {
            let is_excused = match pause {
                Pause::None => false,
                Pause::Ours => true,
                Pause::Theirs => self.has_written,
            };
            if self.has_received || is_excused {
                self.looks_in_vain = 0;
            } else {
                self.looks_in_vain += 1;
            }
            beat.is_missed = self.looks_in_vain == 2;
            self.has_received = false;
            self.has_written = false;
            self.next_look = now.plus_ms(self.interval_ms);
        }
        beat
    }
}

#[cfg(test)]
mod tests;
