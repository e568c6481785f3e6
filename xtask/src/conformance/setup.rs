//! Gets from the package registries what a suite needs, once: a stamp beside each folder holds
//! what it was made from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Paths;
use super::suites::{Crate, Node, Program, Pytest, Source, Suite};

/// The published sources whose test certificates the broker under test uses for TLS.
const CERTIFICATES: Source =
    Source::Sdist { package: "aiormq", version: "7.2.4", folder: "aiormq-7.2.4" };

/// Makes a suite ready to run.
pub(super) fn prepare(suite: &Suite, paths: &Paths) -> Result<()> {
    source(&CERTIFICATES, paths)?;
    match &suite.program {
        Program::Pytest(pytest) => {
            environment(pytest, paths)?;
            source(&pytest.source, paths)?;
            if !pytest.node_packages.is_empty() {
                install_node(&node_folder(suite, paths), pytest.node_packages)?;
            }
            if suite.name == "py-amqp" {
                lend_certificates(pytest, paths)?;
            }
            Ok(())
        }
        Program::Node(node) => unpack_npm(node, paths),
        Program::Crate(krate) => unpack_crate(krate, paths),
    }
}

/// The test certificates: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
pub(super) fn certificates(paths: &Paths) -> PathBuf {
    source_folder(&CERTIFICATES, paths).join("tests/certs")
}

/// The Python environment of a suite.
pub(super) fn environment_folder(pytest: &Pytest, paths: &Paths) -> PathBuf {
    paths.work.join("python").join(pytest.requirements.trim_end_matches(".txt"))
}

/// Where a suite's tests lie.
pub(super) fn source_folder(source: &Source, paths: &Paths) -> PathBuf {
    match source {
        Source::Carried(folder) => paths.carried.join(folder),
        Source::Sdist { folder, .. } => paths.work.join("sources").join(folder),
    }
}

/// Where a suite's npm packages lie.
pub(super) fn node_folder(suite: &Suite, paths: &Paths) -> PathBuf {
    paths.work.join("node").join(suite.name)
}

/// Where a package of npm lies with its tests.
pub(super) fn npm_source(node: &Node, paths: &Paths) -> PathBuf {
    paths.work.join("sources").join(format!("npm-{}-{}", node.package, node.version))
}

/// Where a package of crates.io lies with its tests.
pub(super) fn crate_source(krate: &Crate, paths: &Paths) -> PathBuf {
    paths.work.join("sources").join(format!("crate-{}-{}", krate.package, krate.version))
}

fn environment(pytest: &Pytest, paths: &Paths) -> Result<()> {
    let list = paths.carried.join("requirements").join(pytest.requirements);
    let wanted = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    once(&environment_folder(pytest, paths), &wanted, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(&list))
    })
}

fn source(source: &Source, paths: &Paths) -> Result<()> {
    let Source::Sdist { package, version, .. } = source else { return Ok(()) };
    once(&source_folder(source, paths), version, |folder| {
        let parent = folder.parent().context("a folder of the sources")?;
        let downloads = parent.join(format!("download-{package}"));
        // pip asks each package's own build tool for its description: those come as wheels.
        run(Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package])
            .arg(format!("{package}=={version}"))
            .arg("--dest")
            .arg(&downloads))?;
        let archive = std::fs::read_dir(&downloads)?.next().context("pip downloaded nothing")??;
        run(Command::new("tar").arg("xzf").arg(archive.path()).arg("-C").arg(parent))
    })
}

/// py-amqp's tests name certificates that its published sources lack: lend it aiormq's.
fn lend_certificates(pytest: &Pytest, paths: &Paths) -> Result<()> {
    let folder = source_folder(&pytest.source, paths).join("t/certs");
    once(&folder, "aiormq's", |folder| {
        std::fs::create_dir_all(folder)?;
        let ours = certificates(paths);
        for (from, to) in [
            ("ca.pem", "ca_certificate.pem"),
            ("client.pem", "client_certificate.pem"),
            ("client.key", "client_key.pem"),
            // Certificates that do not belong to their keys.
            ("ca.pem", "client_certificate_broken.pem"),
            ("client.key", "client_key_broken.pem"),
        ] {
            std::fs::copy(ours.join(from), folder.join(to))?;
        }
        Ok(())
    })
}

fn install_node(folder: &Path, packages: &[&str]) -> Result<()> {
    once(folder, &packages.join(" "), |folder| {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        npm_install(folder, packages)
    })
}

fn npm_install(folder: &Path, packages: &[&str]) -> Result<()> {
    run(Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(packages)
        .current_dir(folder))
}

fn unpack_npm(node: &Node, paths: &Paths) -> Result<()> {
    once(&npm_source(node, paths), node.version, |folder| {
        std::fs::create_dir_all(folder)?;
        let name = format!("{}@{}", node.package, node.version);
        run(Command::new("npm").args(["pack", "--silent", &name]).current_dir(folder))?;
        let archive = format!("{}-{}.tgz", node.package, node.version);
        run(Command::new("tar")
            .args(["xzf", &archive, "--strip-components=1"])
            .current_dir(folder))?;
        npm_install(folder, &["--omit=dev"])
    })
}

fn unpack_crate(krate: &Crate, paths: &Paths) -> Result<()> {
    let folder = crate_source(krate, paths);
    once(&folder, krate.version, |folder| {
        // A package that depends on it makes cargo download it.
        let asking = folder.with_extension("asking");
        std::fs::create_dir_all(asking.join("src"))?;
        std::fs::write(asking.join("src/lib.rs"), "")?;
        let manifest = format!(
            "[package]\nname = \"asking\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{} = \"={}\"\n",
            krate.package, krate.version
        );
        std::fs::write(asking.join("Cargo.toml"), manifest)?;
        let told = Command::new("cargo")
            .args(["metadata", "--format-version", "1"])
            .current_dir(&asking)
            .output()?;
        let told: serde_json::Value = serde_json::from_slice(&told.stdout)
            .with_context(|| String::from_utf8_lossy(&told.stderr).into_owned())?;
        let manifest = told["packages"]
            .as_array()
            .and_then(|all| all.iter().find(|it| it["name"] == krate.package))
            .and_then(|it| it["manifest_path"].as_str())
            .context("cargo names the package's manifest")?;
        let cached = Path::new(manifest).parent().context("a manifest lies in a folder")?;
        run(Command::new("cp").arg("-r").arg(cached).arg(folder))?;
        std::fs::remove_dir_all(&asking)?;
        // It lies in our workspace's folder without being of it.
        let manifest = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)?;
        std::fs::write(&manifest, format!("{text}\n[workspace]\n"))?;
        Ok(())
    })?;
    run(super::run::cargo_test(krate, paths).arg("--no-run"))
}

/// Makes a folder unless one made from the same `wanted` is there.
fn once(folder: &Path, wanted: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut stamp = folder.as_os_str().to_owned();
    stamp.push(".made-from");
    let stamp = PathBuf::from(stamp);
    if folder.exists() && std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder.parent().context("a folder under .conformance")?)?;
    make(folder)?;
    Ok(std::fs::write(&stamp, wanted)?)
}

/// Runs a command of the set-up; its output appears only when it fails.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
