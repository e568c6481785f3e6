//! The map in ARCHITECTURE.md, checked: which of our crates may use which, and what pure crates
//! may not touch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every crate with the crates of ours that it may use. An arrow that is not here fails the test;
/// so does a crate that is missing, and an arrow here that nobody uses.
const ARROWS: &[(&str, &[&str])] = &[
    // bottom
    ("stdx", &[]),
    // wire
    ("field-table", &[]),
    ("amqp091-codec", &["field-table"]),
    // domain
    ("message", &[]),
    ("statistics", &[]),
    ("topology", &["field-table"]),
    ("broker", &["field-table", "message", "statistics", "stdx", "topology"]),
    // engine
    ("storage", &["stdx"]),
    ("consensus", &["storage"]),
    // shell
    ("config", &[]),
    ("auth", &["field-table"]),
    ("net", &["broker", "stdx"]),
    ("node", &["auth", "broker", "consensus", "net", "stdx", "storage", "topology"]),
    // front-ends
    (
        "amqp091",
        &[
            "amqp091-codec",
            "auth",
            "broker",
            "field-table",
            "message",
            "statistics",
            "stdx",
            "topology",
        ],
    ),
    // operators
    ("operator", &["config", "field-table", "statistics", "topology"]),
    ("ctl", &["auth", "config", "field-table", "operator"]),
    (
        "management",
        &["amqp091-codec", "config", "field-table", "net", "operator", "statistics", "topology"],
    ),
    ("prometheus", &["config", "net", "operator", "statistics", "topology"]),
    // top
    ("perf", &["amqp091-codec", "field-table"]),
    (
        "leveret",
        &[
            "amqp091",
            "amqp091-codec",
            "auth",
            "broker",
            "config",
            "ctl",
            "field-table",
            "management",
            "message",
            "net",
            "node",
            "operator",
            "perf",
            "prometheus",
            "statistics",
            "stdx",
            "topology",
        ],
    ),
    // proof
    (
        "simulator",
        &[
            "amqp091",
            "amqp091-codec",
            "auth",
            "broker",
            "field-table",
            "node",
            "stdx",
            "storage",
            "topology",
        ],
    ),
    ("it", &[]),
    ("xtask", &[]),
];

/// Crates that get time and chance as arguments and do no IO.
const PURE: &[&str] =
    &["stdx", "field-table", "amqp091-codec", "message", "statistics", "topology", "broker"];

/// What pure crates may not name, outside their tests and examples.
const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime",
    "tokio::",
    "rand::",
    "println!",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/it").to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Our crates with what they use of each other, tests and build scripts left out.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list");
    let name = |it: &Value| it["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let used = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list").iter();
        let normal = dependencies.filter(|it| it["kind"].is_null());
        normal.map(name).filter(|it| ours.contains(it)).collect()
    };
    packages.iter().map(|package| (name(package), used(package))).collect()
}

#[test]
fn arrows_point_down() {
    let allowed: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(name, used)| ((*name).to_owned(), used.iter().map(|it| (*it).to_owned()).collect()))
        .collect();
    let found = arrows();
    let mut wrong = Vec::new();
    for (name, used) in &found {
        match allowed.get(name) {
            None => wrong.push(format!("{name} has no place on the map")),
            Some(allowed) => {
                let beyond = used.difference(allowed);
                wrong.extend(beyond.map(|it| format!("{name} uses {it}, which it must not know")));
                let unused = allowed.difference(used);
                wrong.extend(unused.map(|it| format!("{name} does not use {it}: take it off")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // Every crate uses only crates that stand above it in the table: no circles, one direction.
    let place = |name: &str| ARROWS.iter().position(|(it, _)| *it == name);
    for (name, used) in ARROWS {
        for it in *used {
            assert!(place(it) < place(name), "{name} stands above {it}");
        }
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory").map(|it| it.expect("an entry")) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !name.contains("test") {
            found.push(path);
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for name in PURE {
        let mut files = Vec::new();
        sources(&root().join("crates").join(name).join("src"), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source file");
            for (number, line) in text.lines().enumerate() {
                // To ask whether a bug unwinds the stack starts nothing and waits for nothing.
                let code = line.split("//").next().unwrap_or_default();
                let code = code.replace("std::thread::panicking", "");
                for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                    wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_crate_says_what_it_is_and_forbids_unsafe_code() {
    let mut wrong = Vec::new();
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "xtask") {
        let dir = root().join("crates").join(name).join("src");
        let file = [dir.join("lib.rs"), dir.join("main.rs")];
        let file = file.iter().find(|it| it.exists()).expect("a root module");
        let text = std::fs::read_to_string(file).expect("a source file");
        if !text.starts_with("//!") {
            wrong.push(format!("{name} does not open with what it knows"));
        }
        if !text.contains("#![forbid(unsafe_code)]") {
            wrong.push(format!("{name} does not forbid unsafe code"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
