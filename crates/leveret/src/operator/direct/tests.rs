//! Getting several messages.

use operator::{Answer, GetMessages, GetMode, GotMessage, Refusal};

use super::gather;

/// Asks for three messages of a queue that goes away after two.
fn get(then: GetMode) -> Answer<Vec<GotMessage>> {
    let mut left = 2;
    let next = || {
        if left == 0 {
            return Err(Refusal::NotFound);
        }
        left -= 1;
        Ok(Some((left, message())))
    };
    gather(GetMessages { count: Some(3), then }, next).map(|(_, messages)| messages)
}

fn message() -> GotMessage {
    GotMessage {
        redelivered: false,
        exchange: String::new(),
        routing_key: "q".to_owned(),
        message_count: 0,
        properties: Vec::new(),
        body: b"a message".to_vec(),
    }
}

#[test]
fn what_was_taken_is_shown_though_a_later_get_fails() {
    assert_eq!(get(GetMode::Take).expect("two were taken").len(), 2);
}

#[test]
fn what_goes_back_to_its_queue_is_an_error() {
    for then in [GetMode::Return, GetMode::RejectAndReturn, GetMode::Reject] {
        assert_eq!(get(then).err(), Some(Refusal::NotFound));
    }
}

#[test]
fn the_first_failure_is_the_answer() {
    let get = GetMessages { count: None, then: GetMode::Take };
    let refused = gather(get, || Err(Refusal::NotFound));
    assert_eq!(refused.err(), Some(Refusal::NotFound));
}
