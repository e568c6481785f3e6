//! Misuse replayed: what RabbitMQ 4.3.6 was seen to answer, case by case, from `cases/*.txt`
//! (the language is described in `script.rs`).
//!
//! By default each file runs against a broker of its own. With `LEVERET_TEST_TARGET=host:port` and
//! `LEVERET_TEST_CTL="words before rabbitmqctl"` the same cases run against any broker; files with
//! `conf` lines then need that broker to have been started with them. `LEVERET_TEST_RECORD=1` writes
//! what was answered into the files instead of comparing: only ever point that at RabbitMQ.
//!
//! Cases that need what is not built yet stand in `later.txt` with the reason. The list is exact: a
//! case on it that passes fails the test.

mod replay;
mod script;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use it::Target;

use crate::{
    replay::Replay,
    script::{Action, Case, Script},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/misuse")
}

/// The cases of a file that are listed in `later.txt`.
fn later(file: &str) -> BTreeSet<String> {
    let prefix = format!("{file}: ");
    let list = include_str!("later.txt").lines();
    list.filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

fn is_own_broker() -> bool {
    env::var_os("LEVERET_TEST_TARGET").is_none()
}

/// Removes from a broker that is not ours what an earlier run made: every vhost and user the file adds.
fn forget(target: &Target, script: &Script) {
    for step in &script.setup {
        if let Action::Ctl(words) = &step.action {
            match words.as_slice() {
                [_, add, name, ..] if add == "add_vhost" => {
                    let _ = target.ctl("rabbitmqctl", &["delete_vhost", name]);
                }
                [_, add, name, ..] if add == "add_user" => {
                    let _ = target.ctl("rabbitmqctl", &["delete_user", name]);
                }
                _ => {}
            }
        }
    }
}

fn play(target: &Target, case: &Case, is_recording: bool) -> (Result<(), String>, Vec<String>) {
    let mut replay = Replay::new(target, is_recording);
    let outcome = replay.play(case);
    let transcript = std::mem::take(&mut replay.transcript);
    replay.close();
    (outcome, transcript)
}

/// Plays the quick cases in order, then the slow ones side by side; results in the file's order.
fn play_all(
    target: &Target,
    script: &Script,
    is_recording: bool,
) -> Vec<(Result<(), String>, Vec<String>)> {
    let only = env::var("LEVERET_TEST_CASE").ok();
    let is_chosen = |case: &Case| only.as_ref().is_none_or(|part| case.name.contains(part));
    let mut results: Vec<_> = script
        .cases
        .iter()
        .map(|case| (!case.is_slow && is_chosen(case)).then(|| play(target, case, is_recording)))
        .collect();
    thread::scope(|scope| {
        let slow = script.cases.iter().zip(&mut results);
        for (case, result) in slow.filter(|(case, _)| case.is_slow && is_chosen(case)) {
            scope.spawn(move || *result = Some(play(target, case, is_recording)));
        }
    });
    let skipped = || (Ok(()), Vec::new());
    results.into_iter().map(|result| result.unwrap_or_else(skipped)).collect()
}

/// What a failed case looks like: the script, and beside it the line where the broker went its own way.
fn difference(case: &Case, error: &str, transcript: &[String]) -> String {
    let mut text = format!("== {}\n", case.name);
    for (index, step) in case.steps.iter().enumerate() {
        match transcript.get(index) {
            Some(line) if *line == step.line => text.push_str(&format!("    {line}\n")),
            Some(line) => {
                text.push_str(&format!("  - {}\n  + {line}\n", step.line));
                break;
            }
            None => {
                text.push_str(&format!("  ! {error}\n"));
                break;
            }
        }
    }
    for line in transcript.iter().skip(case.steps.len()) {
        text.push_str(&format!("  + {line}\n"));
    }
    if !text.contains("  + ") && !text.contains("  ! ") {
        text.push_str(&format!("  ! {error}\n"));
    }
    text
}

/// Rewrites a file with what was recorded.
fn record(path: &Path, script: &Script, results: &[(Result<(), String>, Vec<String>)]) {
    let text = fs::read_to_string(path).expect("the file was read before");
    let head = text.find("\n== ").map_or(text.as_str(), |at| &text[..=at]);
    let mut out = head.trim_end().to_owned();
    for (case, (outcome, transcript)) in script.cases.iter().zip(results) {
        out.push_str(&format!("\n\n== {}\n", case.name));
        if case.is_slow {
            out.push_str("slow\n");
        }
        let lines = case.steps.iter().map(|step| &step.line);
        let lines: Vec<&String> =
            if transcript.is_empty() { lines.collect() } else { transcript.iter().collect() };
        lines.iter().for_each(|line| out.push_str(&format!("{line}\n")));
        if let Err(error) = outcome {
            eprintln!("{}: {}: {error}", script.name, case.name);
        }
        out.truncate(out.trim_end().len());
    }
    out.push('\n');
    fs::write(path, out).expect("the file is writable");
}

/// Replays one file; all that differs is reported together.
fn check(file: &str) {
    static SHARED: Mutex<()> = Mutex::new(());
    let _turn = (!is_own_broker()).then(|| SHARED.lock().unwrap_or_else(PoisonError::into_inner));
    let path = folder().join(format!("cases/{file}.txt"));
    let text = fs::read_to_string(&path).expect("the test names a file of cases");
    let script = Script::parse(file, &text);
    let is_recording = !is_own_broker() && env::var_os("LEVERET_TEST_RECORD").is_some();
    let later = if is_own_broker() { later(file) } else { BTreeSet::new() };
    let target = Target::start(&script.conf.replace("{here}", &folder().to_string_lossy()));
    if !is_own_broker() {
        forget(&target, &script);
    }
    let mut setup = Replay::new(&target, false);
    if let Err(error) = setup.set_up(&script.setup) {
        let are_all_later = script.cases.iter().all(|case| later.contains(&case.name));
        assert!(are_all_later, "{file}: {error}");
        return;
    }
    let results = play_all(&target, &script, is_recording);
    setup.close();
    if is_recording {
        record(&path, &script, &results);
        return;
    }
    let mut failures = String::new();
    for (case, (outcome, transcript)) in script.cases.iter().zip(&results) {
        match outcome {
            Err(error) if !later.contains(&case.name) => {
                failures.push_str(&difference(case, error, transcript));
            }
            Ok(()) if later.contains(&case.name) => {
                failures
                    .push_str(&format!("== {}\n  listed in later.txt, and passes\n", case.name));
            }
            _ => {}
        }
    }
    let replayed = script.cases.len() - later.len();
    println!("{file}: {replayed} replayed, {} later", later.len());
    assert!(failures.is_empty(), "{file}: answers differ\n{failures}");
}

macro_rules! files {
    ($($file:ident)*) => {
        $(#[test]
        fn $file() {
            check(stringify!($file));
        })*

        const FILES: &[&str] = &[$(stringify!($file)),*];
    };
}

files!(
    handshake handshake_limits framing channel exchange queue publish consume ack get qos_tx
    server_only broker_initiated limits limit_exchanges timeouts tls alarms
    arguments_classic arguments_quorum arguments_stream
    dead_letters field_types prefetch redelivery interceptors interceptors_overwrite
    quorum quorum_timeouts stream plugins
    expiry lengths priorities single_active confirms delivery_limits
);

#[test]
fn every_file_is_replayed_and_every_later_case_exists() {
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(folder().join("cases")).expect("the cases are there") {
        let path = entry.expect("the folder is readable").path();
        let file = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        assert!(FILES.contains(&file.as_str()), "no test replays cases/{file}.txt");
        let text = fs::read_to_string(&path).expect("the file is readable");
        let script = Script::parse(&file, &text);
        for case in script.cases {
            assert!(known.insert(format!("{file}: {}", case.name)), "{file}: {} twice", case.name);
        }
    }
    let is_entry = |line: &&str| !line.is_empty() && !line.starts_with('#');
    for line in include_str!("later.txt").lines().filter(is_entry) {
        assert!(known.contains(line), "later.txt lists what is no case: {line}");
    }
}
