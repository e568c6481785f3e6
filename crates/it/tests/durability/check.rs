//! `leveret check-data`: what it says of sound and of damaged data, and that it only looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use it::{Login, RawClient, Server};

/// A broker with twenty messages in one queue and none in another.
fn filled() -> Server {
    let server = Server::start("");
    let mut client =
        RawClient::connect_open(&server.address(), &Login::default()).expect("it accepts");
    client.call(1, "channel.open").expect("a channel");
    client.call(1, "confirm.select").expect("confirms");
    client.call(1, "queue.declare queue=full durable").expect("declared");
    client.call(1, "queue.declare queue=empty durable").expect("declared");
    for number in 0..20 {
        let body = format!("{number:0>50}");
        let publish = format!("basic.publish routing-key=full {{delivery-mode=2}} \"{body}\"");
        client.call(1, &publish).expect("a confirm");
    }
    server
}

fn check(server: &Server) -> Output {
    server.ctl("check-data", &[])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The log's last file that is appended to.
fn last_file(server: &Server) -> PathBuf {
    let entries = fs::read_dir(server.dir().join("data/log")).expect("a log directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "log"));
    files.sort();
    files.pop().expect("a log file")
}

/// Flips a bit in the middle of the body with that number.
fn damage_body(file: &Path, number: usize) {
    let mut bytes = fs::read(file).expect("readable");
    let body = format!("{number:0>50}");
    let at = bytes.windows(body.len()).position(|it| it == body.as_bytes()).expect("it is here");
    bytes[at + 25] ^= 1;
    fs::write(file, bytes).expect("writable");
}

/// Every file under a directory with what it holds.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if path.is_file() {
            found.push((path.clone(), fs::read(&path).expect("readable")));
        }
    }
    found.sort();
    found
}

#[test]
fn sound_data_is_counted_and_left_alone_after_a_clean_stop_and_after_a_crash() {
    for is_clean in [true, false] {
        let mut server = filled();
        if is_clean {
            server.stop();
        } else {
            server.kill();
        }
        let before = contents(&server.dir().join("data"));
        let output = check(&server);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        for line in [
            "format version:  1\n",
            if is_clean { "last stop:       clean\n" } else { "last stop:       not clean" },
            "queues:          2\n",
            "messages:        20, 1000 bytes\n",
            "orphans:         0\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.ends_with("\nsound\n"), "{text}");
        assert_eq!(contents(&server.dir().join("data")), before);
        server.restart();
    }
}

#[test]
fn damage_is_reported_with_file_and_offset() {
    let mut server = filled();
    server.stop();
    let file = last_file(&server);
    damage_body(&file, 3);
    let before = contents(&server.dir().join("data"));
    let output = check(&server);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let place = format!("DAMAGE:          {} at ", file.display());
    assert!(text.contains(&place), "{text}");
    assert!(text.contains("does not match its checksum"), "{text}");
    assert_eq!(contents(&server.dir().join("data")), before);
}

#[test]
fn damage_in_front_of_whole_records_names_the_queue_also_after_a_crash() {
    let mut server = filled();
    server.kill();
    let file = last_file(&server);
    damage_body(&file, 3);
    let output = check(&server);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let place = format!("DAMAGE:          {} at ", file.display());
    assert!(text.contains(&place), "{text}");
}

#[test]
fn data_in_use_missing_or_of_a_newer_version_is_not_checked() {
    let mut server = filled();
    let output = check(&server);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("is in use by another server"), "{text}");
    server.stop();

    let version = server.dir().join("data/format-version");
    fs::write(&version, "7\n").expect("writable");
    let output = check(&server);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("has format version 7, this server knows up to 1"), "{text}");

    fs::remove_file(&version).expect("it is there");
    let output = check(&server);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("is no data directory"), "{text}");
    assert!(!version.exists());
}
