use std::ffi::OsString;

use super::*;

#[test]
fn the_data_directory_comes_from_the_environment_or_the_user() {
    let dir = |pairs: &[(&str, &str)], is_root| {
        let env = |name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        data_dir_from(&env, is_root).display().to_string()
    };
    assert_eq!(dir(&[("LEVERET_DATA_DIR", "/data"), ("HOME", "/root")], true), "/data");
    assert_eq!(dir(&[("HOME", "/root")], true), "/var/lib/leveret");
    assert_eq!(dir(&[("HOME", "/home/a")], false), "/home/a/.local/share/leveret");
    assert_eq!(dir(&[("XDG_DATA_HOME", "/x"), ("HOME", "/home/a")], false), "/x/leveret");
    assert_eq!(dir(&[], false), "leveret-data");
}

#[test]
fn the_node_is_called_rabbit_at_the_short_host_name() {
    assert_eq!(node_name_from(None, "box.example.org\n"), "rabbit@box");
    assert_eq!(node_name_from(Some("hare".to_owned()), "box"), "hare@box");
    assert_eq!(node_name_from(Some("hare@there".to_owned()), "box"), "hare@there");
    assert_eq!(node_name_from(None, ""), "rabbit@localhost");
}

#[test]
fn files_of_conf_d_are_read_after_the_main_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let base = dir.path();
    std::fs::create_dir_all(base.join("conf.d/90-a-directory.conf")).expect("writable");
    std::fs::create_dir(base.join("more")).expect("writable");
    for name in ["rabbitmq.conf", "own.conf", "conf.d/20.conf", "conf.d/10.conf", "conf.d/README"] {
        std::fs::write(base.join(name), "").expect("writable");
    }
    std::fs::write(base.join("more/any-name"), "").expect("writable");
    let files = |pairs: &[(&str, &str)]| {
        let env = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, path)| base.join(path).into_os_string())
        };
        let names = config_files_from(&env, base).into_iter();
        let names: Vec<String> = names
            .map(|path| path.strip_prefix(base).expect("inside").display().to_string())
            .collect();
        names.join(" ")
    };
    assert_eq!(files(&[]), "rabbitmq.conf conf.d/10.conf conf.d/20.conf");
    assert_eq!(files(&[("RABBITMQ_CONFIG_FILE", "own")]), "own.conf conf.d/10.conf conf.d/20.conf");
    assert_eq!(files(&[("RABBITMQ_CONFIG_FILES", "more")]), "rabbitmq.conf more/any-name");
    assert_eq!(files(&[("RABBITMQ_CONFIG_FILES", "conf.d/2*")]), "rabbitmq.conf conf.d/20.conf");
    assert_eq!(files(&[("RABBITMQ_CONFIG_FILES", "none/*.conf")]), "rabbitmq.conf");
}

#[test]
fn variables_that_do_nothing_are_named() {
    let set = ["RABBITMQ_NODE_PORT", "HOME", "RABBITMQ_NODENAME", "RABBITMQ_DEFAULT_USER"];
    let idle = without_effect(set.map(str::to_owned).into_iter());
    assert_eq!(idle, ["RABBITMQ_DEFAULT_USER", "RABBITMQ_NODE_PORT"]);
}
