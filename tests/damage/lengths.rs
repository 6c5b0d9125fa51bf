//! Every length that a file of a log can be cut to.

use super::cases::{Dice, Harm, Table, complete, run, seed};
use super::sample::{HEADER, Sample, mark_path};

/// All lengths of a segment, or those around every frame and some more.
fn lengths(sample: &Sample, file: usize) -> Vec<usize> {
    let Some(segment) = sample.segments.get(file) else {
        return (0..sample.mark.len()).step_by(if complete() { 1 } else { 3 }).collect();
    };
    if complete() {
        return (0..segment.bytes.len()).collect();
    }
    let mut dice = Dice(seed() ^ file as u64);
    let mut lengths = vec![0, 1, HEADER - 1, HEADER, HEADER + 1, segment.bytes.len() - 1];
    for frame in &segment.frames {
        lengths.extend([frame.start + 1, frame.start + 31, frame.start + 32, frame.end - 1, frame.end]);
    }
    lengths.extend((0..300).map(|_| dice.below(segment.used())));
    lengths.extend((0..100).map(|_| dice.below(segment.bytes.len())));
    lengths
}

fn cut_all(sample: &Sample) -> Table {
    let mut table = Table::default();
    let paths = sample.segments.iter().map(|segment| segment.path.clone()).chain([mark_path()]);
    for (file, path) in paths.enumerate() {
        let whole = sample.whole(&path);
        let lengths = lengths(sample, file);
        let cut = |at: usize| {
            let length = lengths[at];
            let what = format!("{} cut to {length}", path.display());
            Harm { path: &path, bytes: whole[..length].to_vec(), place: None, what }
        };
        table.merge(run(sample, lengths.len(), cut));
    }
    table
}

#[test]
fn no_length_of_a_log_that_was_acknowledged_loses_a_record_in_silence() {
    let table = cut_all(&Sample::closed());
    table.print("a file of an acknowledged log cut");
    assert_eq!(table.count("torn, above the mark, cut and reported"), 0, "the mark knows all of it");
    assert!(table.total() >= if complete() { 3 * 65_536 } else { 1_000 });
}

#[test]
fn no_length_of_a_log_with_an_open_end_loses_more_than_that_end() {
    let table = cut_all(&Sample::with_open_end(9_000));
    table.print("a file cut of a log whose last frame nobody was promised");
    assert!(table.count("torn, above the mark, cut and reported") > 20);
}
