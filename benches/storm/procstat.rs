//! The resources of the engine's process: processor time, memory, bytes written, read from `/proc`.

use std::path::Path;

use serde::Serialize;

/// Clock ticks a second in `/proc`, fixed by Linux for user space.
const TICKS: f64 = 100.0;

/// A reading of one process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct ProcessSample {
    /// Processor seconds so far, of all threads.
    pub(super) cpu_s: f64,
    /// Resident memory, MiB.
    pub(super) rss_mib: f64,
    /// The most resident memory so far, MiB.
    pub(super) peak_mib: f64,
    /// Data written to disks so far, MiB.
    pub(super) written_mib: f64,
}

/// Reads the resources of a process; zeros where the system does not tell.
pub(super) fn look(pid: u32) -> ProcessSample {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    // The name may hold spaces; the numbers begin after its closing parenthesis.
    let numbers: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| numbers.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let (status, io) = (read("status"), read("io"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        number.unwrap_or_default()
    };
    ProcessSample {
        cpu_s: (ticks(11) + ticks(12)) / TICKS,
        rss_mib: field(&status, "VmRSS:") / 1024.0,
        peak_mib: field(&status, "VmHWM:") / 1024.0,
        written_mib: field(&io, "write_bytes:") / 1024.0 / 1024.0,
    }
}

/// The sizes of all files below a directory, MiB.
pub(super) fn disk_mib(dir: &Path) -> f64 {
    fn bytes(dir: &Path, depth: usize) -> u64 {
        let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
        let sizes = entries.flatten().filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let deeper = meta.is_dir() && depth > 0;
            Some(if deeper { bytes(&entry.path(), depth - 1) } else { meta.len() })
        });
        sizes.sum()
    }
    bytes(dir, 4) as f64 / 1024.0 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_past() {
        let here = look(std::process::id());
        assert!(here.rss_mib > 1.0 && here.peak_mib >= here.rss_mib, "{here:?}");
        assert_eq!(look(u32::MAX).rss_mib, 0.0);
    }
}
