//! A small ext4 in a file, mounted by a loop device: it can be full, and its power can be cut.
//!
//! The cut is `EXT4_IOC_SHUTDOWN` without a flush of the journal: from that instant on the file system writes nothing
//! more, neither what is in the page cache nor what is in the journal's open transaction, and answers EIO. What was
//! synced before is in the image. The call needs a few lines of C, because this crate has no unsafe code; `cc` is
//! needed to build it anyway.
//!
//! Dropping it unmounts, also when a test fails, and with that the loop device goes, too.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CUT: &str = "
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
int main(int count, char **words) {
    uint32_t no_log_flush = 2;
    int fd = count == 2 ? open(words[1], O_RDONLY | O_DIRECTORY) : -1;
    return fd < 0 || ioctl(fd, _IOR('X', 125, uint32_t), &no_log_flush) != 0;
}
";

pub struct Image {
    dir: tempfile::TempDir,
    options: String,
}

impl Image {
    /// Makes and mounts one; `journal` is `ordered` or `writeback`.
    pub fn new(mib: u64, journal: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = Self { dir, options: format!("loop,data={journal}") };
        File::create(image.file()).unwrap().set_len(mib << 20).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image.file()));
        let mut compiler = Command::new("cc");
        compiler.args(["-x", "c", "-", "-o"]).arg(image.cutter()).stdin(Stdio::piped());
        let mut compiler = compiler.spawn().unwrap();
        compiler.stdin.take().unwrap().write_all(CUT.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success(), "cc did not compile");
        std::fs::create_dir(image.path()).unwrap();
        image.mount();
        image
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn cutter(&self) -> PathBuf {
        self.dir.path().join("cut")
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", &self.options])
            .arg(self.file())
            .arg(self.path()));
    }

    /// Cuts the power.
    pub fn cut(&self) {
        run(Command::new(self.cutter()).arg(self.path()));
    }

    /// Power is back; nobody may have a file open.
    pub fn remount(&self) {
        run(Command::new("umount").arg(self.path()));
        self.mount();
    }

    /// Removes everything on it.
    pub fn wipe(&self) {
        for entry in std::fs::read_dir(self.path()).unwrap().map(Result::unwrap) {
            if entry.file_name() != "lost+found" {
                let path = entry.path();
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
                    .unwrap();
            }
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Lazily, because an engine of a failed test may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Fills a disk to its last byte; removing the file gives the space back.
pub fn fill(ballast: &Path) {
    let mut file = File::options().create(true).append(true).open(ballast).unwrap();
    for step in [1 << 20, 4096, 1] {
        let zeros = vec![0; step];
        while file.write_all(&zeros).is_ok() {}
    }
    // With the space goes what the file system promised to write later.
    let _ = file.sync_all();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
