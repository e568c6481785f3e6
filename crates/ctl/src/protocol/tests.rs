use super::*;

#[test]
fn a_frame_is_read_as_it_was_written() {
    let frame = Frame::Row(vec![
        Term::text("größe"),
        Term::Table(vec![("k".to_owned(), "long".to_owned(), Term::Int(-1))]),
        Term::Float(0.5),
        Term::nothing(),
    ]);
    let mut bytes = Vec::new();
    write(&mut bytes, &frame).expect("a vector takes all");
    assert_eq!(read::<Frame>(&mut bytes.as_slice()).expect("a frame"), frame);
    for len in 0..bytes.len() {
        assert!(read::<Frame>(&mut &bytes[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_anything_is_reserved() {
    let error = read::<Frame>(&mut &b"\xff\xff\xff\xffx"[..]).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
