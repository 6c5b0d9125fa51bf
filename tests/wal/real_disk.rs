//! The same log on the file system of the machine.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::wal::{MIN_SEGMENT_BYTES, Options, recover};

use crate::support::{ENGINE, Run};

#[test]
fn a_log_on_a_real_disk_rotates_recovers_and_is_private() {
    let home = tempfile::tempdir().unwrap();
    let options =
        Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new(home.path().join("wal"), ENGINE) };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    for round in 0..2_u64 {
        let mut seen = 0;
        let recovered = recover(&disk, &options, 1, round * 30, &mut |lsn, record| {
            seen += 1;
            assert_eq!(record.bytes, vec![lsn as u8; 5_000]);
            Ok(())
        })
        .unwrap();
        assert_eq!((seen, recovered.next), (round * 30, round * 30 + 1));
        let run = Run::start_on(disk.clone(), &options, &recovered).unwrap();
        for n in 1..=30 {
            assert_eq!(run.append(vec![(round * 30 + n) as u8; 5_000]), Ok(round * 30 + n));
        }
        run.log.close();
    }
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&options.dir), 0o700);
    for name in disk.list(&options.dir).unwrap() {
        assert_eq!(mode(&options.dir.join(&name)), 0o600, "{name}");
    }
    assert!(disk.create(&options.dir.join("mark")).is_err(), "a name is not taken twice");
}
