//! What befalls a world: disks that fill and fail, power that goes, processes that end and start again.

use restockd_core::Millis;
use restockd_engine::StartError;
use restockd_engine::clock::Clock;
use restockd_testkit::disk::{DiskFault, Op};

use super::World;
use crate::running::Running;

/// Recoveries that may fail one after the other while the disk is made to fail.
const STARTS_MOST: usize = 12;

impl World {
    /// The disk fills up, or has space again.
    pub(super) fn full(&mut self) {
        let full = self.dice.one_in(3);
        self.counts.full += u64::from(full);
        self.disk.set_full(full);
    }

    /// The power will go after some more calls to the disk.
    pub(super) fn light_fuse(&mut self) {
        self.fuse = true;
        let calls = self.dice.below(12) as u64;
        self.disk.cut_power_after(calls);
    }

    /// One of the next calls to the disk fails.
    pub(super) fn break_disk(&mut self) {
        let ops =
            [Op::Sync, Op::Sync, Op::Write, Op::SyncDir, Op::Rename, Op::Create, Op::SyncFs, Op::Remove];
        let op = ops[self.dice.below(ops.len())];
        let fault = if self.dice.one_in(3) { DiskFault::Full } else { DiskFault::Broken };
        self.disk.fail(op, "", 1 + self.dice.below(3) as u64, fault);
        self.counts.disk_errors += 1;
    }

    /// `kill -9`, or the power: at once.
    pub(super) fn kill(&mut self) {
        if self.dice.one_in(2) {
            self.end(false);
        } else {
            self.end(true);
        }
        self.start(true);
    }

    /// The log failed, so the process ends; where the power was cut, so does everything else.
    pub(super) fn die(&mut self) {
        let power = self.fuse;
        self.end(power);
        self.start(true);
    }

    /// The process is gone: with the power, what was not synced is lost, kept or harmed.
    pub(super) fn end(&mut self, power: bool) {
        self.say(|| format!("the process ends, power cut: {power}"));
        self.pending.clear();
        if let Some(running) = self.running.take() {
            running.relay.die(&mut self.dice, &mut self.model);
        }
        if power {
            self.disk.crash();
            self.fuse = false;
            self.counts.power_cuts += 1;
        } else {
            self.counts.kills += 1;
        }
    }

    /// Recovers, however often it takes while the disk is made to fail under it.
    pub(super) fn start(&mut self, moody: bool) {
        if moody {
            self.step_clock();
        }
        for _ in 0..STARTS_MOST {
            let cut = moody && self.dice.one_in(4);
            if cut {
                self.fuse = true;
                let calls = self.dice.below(24) as u64;
                self.disk.cut_power_after(calls);
            } else if moody && self.dice.one_in(12) {
                self.break_disk();
            }
            let faulty = self.disk.has_plans();
            match Running::start(&self.scene, &self.disk, &self.clock) {
                Ok(running) => {
                    self.running = Some(running);
                    return;
                }
                Err(error) => {
                    self.say(|| format!("no start: {error}"));
                    assert!(faulty, "seed {}: it does not start: {error}", self.seed);
                    self.counts.in_recovery += 1;
                    if self.fuse || self.dice.one_in(2) {
                        self.end(true);
                    }
                    self.disk.set_full(false);
                    self.refused(&error);
                }
            }
        }
        self.disk.heal();
        self.fuse = false;
        let running = Running::start(&self.scene, &self.disk, &self.clock);
        self.running = Some(running.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed)));
    }

    /// A disk that fails is no damaged log: a start under it may fail, but not by calling the data bad.
    fn refused(&self, error: &StartError) {
        let text = error.to_string();
        assert!(!text.contains("is damaged"), "seed {}: {text}", self.seed);
    }

    /// Between two lives the machine's clock may have been set.
    fn step_clock(&mut self) {
        let now = self.clock.now().0;
        // More than five minutes behind what stands in the log refuses the start, and rightly so.
        self.latest = self.latest.max(now);
        let then = match self.dice.below(12) {
            0 => self.latest - self.dice.below(240_000) as u64,
            1 => now + 86_400_000,
            2 => now + 3_600_000,
            _ => now + self.dice.below(5_000) as u64,
        };
        self.clock = Clock::manual(Millis(then));
    }
}
