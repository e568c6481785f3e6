//! Queues that are careful with memory.

use std::collections::VecDeque;

/// Appends an element. The room grows by a quarter, where the standard library would double it: for
/// queues of which there are many.
pub fn push_snugly<T>(queue: &mut VecDeque<T>, element: T) {
    if queue.len() == queue.capacity() {
        queue.reserve_exact(queue.len() / 4 + 1);
    }
    queue.push_back(element);
}

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
    fn a_queue_grows_by_little_and_seldom() {
        let mut queue = VecDeque::new();
        let mut growths = 0;
        for number in 0..1000 {
            let before = queue.capacity();
            push_snugly(&mut queue, number);
            growths += usize::from(queue.capacity() != before);
            assert!(queue.capacity() <= queue.len() + queue.len() / 4 + 1);
        }
        assert!(growths < 40, "{growths}");
        assert!(queue.iter().is_sorted());
    }

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
