//! Small readers over raw bytes that cannot fail: an offset outside the slice gives `None`, never a panic.
//!
//! Recovery reads files that may hold anything, so no length in them is trusted.

/// A block of zeros, for filling and comparing.
pub(super) const ZEROS: [u8; 4096] = [0; 4096];

/// The little-endian number in the four bytes at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

/// The little-endian number in the eight bytes at `at`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    eight.try_into().ok().map(u64::from_le_bytes)
}

/// The offset after the last byte that is not zero; 0 if all are.
///
/// Compares whole blocks, because nearly all of a young segment is zeros.
pub(super) fn content_end(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    for block in bytes.rchunks(ZEROS.len()) {
        if ZEROS.get(..block.len()) == Some(block) {
            end -= block.len();
        } else {
            let zeros = block.iter().rev().take_while(|byte| **byte == 0).count();
            return end - zeros;
        }
    }
    0
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may fail by a panic")]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_content_is_found_at_every_offset() {
        let mut bytes = vec![0; 3 * ZEROS.len() + 5];
        assert_eq!(content_end(&bytes), 0);
        for at in 0..bytes.len() {
            bytes[at] = 7;
            assert_eq!(content_end(&bytes), at + 1);
            bytes[at] = 0;
        }
    }

    #[test]
    fn reading_outside_is_none() {
        assert_eq!(u32_at(&[1, 0, 0], 0), None);
        assert_eq!(u64_at(&[0; 8], usize::MAX), None);
        assert_eq!(u32_at(&[0, 1, 0, 0, 0], 1), Some(1));
    }
}
