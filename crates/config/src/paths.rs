//! Where things are when nobody says.

use std::{
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

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

/// The configuration read when the command line names none: `$RABBITMQ_CONFIG_FILE` (with or
/// without its `.conf`), else `/etc/rabbitmq/rabbitmq.conf`; `None` when there is no such file.
#[must_use]
pub fn default_config_file() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RABBITMQ_CONFIG_FILE").filter(|name| !name.is_empty()) {
        let named = PathBuf::from(named);
        let with_suffix = PathBuf::from(format!("{}.conf", named.display()));
        return Some(if !named.exists() && with_suffix.exists() { with_suffix } else { named });
    }
    let usual = Path::new("/etc/rabbitmq/rabbitmq.conf");
    usual.exists().then(|| usual.to_owned())
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
