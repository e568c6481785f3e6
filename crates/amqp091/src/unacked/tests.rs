use super::*;

fn ring(tags: impl IntoIterator<Item = u64>) -> Unacked<u64> {
    let mut ring = Unacked::default();
    for tag in tags {
        ring.push(tag, Delivered { slot: 0, ticket: tag * 10 });
    }
    ring
}

fn through(ring: &mut Unacked<u64>, tag: u64) -> Option<Vec<u64>> {
    let mut taken = Vec::new();
    ring.take_through(tag, |it| taken.push(it.ticket)).then_some(taken)
}

#[test]
fn one_tag_is_taken_once() {
    let mut ring = ring(1..=3);
    assert_eq!(ring.take(2).map(|it| it.ticket), Some(20));
    assert_eq!(ring.take(2), None);
    assert_eq!(ring.take(0), None);
    assert_eq!(ring.take(4), None);
    assert_eq!(ring.len(), 2);
}

#[test]
fn multiple_takes_the_front_in_order_and_refuses_unknown_tags() {
    let mut ring = ring(1..=5);
    assert!(ring.take(2).is_some());
    assert_eq!(through(&mut ring, 2), None);
    assert_eq!(through(&mut ring, 9), None);
    assert_eq!(through(&mut ring, 4), Some(vec![10, 30, 40]));
    assert_eq!(through(&mut ring, 4), None);
    assert_eq!(ring.len(), 1);
}

#[test]
fn tags_may_have_holes() {
    let mut ring = ring([3, 7, 8, 20]);
    assert_eq!(ring.take(7).map(|it| it.ticket), Some(70));
    assert_eq!(ring.take(5), None);
    assert_eq!(through(&mut ring, 20), Some(vec![30, 80, 200]));
    assert_eq!(ring.len(), 0);
}

#[test]
fn rolled_back_deliveries_return_to_their_place() {
    let mut ring = ring(1..=4);
    let two = ring.take(2).expect("2 is unsettled");
    let four = ring.take(4).expect("4 is unsettled");
    ring.put_back([(4, four), (2, two)]);
    assert_eq!(ring.last_tag(), Some(4));
    assert_eq!(through(&mut ring, 4), Some(vec![10, 20, 30, 40]));
}

#[test]
fn one_stuck_delivery_does_not_hold_the_memory_of_all_later_ones() {
    let mut ring = ring(1..=1);
    for tag in 2..100_000 {
        ring.push(tag, Delivered { slot: 0, ticket: tag });
        assert!(ring.take(tag).is_some());
    }
    assert!(ring.ring.len() < 2 * TOMBSTONES_MAX);
    assert_eq!(ring.take(1).map(|it| it.ticket), Some(10));
    assert!(ring.ring.is_empty());
}
