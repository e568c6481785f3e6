//! What a connection's channels count, and how that is asked for. The numbers themselves are in
//! [`crate::tally`].

use std::sync::Arc;

use broker::QueueRef;
use statistics::Traffic;

use crate::lanes::Fate;
use crate::shared::Inner;
use crate::work::Origin;

impl Inner {
    /// The number of the lane of a publish.
    pub(crate) fn lane(&mut self, exchange: &Arc<str>, queues: &[QueueRef], fate: Fate) -> u32 {
        self.is_given_back = false;
        self.lanes.get_or_insert_default().number(exchange, queues, fate)
    }

    /// Something was counted that statistics should know.
    pub(crate) fn note_counted(&mut self) {
        self.has_counted = true;
    }

    /// As [`Self::note_counted`], where it may have been the first of its queue or exchange.
    pub(crate) fn note_counted_on(&mut self, channel: u16) {
        self.has_counted = true;
        let tally = self.channels.get(channel).and_then(|side| side.tally.as_ref());
        self.is_tally_large |= tally.is_some_and(|it| it.is_large());
    }

    /// Counts publishes that came from the same channel by the same lane.
    pub(crate) fn count_publishes(&mut self, origin: Origin, count: u64) {
        if let Some(side) = self.channels.get_mut(origin.channel) {
            side.count_publishes(origin.lane, count, origin.tag != 0);
            self.has_counted = true;
        }
    }

    /// Counts a publish that a transaction held.
    pub(crate) fn count_held(
        &mut self,
        channel: u16,
        exchange: &Arc<str>,
        queues: &[QueueRef],
        fate: Fate,
    ) {
        let lane = self.lane(exchange, queues, fate);
        if let Some(side) = self.channels.get_mut(channel) {
            side.count_publishes(lane, 1, true);
            self.has_counted = true;
        }
    }

    /// Whether the broker should know that something was counted. Once until the channels are asked.
    pub(crate) fn take_counting(&mut self) -> bool {
        let is_news = self.has_counted && !self.is_counting_noted;
        self.is_counting_noted |= is_news;
        is_news
    }

    /// Whether what was counted takes much memory.
    pub(crate) fn has_counted_much(&self) -> bool {
        self.is_tally_large || self.lanes.as_ref().is_some_and(|it| it.are_too_many())
    }

    /// The lanes' numbers mean nothing any more. Nothing may be counted that has not been taken.
    pub(crate) fn forget_lanes(&mut self) {
        self.lanes = None;
        self.channels.iter_mut().for_each(|(_, side)| side.tally = None);
    }

    /// Frees what is only needed to count more: at once, or when it was asked for what it has counted.
    pub(crate) fn give_back_counters(&mut self) {
        self.is_given_back = self.has_counted;
        if !self.has_counted {
            self.forget_lanes();
        }
    }

    /// What the channels did, those that did anything.
    pub(crate) fn take_traffic(&mut self) -> Vec<Traffic> {
        self.has_counted = false;
        self.is_counting_noted = false;
        self.is_tally_large = false;
        let Self { channels, lanes, vhost, .. } = self;
        let mut traffic = Vec::new();
        for (_, side) in channels.iter_mut() {
            let of_channel = side.take_traffic(vhost, lanes.as_deref());
            if 0 < of_channel.rows() {
                side.was_heard_of = true;
                traffic.push(of_channel);
            }
        }
        if std::mem::take(&mut self.is_given_back) {
            self.forget_lanes();
        }
        traffic
    }

    /// Forgets a channel. Returns what it did, and whether the channel was heard of before; `None` if
    /// there is nothing to tell.
    pub(crate) fn remove_channel(&mut self, number: u16) -> Option<(Traffic, bool)> {
        let mut side = self.channels.remove(number)?;
        let mut traffic = side.take_traffic(&self.vhost, self.lanes.as_deref());
        traffic.is_closed = true;
        let is_news = side.was_heard_of || 0 < traffic.rows();
        is_news.then_some((traffic, side.was_heard_of))
    }
}
