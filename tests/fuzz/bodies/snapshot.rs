//! The snapshot reader: `CURRENT`, `MANIFEST` and the flat file, and below them the pages of the machines.
//!
//! ```text
//! script   even  pages: kind u8 | length u16 | value …                      straight into the page reader
//!          odd   files: pages … 255 | damage and repair of checksums …      through load and recovery
//! ```
//!
//! Properties: a generation comes whole or not at all, an older one never without a word; pages that decode can be
//! written and read again; lists that unpack can be packed; nothing panics, nothing allocates by a length it read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_core::{ListId, Retry};
use restockd_engine::recovery;
use restockd_journal::disk::Disk;
use restockd_journal::snapshots::{Backend, Generations, LoadOutcome};
use restockd_journal::wal::{MIN_SEGMENT_BYTES, Options};
use restockd_records::PackedList;
use restockd_records::page::{PageReader, PageWriter, Portion};
use restockd_testkit::disk::SimDisk;
use sha2::{Digest, Sha256};

use super::script::Script;

const ENGINE: [u8; 16] = [7; 16];
const DIR: &str = "/data/snapshots";
const OPS_MAX: usize = 48;
const KINDS: [u8; 4] = [b'A', b'B', b'L', b'?'];

type Pages = BTreeMap<Vec<u8>, Vec<u8>>;
type Files = BTreeMap<&'static str, Vec<u8>>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A text with its checksum line.
fn closed(mut text: String) -> Vec<u8> {
    let crc = crc32fast::hash(text.as_bytes());
    writeln!(text, "crc {crc:08x}").unwrap();
    text.into_bytes()
}

fn flat(pages: &Pages) -> Vec<u8> {
    let mut file = b"RSTKPAGE\x01\0\0\0".to_vec();
    for (key, value) in pages {
        let mut lengths = (key.len() as u32).to_le_bytes().to_vec();
        lengths.extend((value.len() as u32).to_le_bytes());
        let crc = crc32fast::hash(&[lengths.as_slice(), key, value].concat());
        file.extend(lengths);
        file.extend(crc.to_le_bytes());
        file.extend(key);
        file.extend(value);
    }
    trail(file, pages.len() as u64)
}

/// Closes a flat file.
fn trail(mut file: Vec<u8>, pages: u64) -> Vec<u8> {
    let before = file.len() as u64;
    file.extend([0, 0, 0, 0, 255, 255, 255, 255]);
    file.extend(pages.to_le_bytes());
    file.extend(before.to_le_bytes());
    let digest = Sha256::digest(&file);
    file.extend(digest);
    file.extend(b"PAGESEND");
    file
}

fn manifest(pages: &Pages, flat: &[u8]) -> Vec<u8> {
    let (mut sum, mut digest, mut bytes) = ([0_u8; 32], Sha256::new(), 0);
    for (key, value) in pages {
        let page = [&(key.len() as u32).to_le_bytes(), key.as_slice(), value].concat();
        let hash = Sha256::digest(page);
        digest.update(hash);
        bytes += key.len() + value.len();
        let mut carry = 0;
        for (place, byte) in sum.iter_mut().zip(hash) {
            let all = u16::from(*place) + u16::from(byte) + carry;
            (*place, carry) = (all as u8, all >> 8);
        }
    }
    let (sum, digest) = (hex(&sum), hex(&digest.finalize()));
    let mut text = format!("restockd manifest 2\nengine {}\nbackend flat\n", hex(&ENGINE));
    writeln!(text, "replay_from 1\ndurable 0\nmade_ms 5").unwrap();
    writeln!(text, "pages {} {bytes} {sum} {digest}\ncounts 1\ncount 3 people", pages.len()).unwrap();
    writeln!(text, "files 1\nfile {} {} pages.flat", flat.len(), sha(flat)).unwrap();
    closed(text)
}

fn current(newest: &[u8], previous: &[u8]) -> Vec<u8> {
    let (engine, newest, previous) = (hex(&ENGINE), sha(newest), sha(previous));
    closed(format!("restockd current 1\nengine {engine}\nnewest 2 {newest}\nprevious 1 {previous}\n"))
}

const NAMES: [&str; 5] =
    ["CURRENT", "gen-1/MANIFEST", "gen-1/pages.flat", "gen-2/MANIFEST", "gen-2/pages.flat"];

fn build(script: &mut Script<'_>) -> ([Pages; 2], Files) {
    let mut pages = [Pages::new(), Pages::new()];
    for number in 0..OPS_MAX as u32 {
        let op = script.u8();
        if op == 255 || script.is_over() {
            break;
        }
        let key = [&[KINDS[usize::from(op % 3)]], number.to_be_bytes().as_slice()].concat();
        let value = script.piece().to_vec();
        if op & 4 != 0 {
            pages[0].insert(key.clone(), value.clone());
        }
        pages[1].insert(key, value);
    }
    let flats = pages.each_ref().map(flat);
    let manifests = [manifest(&pages[0], &flats[0]), manifest(&pages[1], &flats[1])];
    let current = current(&manifests[1], &manifests[0]);
    let [one, two] = flats;
    let [about_one, about_two] = manifests;
    (pages, NAMES.into_iter().zip([current, about_one, one, about_two, two]).collect())
}

