//! Queues that give memory back.

use std::collections::VecDeque;

/// Elements for which a queue keeps room in any case.
const KEPT_MIN: usize = 8;

/// Gives back most of the room of a queue that has become mostly empty. Cheap to call after each
/// removal: it moves at most one element for every few that were removed.
pub fn shrink_sparse<T>(queue: &mut VecDeque<T>) {
    if KEPT_MIN < queue.capacity() && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(KEPT_MIN.max(2 * queue.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_keeps_room_in_proportion_to_what_it_holds() {
        let mut queue: VecDeque<u32> = (0..1000).collect();
        while queue.pop_front().is_some() {
            shrink_sparse(&mut queue);
            assert!(queue.capacity() <= (4 * queue.len() + 4).max(2 * KEPT_MIN), "{}", queue.len());
            assert!(queue.iter().is_sorted());
        }
    }
}
