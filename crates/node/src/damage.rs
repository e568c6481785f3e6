//! What damage to the log has cost, place by place.

use broker::Broker;
use storage::{Damage, Damaged, Lost};
use topology::QueueRecord;
use tracing::warn;

use crate::journal::queue_of;

/// Queues that are named for one place: a block may hold entries of thousands.
const NAMED_MAX: usize = 10;

/// Entries of a queue's journal that are lost.
#[derive(Debug)]
pub(crate) struct Cost {
    queue: String,
    lost: Lost,
}

impl Cost {
    /// Whose entries they are, if anybody knows the queue.
    pub(crate) fn of(broker: &Broker, lost: Lost) -> Self {
        let queue = match broker.queue(queue_of(lost.group)) {
            Some(cell) => called(&cell.record),
            None => "a queue that is gone".to_owned(),
        };
        Self { queue, lost }
    }

    /// Whether it is known that they lay at this place; or likely, `only` this one being a place where
    /// nobody knows what was lost.
    fn is_of(&self, place: &Damage, only: bool) -> bool {
        let is_here = |(file, offset): &(_, _)| *file == place.file && *offset == place.offset;
        self.lost.places.iter().any(is_here) || self.lost.places.is_empty() && only
    }

    fn text(&self) -> String {
        let Self { queue, lost: Lost { first, end, .. } } = self;
        match end {
            Some(end) if first + 1 == *end => format!("entry {first} of {queue}"),
            Some(end) => format!("entries {first} to {} of {queue}", end - 1),
            None => format!("entries from {first} on of {queue}"),
        }
    }
}

/// One line for each place, with what it cost as far as that is known, and one for each loss that has
/// none.
pub(crate) fn describe<'a>(
    places: &'a [Damage],
    costs: &[Cost],
) -> Vec<(Option<&'a Damage>, String)> {
    let is_vague = |place: &&Damage| {
        use Damaged::{Entry, Tail, UnreadEntry};
        !matches!(place.what, Entry | UnreadEntry | Tail { .. })
    };
    let is_one_vague = places.iter().filter(is_vague).count() == 1;
    let is_only = |place: &Damage| is_one_vague && is_vague(&place);
    let mut lines = Vec::new();
    for place in places {
        let of_place: Vec<&Cost> =
            costs.iter().filter(|cost| cost.is_of(place, is_only(place))).collect();
        let mut text = place.what.to_string();
        if !of_place.is_empty() {
            let named: Vec<String> =
                of_place.iter().take(NAMED_MAX).map(|cost| cost.text()).collect();
            text += &format!("; lost: {}", named.join(", "));
        }
        if NAMED_MAX < of_place.len() {
            text += &format!(" and {} more", of_place.len() - NAMED_MAX);
        }
        lines.push((Some(place), text));
    }
    for cost in costs {
        if !places.iter().any(|place| cost.is_of(place, is_only(place))) {
            lines.push((None, format!("{}: {}", cost.text(), cost.lost.reason)));
        }
    }
    lines
}

/// How a queue is called in reports.
pub(crate) fn called(queue: &QueueRecord) -> String {
    format!("queue '{}' in vhost '{}'", queue.name, queue.vhost)
}

/// Damage of which the operator has not heard. Is told when what it cost is known, or when the start
/// ends before.
#[derive(Debug)]
pub(crate) struct Untold(Vec<Damage>);

impl Untold {
    pub(crate) fn new(places: &[Damage]) -> Self {
        Self(places.to_vec())
    }

    /// Tells of the places, and of what is lost.
    pub(crate) fn tell(mut self, costs: &[Cost]) {
        tell(&std::mem::take(&mut self.0), costs);
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        tell(&self.0, &[]);
    }
}

fn tell(places: &[Damage], costs: &[Cost]) {
    for (place, text) in describe(places, costs) {
        match place {
            Some(Damage { file, offset, len, .. }) => {
                warn!(file = %file.display(), offset, len, "damage in the log: {text}");
            }
            None => warn!("damage in the log: {text}"),
        }
    }
}

#[cfg(test)]
mod tests;
