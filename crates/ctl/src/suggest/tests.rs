use super::*;

const NAMES: [&str; 4] = ["list_queues", "list_users", "delete_queue", "status"];

#[test]
fn a_near_name_is_suggested() {
    assert_eq!(nearest("list_que", NAMES.into_iter()), Some("list_queues"));
    assert_eq!(nearest("listqueues", NAMES.into_iter()), Some("list_queues"));
    assert_eq!(nearest("sttus", NAMES.into_iter()), Some("status"));
}

#[test]
fn a_far_one_is_not() {
    assert_eq!(nearest("nope", NAMES.into_iter()), None);
    assert_eq!(nearest("", NAMES.into_iter()), None);
}

#[test]
fn jaro_s_own_examples() {
    assert!((jaro("MARTHA", "MARHTA") - 0.944).abs() < 0.001);
    assert!((jaro("DIXON", "DICKSONX") - 0.767).abs() < 0.001);
    assert!((jaro("same", "same") - 1.0).abs() < 1e-9);
}
