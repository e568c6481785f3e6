//! Two writers and one alarm.

use std::sync::Arc;

use super::*;

#[test]
fn the_disk_is_full_as_long_as_one_of_its_writers_finds_it_full() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let disk = FullDisk::new(Some({
        let heard = Arc::clone(&heard);
        Box::new(move |is_full| heard.lock().push(is_full))
    }));
    let found = [(Writer::Pager, false), (Writer::Log, true), (Writer::Pager, true)];
    found.into_iter().for_each(|(writer, is_full)| disk.note(writer, is_full));
    disk.note(Writer::Log, false);
    assert_eq!(*heard.lock(), [true]);
    disk.note(Writer::Pager, false);
    assert_eq!(*heard.lock(), [true, false]);
}