/// Makes a text's checksum line fit what is before it.
fn close_again(file: &mut Vec<u8>) {
    let end = file.iter().rposition(|byte| *byte == b'c').unwrap_or(0);
    let body = file.windows(5).rposition(|five| five == b"\ncrc ").map_or(end, |at| at + 1);
    let crc = crc32fast::hash(&file[..body]);
    file.truncate(body);
    file.extend(format!("crc {crc:08x}\n").bytes());
}

/// Whether a text verifies.
fn verifies(file: &[u8]) -> bool {
    let mut again = file.to_vec();
    close_again(&mut again);
    again == file
}

fn replace(file: &mut Vec<u8>, old: &str, new: &str) {
    if let Some(at) = file.windows(old.len()).position(|window| window == old.as_bytes()) {
        file.splice(at..at + old.len(), new.bytes());
    }
}

/// One piece of damage, or one checksum made right again.
fn harm(script: &mut Script<'_>, files: &mut Files) {
    let (op, which) = (script.u8(), script.u8());
    let name = NAMES[usize::from(which) % NAMES.len()];
    let Some(file) = files.get_mut(name) else { return };
    let length = file.len();
    match op % 10 {
        0 => {
            let at = script.below(length);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= script.u8().max(1);
            }
        }
        1 => file.truncate(script.below(length + 1)),
        2 => {
            let at = script.below(length + 1);
            let piece = script.piece();
            let end = (at + usize::from(script.u8())).min(length);
            file.splice(at..end, piece.iter().copied());
        }
        3 => drop(files.remove(name)),
        4 if name.ends_with("flat") => {
            // the pages end where the script says
            let at = script.below(length + 1);
            file.truncate(at);
            *file = trail(std::mem::take(file), script.u64());
        }
        4 | 5 => close_again(file),
        6 | 7 => {
            // the chain above a changed flat file or manifest is made to agree
            let (about, flat) = if which % 2 == 0 { (NAMES[1], NAMES[2]) } else { (NAMES[3], NAMES[4]) };
            let (Some(before), Some(now)) = (files.get(about).cloned(), files.get(flat).cloned()) else {
                return;
            };
            let mut after = before.clone();
            let text = String::from_utf8_lossy(&before).into_owned();
            if let Some(line) = text.lines().find(|line| line.starts_with("file ")) {
                replace(&mut after, line, &format!("file {} {} pages.flat", now.len(), sha(&now)));
            }
            close_again(&mut after);
            files.insert(about, after);
        }
        _ => {
            let (number, about) = if which % 2 == 0 { (1, NAMES[1]) } else { (2, NAMES[3]) };
            let Some(hash) = files.get(about).map(|it| sha(it)) else { return };
            let Some(current) = files.get_mut(NAMES[0]) else { return };
            let text = String::from_utf8_lossy(current).into_owned();
            if let Some(line) = text.lines().find(|line| line.contains(&format!(" {number} "))) {
                let word = line.split(' ').next().unwrap();
                replace(current, line, &format!("{word} {number} {hash}"));
            }
            close_again(current);
        }
    }
}

/// A disk with these files.
fn lay(files: &Files) -> Arc<dyn Disk> {
    let sim = SimDisk::new(1);
    for generation in ["gen-1", "gen-2"] {
        sim.put_dir(&Path::new(DIR).join(generation));
    }
    files.iter().for_each(|(name, bytes)| sim.put(&Path::new(DIR).join(name), bytes.clone()));
    Arc::new(sim)
}

