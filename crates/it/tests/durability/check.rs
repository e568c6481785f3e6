//! `leveret check-data`: what it says of sound and of damaged data, and that it only looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use it::Server;

/// A broker with twenty messages in one queue and none in another.
fn filled() -> Server {
    filled_with("")
}

/// The same, with these lines of configuration.
fn filled_with(conf: &str) -> Server {
    let server = Server::start(conf);
    let mut client = server.channel();
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

fn end(server: &mut Server, is_clean: bool) {
    if is_clean {
        server.stop();
    } else {
        server.kill();
    }
}

/// What the check says of the data of a broker that has ended, after which it exits with `status`. It
/// only looks.
fn checked(server: &Server, status: i32) -> String {
    let data = server.dir().join("data");
    let before = contents(&data);
    let output = check(server);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert_eq!(contents(&data), before, "it changes nothing");
    text
}

/// The log's last file that is appended to.
fn last_file(server: &Server) -> PathBuf {
    let entries = fs::read_dir(server.dir().join("data/log")).expect("a log directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "log"));
    files.sort();
    files.pop().expect("a log file")
}

/// Flips a bit in the middle of the body with that number, wherever in the file it lies.
fn damage_body(file: &Path, number: usize) {
    let mut bytes = fs::read(file).expect("readable");
    let body = format!("{number:0>50}");
    let is_body = |&at: &usize| bytes[at..].starts_with(body.as_bytes());
    let places: Vec<usize> = (0..bytes.len()).filter(is_body).collect();
    assert!(!places.is_empty(), "it is not there");
    places.into_iter().for_each(|at| bytes[at + 25] ^= 1);
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
        end(&mut server, is_clean);
        let text = checked(&server, 0);
        for line in [
            "format version:  3\n",
            if is_clean { "last stop:       clean\n" } else { "last stop:       not clean" },
            "queues:          2\n",
            "messages:        20, 1000 bytes\n",
            "pages:           0, 0 bytes\n",
            "orphans:         0\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.ends_with("\nsound\n"), "{text}");
        server.restart();
    }
}

#[test]
fn damage_is_reported_with_file_and_offset() {
    let mut server = filled();
    server.stop();
    let file = last_file(&server);
    damage_body(&file, 3);
    let text = checked(&server, 1);
    let place = format!("DAMAGE:          {} at ", file.display());
    assert!(text.contains(&place), "{text}");
    let what = "an entry does not match its checksum; lost: entry 4 of queue 'full' in vhost '/'\n";
    assert!(text.contains(what), "{text}");
    assert!(text.ends_with("\ndamaged in 1 place\n"), "{text}");
    // The server starts on it, and warns once, of the same place.
    let (_, offset) = text.split_once(&place).expect("as found");
    let (offset, _) = offset.split_once(',').expect("a length follows");
    server.restart();
    let log = server.log_with(what.trim_end());
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("damage")).collect();
    let [warning] = warnings[..] else { panic!("one place: {log}") };
    for part in [what.trim_end(), &file.display().to_string(), &format!("offset={offset}")] {
        assert!(warning.contains("[warning]") && warning.contains(part), "{part}: {log}");
    }
}

/// A write that nobody was promised ends the log; whole blocks behind it speak against that.
#[test]
fn an_end_that_is_cut_off_is_damage_if_whole_blocks_follow() {
    let mut server = filled_with("classic_queue.confirm = os\n");
    server.kill();
    damage_body(&last_file(&server), 3);
    let text = checked(&server, 1);
    let what = "a block cannot be read, and 16 whole ones that follow are cut off\n";
    assert!(text.contains("DAMAGE: ") && text.contains(what), "{text}");
}

/// With nothing allowed in memory, publishers wait until it is on pages.
const ALL_ON_PAGES: &str = "message_memory_limit = 0\n";

fn page_file(server: &Server) -> PathBuf {
    server.dir().join("data/pages/00000000.pages")
}

/// The number behind `pages:`.
fn pages_said(text: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix("pages:")).expect("a line of pages");
    let (number, _) = line.split_once(',').expect("bytes follow");
    number.trim().parse().expect("a number")
}

#[test]
fn pages_are_read_and_counted_after_a_clean_stop_and_after_a_crash() {
    for is_clean in [true, false] {
        let mut server = filled_with(ALL_ON_PAGES);
        end(&mut server, is_clean);
        let text = checked(&server, 0);
        assert!(text.contains("messages:        20, 1000 bytes\n"), "{text}");
        assert!(0 < pages_said(&text), "{text}");
    }
}

#[test]
fn a_damaged_page_is_reported_with_file_and_offset_and_costs_what_is_damaged() {
    let mut server = filled_with(ALL_ON_PAGES);
    server.stop();
    let file = page_file(&server);
    damage_body(&file, 3);
    let text = checked(&server, 1);
    let damage = text.lines().find(|line| line.starts_with("DAMAGE: ")).expect("damage");
    assert!(damage.contains(&format!("{} at ", file.display())), "{text}");
    let what = "a page of queue 'full' in vhost '/': the checksum differs";
    assert!(damage.ends_with(what), "{text}");
    assert!(text.ends_with("\ndamaged in 1 place\n"), "{text}");

    server.restart();
    let mut client = server.channel();
    let mut found: Vec<usize> = Vec::new();
    loop {
        let got = client.call(1, "basic.get queue=full no-ack").expect("an answer");
        if got.starts_with("basic.get-empty") {
            break;
        }
        found.push(got.split('"').nth_back(1).expect("a body").parse().expect("a number"));
    }
    let others: Vec<usize> = (0..20).filter(|&number| number != 3).collect();
    assert_eq!(found, others);
}

#[test]
fn a_missing_file_of_pages_is_damage_and_is_not_made() {
    let mut server = filled_with(ALL_ON_PAGES);
    server.stop();
    fs::remove_file(page_file(&server)).expect("it was there");
    let text = checked(&server, 1);
    assert!(text.contains("it lies behind the end of the files"), "{text}");
    assert!(!page_file(&server).exists());
}

#[test]
fn damage_in_front_of_whole_records_names_the_queue_also_after_a_crash() {
    let mut server = filled();
    server.kill();
    let file = last_file(&server);
    damage_body(&file, 3);
    let text = checked(&server, 1);
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
    assert!(text.contains("has format version 7, this server knows up to 3"), "{text}");

    fs::remove_file(&version).expect("it is there");
    let output = check(&server);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("is no data directory"), "{text}");
    assert!(!version.exists());
}
