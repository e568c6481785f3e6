use http_body_util::Full;

use super::*;

const MIB: usize = 1024 * 1024;

fn body(len: usize) -> Full<Bytes> {
    Full::new(vec![b'x'; len].into())
}

#[tokio::test]
async fn a_body_has_a_size() {
    let reader = Reader::new();
    assert_eq!(reader.read(body(10), 10).await.expect("it fits").bytes.len(), 10);
    let refused = reader.read(body(11), 10).await.expect_err("it does not fit");
    assert_eq!(refused, Failure::bad_request("Exceeded HTTP request body size limit"));
}

#[tokio::test(start_paused = true)]
async fn large_bodies_wait_for_each_other_and_small_ones_for_nobody() {
    let reader = Reader::with_room(3 * MIB);
    let first = reader.read(body(2 * MIB), 20 * MIB).await.expect("there is room");
    let refused = reader.read(body(2 * MIB), 20 * MIB).await.expect_err("there is none");
    assert_eq!(refused, Failure::service_unavailable("too many large requests at a time"));
    reader.read(body(SMALL_BODY_LEN_MAX), 20 * MIB).await.expect("it needs none");
    drop(first);
    reader.read(body(2 * MIB), 20 * MIB).await.expect("there is room again");
}

#[tokio::test]
async fn a_body_larger_than_the_room_takes_all_of_it() {
    let reader = Reader::with_room(MIB);
    let read = reader.read(body(2 * MIB), 20 * MIB).await.expect("it is read alone");
    assert_eq!((read.bytes.len(), reader.room.available_permits()), (2 * MIB, 0));
}
