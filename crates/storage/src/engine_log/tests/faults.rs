//! Thousands of lives of a log on a disk that fails: whatever the log has promised is there in the
//! next one.

use super::*;

/// Logs tried each time.
const SEEDS: u64 = 400;
/// Seeds that found a mistake once.
const FOUND: [u64; 3] = [466, 499, 1422];
/// Lives of each log.
const LIVES: u64 = 4;
/// Small enough that files turn over all the time.
const TINY: EngineOptions = EngineOptions { file_bytes: 16 << 10, purge_bytes: 64 << 10 };

/// A log beside the history of what was written to it.
struct World {
    disk: SimDisk,
    draw: Draw,
    /// Every batch that may be in the log, in order.
    history: Vec<Batch>,
    /// How many of them must survive a power cut.
    confirmed: usize,
    /// How many of them must survive the end of the process.
    written: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        Self { disk, draw: Draw(seed), history: Vec::new(), confirmed: 0, written: 0 }
    }

    /// Opens the log and finds out how much of the history is in it.
    fn open(&mut self, at_least: usize, at: &str) -> (EngineLog, MemoryLog) {
        let log = open_on(&self.disk, TINY);
        let is_sound =
            log.damage().iter().all(|damage| matches!(damage.what, Damaged::Tail { .. }));
        assert!(is_sound, "{at}: {:?}", log.damage());
        let model = MemoryLog::new();
        let mut differences = Vec::new();
        for kept in 0..=self.history.len() {
            if kept > 0 {
                model.write(&mut self.history[kept - 1].clone(), Flush::Sync).unwrap();
            }
            if kept < at_least {
                continue;
            }
            match compare(&log, &model) {
                Ok(()) => {
                    self.history.truncate(kept);
                    (self.confirmed, self.written) = (kept, kept);
                    return (log, model);
                }
                Err(difference) => differences.push(difference),
            }
        }
        panic!("{at}: {at_least} batches at least of {}: {differences:#?}", self.history.len());
    }

    /// Lets something go wrong soon, perhaps.
    fn arm(&mut self) {
        match self.draw.below(8) {
            0 => self.disk.fail_write(1 + self.draw.below(40)),
            1 => self.disk.fail_sync(1 + self.draw.below(20)),
            2 => self.disk.set_capacity(self.disk.used_bytes() + self.draw.below(40) * 4096),
            _ => {}
        }
    }

    /// Writes until the log fails or enough is written.
    fn live(&mut self, log: &EngineLog, model: &MemoryLog, at: &str) {
        self.arm();
        for _ in 0..self.draw.below(120) {
            let batch = self.draw.batch(model, 3000);
            let flush = if self.draw.below(3) == 0 { Flush::Sync } else { Flush::Write };
            match log.write(&mut batch.clone(), flush) {
                Ok(()) => {
                    model.write(&mut batch.clone(), Flush::Write).unwrap();
                    // Rotations and purges confirm as well; what counts is what was asked for.
                    self.history.push(batch);
                    self.written = self.history.len();
                    if flush == Flush::Sync {
                        self.confirmed = self.written;
                    }
                }
                Err(Error::Full(_)) => {
                    assert_same(log, model, at);
                    if self.draw.below(3) == 0 {
                        self.disk.set_capacity(u64::MAX);
                    }
                }
                Err(Error::Io(_)) => {
                    // It may be there after all.
                    self.history.push(batch);
                    return;
                }
                Err(other) => panic!("{at}: {other}"),
            }
            if self.draw.below(10) == 0
                && let Err(Error::Io(_)) = log.purge()
            {
                return;
            }
            if self.draw.below(50) == 0
                && let Err(Error::Io(_)) = log.pack(0, self.draw.below(SMALL.purge_bytes))
            {
                return;
            }
        }
        assert_same(log, model, at);
    }

    /// Ends the life one way or another; returns how much must be left.
    fn end(&mut self, log: EngineLog) -> usize {
        let survives = match self.draw.below(4) {
            0 => {
                drop(log);
                self.disk.kill();
                self.written
            }
            1 => {
                self.disk.kill();
                drop(log);
                self.written
            }
            _ => {
                let seed = self.draw.below(u64::MAX);
                self.disk.power_cut(seed);
                drop(log);
                self.confirmed
            }
        };
        self.disk.set_capacity(u64::MAX);
        survives
    }
}

#[test]
fn whatever_fails_the_log_is_a_prefix_of_what_was_written_with_all_that_was_confirmed() {
    for seed in (0..SEEDS).chain(FOUND) {
        let mut world = World::new(seed);
        let mut at_least = 0;
        for life in 0..LIVES {
            let at = format!("seed {seed}, life {life}");
            let (log, model) = world.open(at_least, &at);
            world.live(&log, &model, &at);
            at_least = world.end(log);
        }
        world.open(at_least, &format!("seed {seed}, the end"));
    }
}

#[test]
fn after_a_failed_sync_nothing_is_confirmed() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let log = open(&disk);
        append(&log, A, 1, b"safe");
        disk.fail_sync(1);
        assert!(matches!(try_append(&log, A, 2, b"unsafe"), Err(Error::Io(_))));
        assert!(matches!(try_append(&log, A, 2, b"unsafe"), Err(Error::Io(_))));
        assert!(matches!(log.purge(), Err(Error::Io(_))));
        assert_eq!(indexes(&log, A), [1]);
        // What the next process finds must not go with the power.
        disk.kill();
        drop(log);
        let found = indexes(&open(&disk), A);
        disk.power_cut(seed);
        assert_eq!(indexes(&open(&disk), A), found, "seed {seed}");
    }
}

#[test]
fn after_a_failed_write_nothing_is_written() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, b"safe");
    disk.fail_write(1);
    assert!(matches!(try_append(&log, A, 2, b"unsafe"), Err(Error::Io(_))));
    assert!(matches!(try_append(&log, A, 2, b"unsafe"), Err(Error::Io(_))));
    assert_eq!(indexes(&log, A), [1]);
}

/// A start must not give up files for what it has only read from the system's memory.
#[test]
fn files_that_a_purge_was_about_to_give_up_survive_a_start_that_fails() {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let log = open_on(&disk, TINY);
        append(&log, B, 1, &[1; 100]);
        for index in 1..=20 {
            append(&log, A, index, &[index as u8; 8 << 10]);
        }
        let mut batch = Batch::default();
        batch.compact(A, 20);
        log.write(&mut batch, Flush::Sync).unwrap();
        disk.fail_sync(1 + seed % 4);
        let _ = log.purge();
        disk.kill();
        drop(log);
        disk.fail_sync(1);
        EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), TINY).err().unwrap();
        disk.power_cut(seed);
        let log = open_on(&disk, TINY);
        let is_sound =
            log.damage().iter().all(|damage| matches!(damage.what, Damaged::Tail { .. }));
        assert!(is_sound, "seed {seed}: {:?}", log.damage());
        assert_eq!(entries(&log, B), [(1, vec![1; 100])], "seed {seed}");
        assert_eq!(indexes(&log, A), [20], "seed {seed}");
    }
}