fn whole(script: &mut Script<'_>) {
    let (pages, built) = build(script);
    let mut files = built.clone();
    for _ in 0..OPS_MAX {
        if script.is_over() {
            break;
        }
        harm(script, &mut files);
    }
    let disk = lay(&files);
    let changed = |name: &str| files.get(name) != built.get(name);
    let forged = |name: &str| changed(name) && files.get(name).is_some_and(|it| verifies(it));
    let generations = Generations::open(disk.clone(), DIR.into(), ENGINE, Backend::Flat);
    let Ok(generations) = generations else {
        assert!(NAMES.iter().any(|name| forged(name)), "a store was not opened");
        return;
    };
    let mut taken = Pages::new();
    let outcome = generations.load(&mut |key, value| {
        taken.insert(key.to_vec(), value.to_vec());
        Ok(())
    });
    match &outcome {
        Ok(LoadOutcome::Generation { number, older, problems, .. }) => {
            let index = if *number == 2 { 1 } else { 0 };
            if !forged(NAMES[2 * index + 1]) {
                assert!(taken == pages[index], "other pages came back");
            }
            if !forged("CURRENT") {
                assert_eq!(*older, *number == 1, "{problems:?}");
                assert!(
                    *number == 2 && !changed("CURRENT") || !problems.is_empty(),
                    "fell back without a word"
                );
            }
        }
        Ok(LoadOutcome::AllBad { problems }) => {
            assert!(taken.is_empty() && !problems.is_empty());
            let hit = ["CURRENT", NAMES[1], NAMES[2]].into_iter().any(changed);
            // A backend that was given no time to answer says nothing about the files.
            let hit = hit || problems.iter().any(|problem| problem.contains("did not end within"));
            assert!(hit, "the older generation is whole, and yet: {problems:?}");
        }
        Ok(LoadOutcome::None) => panic!("there never was a snapshot, it says"),
        Err(error) => assert!(NAMES.iter().any(|name| forged(name)), "{error}"),
    }
    assert!(!generations.list().is_empty() || files.is_empty());
    let options = Options { segment_bytes: MIN_SEGMENT_BYTES, ..Options::new("/data/wal", ENGINE) };
    let (directory, campaigns) = (Directory::new(3, 1000), Campaigns::new(None, Retry::default()));
    drop(recovery::recover(&disk, &options, &generations, directory, campaigns, None));
}

/// The three authors' states.
type Machines = (Directory, Campaigns, Vec<(ListId, PackedList)>);

/// The machines behind some pages; none where a page is refused.
fn read(pages: &Pages) -> Option<Machines> {
    let (mut directory, mut campaigns) = (Directory::new(3, 1000), Campaigns::new(None, Retry::default()));
    let mut lists = Vec::new();
    let mut reader = PageReader::new(&mut directory, &mut campaigns, &mut lists);
    for (key, value) in pages {
        reader.read(key, value).ok()?;
    }
    reader.finish().ok()?;
    Some((directory, campaigns, lists))
}

fn write((directory, campaigns, lists): &Machines) -> Pages {
    let mut pages = Pages::new();
    let mut writer = PageWriter::new(|key: &[u8], value: &[u8]| {
        pages.insert(key.to_vec(), value.to_vec());
        Ok::<(), ()>(())
    });
    writer.write(Portion::Directory(directory.image())).unwrap();
    writer.write(Portion::Campaigns(campaigns.image())).unwrap();
    writer.write(Portion::Resting(lists.clone())).unwrap();
    writer.finish().unwrap();
    pages
}

fn pages_only(script: &mut Script<'_>) {
    let mut pages = Pages::new();
    for number in 0..OPS_MAX as u32 {
        if script.is_over() {
            break;
        }
        let kind = KINDS[usize::from(script.u8()) % KINDS.len()];
        let length = usize::from(script.u16());
        pages.insert([&[kind], number.to_be_bytes().as_slice()].concat(), script.take(length).to_vec());
    }
    let Some(machines) = read(&pages) else { return };
    for (_, packed) in &machines.2 {
        let summary = packed.summary();
        if let Ok(list) = packed.unpack() {
            let summary = summary.unwrap();
            assert_eq!(list.summary(), summary);
            assert_eq!(PackedList::of(&list).unpack().unwrap().summary(), summary);
        }
    }
    let first = write(&machines);
    let second = write(&read(&first).unwrap());
    assert!(first == second, "pages that were written do not read back as they were");
}

pub fn body(data: &[u8]) {
    let mut script = Script::new(data);
    if script.u8().is_multiple_of(2) {
        pages_only(&mut script);
    } else {
        whole(&mut script);
    }
}

/// Pages of machines that have lived, one script each way.
pub fn seeds() -> Vec<Vec<u8>> {
    let lived = restockd_testkit::lived::pages();
    let mut seeds = Vec::new();
    let mut all = vec![0];
    let mut files = vec![1];
    for (key, value) in &lived {
        let kind = KINDS.iter().position(|kind| *kind == key[0]).unwrap() as u8;
        let length = (value.len() as u16).to_le_bytes();
        let one = [&[kind], length.as_slice(), value].concat();
        seeds.push([&[0], one.as_slice()].concat());
        all.extend(one);
        if value.len() < 256 {
            files.extend([&[kind | 4, value.len() as u8], value.as_slice()].concat());
        }
    }
    files.push(255);
    let harms: [&[u8]; 9] = [
        &[0, 4, 40, 0, 1],
        &[1, 3, 40, 0],
        &[3, 0],
        &[3, 3],
        &[0, 0, 60, 0, 1, 5, 0],
        &[0, 3, 200, 0, 1, 5, 3, 8, 1],
        &[0, 4, 30, 0, 1, 7, 1, 9, 1],
        &[4, 4, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 9, 1],
        &[2, 3, 20, 0, 8, b'9', b'9', b'9', b'9', b'9', b'9', b'9', b'9', 2, 5, 3, 8, 1],
    ];
    seeds.extend(harms.iter().map(|harm| [files.as_slice(), harm].concat()));
    seeds.extend([all, files]);
    seeds
}
