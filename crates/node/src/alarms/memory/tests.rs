use std::path::Path;

use super::{MemoryStrategy, group_limit, in_use_by};

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
    34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset";

/// The limit when the control groups' files say this, one `PATH VALUE` a line.
fn limit(groups: &str, mounts: &str, files: &str) -> Option<u64> {
    group_limit(groups, mounts, |path: &Path| {
        let files = files.lines().filter_map(|line| line.trim().split_once(' '));
        files.into_iter().find(|(name, _)| Path::new(name) == path).map(|(_, it)| it.to_owned())
    })
}

#[test]
fn the_lowest_limit_on_the_way_to_the_root_holds() {
    let files = "/sys/fs/cgroup/memory.max max
        /sys/fs/cgroup/system.slice/memory.max 4000
        /sys/fs/cgroup/system.slice/broker.service/memory.max 9000";
    assert_eq!(limit("0::/system.slice/broker.service", V2, files), Some(4000));
    assert_eq!(limit("0::/system.slice/other", V2, files), Some(4000));
    assert_eq!(limit("0::/user.slice", V2, files), None);
}

#[test]
fn version_1_has_a_tree_for_memory() {
    let files = "/sys/fs/cgroup/memory/memory.limit_in_bytes 9223372036854771712
        /sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes 5000";
    assert_eq!(limit("5:cpuset:/\n4:memory:/docker/abc\n0::/", V1, files), Some(5000));
    assert_eq!(limit("5:cpuset:/docker/abc", V1, files), None);
}

#[test]
fn both_versions_may_be_mounted_and_the_memory_controller_is_in_one() {
    let mounts = format!("{V1}\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw");
    let files = "/sys/fs/cgroup/memory/a/memory.limit_in_bytes 5000";
    assert_eq!(limit("4:memory:/a\n0::/a", &mounts, files), Some(5000));
}

#[test]
fn a_container_sees_its_own_group_at_the_mount_point() {
    let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
    let files = "/sys/fs/cgroup/memory.max 7000
        /sys/fs/cgroup/inner/memory.max 6000";
    assert_eq!(limit("0::/docker/abc", mounts, files), Some(7000));
    assert_eq!(limit("0::/docker/abc/inner", mounts, files), Some(6000));
    // With a namespace of its own it does not know its full name.
    assert_eq!(limit("0::/", mounts, files), Some(7000));
}

#[test]
fn what_is_swapped_out_was_allocated_and_the_program_s_pages_were_not() {
    let status = "VmRSS:\t  300 kB\nRssAnon:\t  200 kB\nRssFile:\t  100 kB\nVmSwap:\t   50 kB\n";
    assert_eq!(in_use_by(MemoryStrategy::Rss, status).used(), 300 * 1024);
    assert_eq!(in_use_by(MemoryStrategy::Allocated, status).used(), 250 * 1024);
}
