use crate::{ReplyCode, reply_text};

#[test]
fn a_reply_text_names_its_code() {
    assert_eq!(
        reply_text(ReplyCode::NotFound, "no queue 'q' in vhost '/'"),
        "NOT_FOUND - no queue 'q' in vhost '/'"
    );
    assert_eq!((ReplyCode::NotFound.code(), ReplyCode::NotFound.is_hard()), (404, false));
    assert_eq!((ReplyCode::FrameError.code(), ReplyCode::FrameError.is_hard()), (501, true));
}

#[test]
fn a_long_reply_text_is_cut_to_255_characters() {
    let prefix = "NOT_FOUND - ".len();
    let fits = reply_text(ReplyCode::NotFound, "x".repeat(255 - prefix));
    assert_eq!((fits.len(), fits.ends_with('x')), (255, true));

    let cut = reply_text(ReplyCode::NotFound, "x".repeat(256 - prefix));
    assert_eq!((cut.len(), cut.ends_with("xx...")), (255, true));
}

#[test]
fn a_reply_text_of_many_bytes_is_cut_between_characters() {
    let even = reply_text(ReplyCode::NotFound, "ü".repeat(200));
    assert_eq!((even.len(), even.ends_with("ü...")), (255, true));
    let odd = reply_text(ReplyCode::NotFound, format!("x{}", "ü".repeat(400)));
    assert_eq!((odd.len(), odd.ends_with("ü...")), (254, true));
}
