use std::path::PathBuf;

use storage::{Damage, Damaged, GroupId, Lost};

use super::{Cost, describe};

fn place(offset: u64, what: Damaged) -> Damage {
    Damage { file: PathBuf::from("0000000001.log"), offset, len: 50, what }
}

fn cost(queue: &str, first: u64, end: Option<u64>, offsets: &[u64]) -> Cost {
    let places = offsets.iter().map(|&at| (PathBuf::from("0000000001.log"), at)).collect();
    let reason = "its block is damaged".to_owned();
    let lost = Lost { group: GroupId(1), first, end, reason, places };
    Cost { queue: queue.to_owned(), lost }
}

fn lines(places: &[Damage], costs: &[Cost]) -> Vec<String> {
    let line = |(place, text): (Option<&Damage>, String)| match place {
        Some(place) => format!("{}: {text}", place.offset),
        None => text,
    };
    describe(places, costs).into_iter().map(line).collect()
}

#[test]
fn a_damaged_entry_is_one_line_with_its_queue() {
    let places = [place(100, Damaged::Entry), place(900, Damaged::Entry)];
    let costs = [cost("a", 3, Some(4), &[100]), cost("b", 7, Some(9), &[900])];
    assert_eq!(
        lines(&places, &costs),
        [
            "100: an entry does not match its checksum; lost: entry 3 of a",
            "900: an entry does not match its checksum; lost: entries 7 to 8 of b",
        ]
    );
}

#[test]
fn what_a_single_damaged_block_held_is_known_by_what_is_missing() {
    let places = [place(100, Damaged::Entry), place(500, Damaged::Block)];
    let costs =
        [cost("a", 3, Some(4), &[100]), cost("a", 5, Some(6), &[]), cost("b", 1, None, &[])];
    assert_eq!(
        lines(&places, &costs),
        [
            "100: an entry does not match its checksum; lost: entry 3 of a",
            "500: a block cannot be read; lost: entry 5 of a, entries from 1 on of b",
        ]
    );
}

#[test]
fn of_two_damaged_blocks_nobody_knows_which_held_what() {
    let places = [place(100, Damaged::Block), place(500, Damaged::Block)];
    assert_eq!(
        lines(&places, &[cost("a", 3, Some(4), &[])]),
        [
            "100: a block cannot be read",
            "500: a block cannot be read",
            "entry 3 of a: its block is damaged",
        ]
    );
}

#[test]
fn not_all_queues_of_a_block_are_named() {
    let costs: Vec<Cost> = (1..=12).map(|queue| cost(&format!("q{queue}"), 1, None, &[])).collect();
    let [line] = &lines(&[place(0, Damaged::Block)], &costs)[..] else { panic!("one place") };
    assert!(line.ends_with("entries from 1 on of q10 and 2 more"), "{line}");
}
