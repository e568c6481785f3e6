use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;

/// An output that takes each write only when somebody reads it.
struct Pipe(SyncSender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pipe() -> (LogWriter, Receiver<Vec<u8>>) {
    let (sender, receiver) = sync_channel(0);
    let writer = LogWriter::start(Pipe(sender), |lost| format!("{lost} lost\n"));
    (writer.expect("a thread"), receiver)
}

#[test]
fn nobody_waits_for_who_does_not_read_the_log_and_lost_lines_are_counted() {
    let (log, reader) = pipe();
    let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
    for _ in 0..4000 {
        log.print(&line);
    }
    let mut lines = Vec::new();
    let mut lost = None;
    while lost.is_none() {
        lines.extend(reader.recv().expect("the thread writes"));
        let text = String::from_utf8_lossy(&lines);
        lost = text.lines().find_map(|it| it.strip_suffix(" lost")?.parse::<usize>().ok());
    }
    let written = lines.chunks(line.len()).filter(|it| *it == line).count();
    assert_eq!(written + lost.unwrap_or_default(), 4000);
    assert!((1024..=2048).contains(&written), "{written}");
}

#[test]
fn what_is_read_comes_whole_and_in_order() {
    let (log, reader) = pipe();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        while !text.ends_with("99\n") {
            text.push_str(&String::from_utf8(reader.recv().expect("a write")).expect("text"));
        }
        text
    });
    let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
    for number in 0..100 {
        log.print(format!("{number}\n").as_bytes());
    }
    assert_eq!(reading.join().expect("no panic"), expected);
    log.flush();
}

#[test]
fn lines_that_the_output_refuses_are_counted_when_it_takes_some_again() {
    struct Refusing(SyncSender<Vec<u8>>, u32);
    impl Write for Refusing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sender, reader) = sync_channel(4);
    let log = LogWriter::start(Refusing(sender, 0), |lost| format!("{lost} lost\n"));
    let log = log.expect("a thread");
    log.print(b"one\ntwo\n");
    log.flush();
    log.print(b"three\n");
    assert_eq!(reader.recv().expect("a write"), b"three\n");
    assert_eq!(reader.recv().expect("a write"), b"2 lost\n");
}
