//! Every single bit of every file of a log, flipped.

use super::cases::{Dice, Harm, Table, complete, run, seed};
use super::sample::{HEADER, Sample, mark_path};

/// A bit: of which file (the mark comes last), and which.
type Bit = (usize, usize);

/// All bits, or those of the short form: every bit that says something in a header, in the heads of frames and in
/// the mark, and some of everything else.
fn bits(sample: &Sample, first: usize) -> Vec<Bit> {
    let lengths: Vec<usize> =
        sample.segments.iter().map(|segment| segment.bytes.len()).chain([sample.mark.len()]).collect();
    if complete() {
        return lengths
            .iter()
            .enumerate()
            .flat_map(|(file, bytes)| (0..bytes * 8).map(move |bit| (file, bit)))
            .collect();
    }
    let mut bits = Vec::new();
    let mut dice = Dice(seed());
    for (file, segment) in sample.segments.iter().enumerate().skip(first) {
        let mut all = |from: usize, to: usize| bits.extend((from * 8..to * 8).map(|bit| (file, bit)));
        all(0, 76);
        all(HEADER - 4, HEADER);
        segment.frames.iter().for_each(|frame| all(frame.start, frame.start + 32));
        bits.extend((0..700).map(|_| (file, dice.below(segment.used() * 8))));
        bits.extend((0..200).map(|_| (file, dice.below(segment.bytes.len() * 8))));
    }
    let mark = sample.segments.len();
    bits.extend((0..2).flat_map(|slot| (slot * 4096..slot * 4096 + 28 * 8).map(move |bit| (mark, bit))));
    bits.extend((0..200).map(|_| (mark, dice.below(sample.mark.len() * 8))));
    bits
}

fn flip<'a>(sample: &'a Sample, paths: &'a [std::path::PathBuf], (file, bit): Bit) -> Harm<'a> {
    let path = &paths[file];
    let mut bytes = sample.whole(path);
    let at = bit / 8;
    bytes[at] ^= 1 << (bit % 8);
    let place = sample.segments.get(file).map(|segment| match segment.frames.iter().find(|it| at < it.end) {
        _ if at < HEADER => 0,
        Some(frame) => frame.start as u64,
        None => segment.used() as u64,
    });
    Harm { path, bytes, place, what: format!("{} byte {at} bit {}", path.display(), bit % 8) }
}

/// All that is to be flipped; in the short form in the files from the `first` on.
fn flip_all(sample: &Sample, first: usize) -> Table {
    let paths: Vec<_> =
        sample.segments.iter().map(|segment| segment.path.clone()).chain([mark_path()]).collect();
    let bits = bits(sample, first);
    run(sample, bits.len(), |at| flip(sample, &paths, bits[at]))
}

#[test]
fn no_flipped_bit_of_a_log_that_was_acknowledged_loses_a_record_in_silence() {
    let sample = Sample::closed();
    let table = flip_all(&sample, 0);
    table.print("a bit flipped in an acknowledged log");
    let (torn, refused) = (
        table.count("torn, above the mark, cut and reported"),
        table.count("refused, naming file and offset"),
    );
    assert_eq!(torn, 0, "the mark knows all of it");
    assert!(refused > 5_000 && table.total() >= if complete() { 524_288 } else { 7_000 });
}

#[test]
fn no_flipped_bit_of_a_log_with_an_open_end_loses_more_than_that_end() {
    let sample = Sample::with_open_end(9_000);
    let table = flip_all(&sample, sample.segments.len() - 1);
    table.print("a bit flipped in a log whose last frame nobody was promised");
    assert!(table.count("torn, above the mark, cut and reported") > 100);
    assert!(table.count("refused, naming file and offset") > 1_000);
}
