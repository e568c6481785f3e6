//! Where things are when nobody says.

use std::{
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::keys::logging::is_known_place;
use crate::load::matching_files;

/// The data directory of server and tools: `$LEVERET_DATA_DIR`; else `/var/lib/leveret` for root;
/// else `$XDG_DATA_HOME/leveret` or `~/.local/share/leveret`; else `leveret-data` here.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    data_dir_from(&|name| std::env::var_os(name), is_root)
}

fn data_dir_from(env: &dyn Fn(&str) -> Option<OsString>, is_root: bool) -> PathBuf {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("LEVERET_DATA_DIR") {
        return dir;
    }
    if is_root {
        return PathBuf::from("/var/lib/leveret");
    }
    if let Some(dir) = set("XDG_DATA_HOME").filter(|dir| dir.is_absolute()) {
        return dir.join("leveret");
    }
    match set("HOME") {
        Some(home) => home.join(".local/share/leveret"),
        None => PathBuf::from("leveret-data"),
    }
}

/// Where RabbitMQ's packages put configuration.
const CONFIG_DIR: &str = "/etc/rabbitmq";

/// The files of a configuration that the command line does not name, later ones overriding earlier
/// ones: `$RABBITMQ_CONFIG_FILE` (with or without its `.conf`), else `rabbitmq.conf` in
/// `/etc/rabbitmq` if there is one; then those of `$RABBITMQ_CONFIG_FILES` (a directory, or a
/// pattern with one `*`), else `conf.d/*.conf` there, in the order of their names.
#[must_use]
pub fn default_config_files() -> Vec<PathBuf> {
    config_files_from(&|name| std::env::var_os(name), Path::new(CONFIG_DIR))
}

fn config_files_from(env: &dyn Fn(&str) -> Option<OsString>, base: &Path) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let main = match set("RABBITMQ_CONFIG_FILE") {
        Some(named) => {
            let with_suffix = PathBuf::from(format!("{}.conf", named.display()));
            Some(if !named.exists() && with_suffix.exists() { with_suffix } else { named })
        }
        None => Some(base.join("rabbitmq.conf")).filter(|usual| usual.exists()),
    };
    let more = set("RABBITMQ_CONFIG_FILES").unwrap_or_else(|| base.join("conf.d/*.conf"));
    let more = if more.is_dir() { more.join("*") } else { more };
    let dir = more.parent().unwrap_or(Path::new(""));
    let pattern = more.file_name().unwrap_or_default().to_string_lossy();
    let more = matching_files(dir, &pattern).into_iter().filter(|file| file.is_file());
    main.into_iter().chain(more).collect()
}

/// The variables of RabbitMQ's environment that act here.
const VARIABLES: [&str; 6] = [
    "RABBITMQ_CONFIG_FILE",
    "RABBITMQ_CONFIG_FILES",
    "RABBITMQ_LOG",
    "RABBITMQ_LOGS",
    "RABBITMQ_LOG_BASE",
    "RABBITMQ_NODENAME",
];

/// Variables that are set for RabbitMQ and do nothing here, unless the configuration file uses them.
#[must_use]
pub fn variables_without_effect() -> Vec<String> {
    let mut idle =
        without_effect(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()));
    let logs = std::env::var("RABBITMQ_LOGS").unwrap_or_default();
    if !is_known_place(&logs) {
        idle.push("RABBITMQ_LOGS".to_owned());
    }
    idle
}

fn without_effect(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_idle = |name: &String| name.starts_with("RABBITMQ_") && !VARIABLES.contains(&&**name);
    let mut idle: Vec<String> = names.filter(is_idle).collect();
    idle.sort_unstable();
    idle
}

/// The node's name: `$RABBITMQ_NODENAME`, with `@` and the short host name when it has no host;
/// else `rabbit@` and the short host name.
#[must_use]
pub fn default_node_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    node_name_from(std::env::var("RABBITMQ_NODENAME").ok(), &host)
}

fn node_name_from(named: Option<String>, host: &str) -> String {
    let short = host.trim().split('.').next().filter(|host| !host.is_empty());
    let short = short.unwrap_or("localhost");
    match named.filter(|name| !name.is_empty()) {
        Some(name) if name.contains('@') => name,
        Some(name) => format!("{name}@{short}"),
        None => format!("rabbit@{short}"),
    }
}

#[cfg(test)]
mod tests;
