//! Terms of logs as replays find them.

use super::Terms;
use crate::Error;

fn of(entries: &[(u64, u64)]) -> Terms {
    let mut terms = Terms::default();
    for (index, term) in entries {
        terms.push(*index, *term).unwrap();
    }
    terms
}

#[test]
fn a_log_from_its_beginning_knows_every_term() {
    let terms = of(&[(1, 1), (2, 1), (3, 4), (4, 4)]);
    let known: Vec<_> = (0..6).map(|index| terms.term(index)).collect();
    assert_eq!(known, [Some(0), Some(1), Some(1), Some(4), Some(4), None]);
    assert_eq!((terms.first_known(), terms.last(), terms.last_term()), (1, 4, 4));
}

#[test]
fn the_first_entry_of_a_compacted_log_vouches_for_the_term_before_the_second() {
    let mut terms = of(&[(1, 1), (2, 1), (3, 4), (4, 4)]);
    terms.compact(2);
    assert_eq!((terms.first(), terms.first_known()), (2, 3));
    assert_eq!((terms.term(0), terms.term(1), terms.term(2)), (None, None, Some(1)));
    terms.compact(4);
    assert_eq!(terms, of(&[(4, 4)]));
}

#[test]
fn the_last_entry_is_never_forgotten() {
    let mut terms = of(&[(1, 1), (2, 3)]);
    terms.compact(9);
    assert_eq!((terms.first(), terms.last(), terms.last_term()), (2, 2, 3));
    let mut empty = Terms::default();
    empty.compact(9);
    assert_eq!((empty.first(), empty.last()), (1, 0));
}

#[test]
fn a_hole_is_passed_over_and_disorder_is_damage() {
    let mut terms = of(&[(1, 2), (5, 2)]);
    assert_eq!(terms.term(3), Some(2));
    for (index, term) in [(5, 2), (4, 2), (6, 1), (6, 0)] {
        assert!(matches!(terms.push(index, term), Err(Error::Damaged(_))), "{index}/{term}");
    }
    assert_eq!(terms, of(&[(1, 2), (5, 2)]));
}

#[test]
fn an_unreadable_entry_takes_its_place() {
    let mut terms = Terms::default();
    terms.push_unreadable(7);
    terms.push(8, 3).unwrap();
    terms.push_unreadable(9);
    assert_eq!((terms.first(), terms.last(), terms.last_term()), (7, 9, 3));
}
