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
