//! Every file of a snapshot generation: cut, missing, flipped. The older one serves, with a word, or the same pages
//! come; never fewer rows in silence.
//!
//! The newest generation holds a shop of some size, so that the backend makes of it what it makes of a real one (sled:
//! several files, blobs where pages are large); the older one is small and lies beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use restockd_core::directory::{Accepted, Directory, DirectoryEvent, PersonFact};
use restockd_core::list::{ChangeSource, List, ListEvent};
use restockd_core::{Email, ListId, Millis, PersonId};
use restockd_journal::disk::RealDisk;
use restockd_journal::snapshots::{Backend, Generations, LoadOutcome, Meta};
use restockd_records::PackedList;
use restockd_records::page::{PageWriter, Portion};
use restockd_testkit::lived;
use tempfile::TempDir;

use super::cases::{Dice, Table, complete, seed};

type Pages = BTreeMap<Vec<u8>, Vec<u8>>;

const ENGINE: [u8; 16] = [7; 16];
const BOTH: [Backend; 2] = [Backend::Sled, Backend::Flat];
const NOON: Millis = Millis(1_772_452_800_000);
const PEOPLE: u32 = 20_000;
const LISTS: u32 = 300;
/// Files up to this length are flipped at every byte.
const SMALL_BYTES: usize = 8 << 10;

/// In memory where there is such a place with room; snapshots leave 96 MiB free.
pub fn place() -> TempDir {
    let roomy = rustix::fs::statvfs("/dev/shm").is_ok_and(|it| it.f_bavail * it.f_frsize > 1 << 30);
    if roomy { tempfile::tempdir_in("/dev/shm").unwrap() } else { tempfile::tempdir().unwrap() }
}

/// The pages of a shop with twenty thousand people on three hundred lists.
fn shop() -> Pages {
    let mut directory = Directory::new(3, 1_000_000);
    let mut lists: Vec<(ListId, List)> =
        (0..LISTS).map(|n| (ListId::parse(&format!("restock-sku-{n}")).unwrap(), List::default())).collect();
    for number in 1..=PEOPLE {
        let (id, list) = &mut lists[(number % LISTS) as usize];
        let person = PersonFact {
            id: PersonId(number),
            email: Email::parse(&format!("person-{number}@shop.example")),
            user_id: number.is_multiple_of(3).then(|| format!("user-{number}")),
            anonymous_id: None,
            props: vec![("city".into(), format!("\"Town {}\"", number % 97))],
        };
        let accepted = Accepted {
            name: "product.waitlisted".into(),
            key: Some(u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)),
            source: ChangeSource::Event,
            person: Some(person),
            bag: vec![(id.clone(), true)],
            timestamp: None,
            product: None,
            restock: None,
            attested: None,
        };
        directory.apply(&DirectoryEvent::Event(accepted), NOON);
        directory.close(u64::from(number));
        let ordinal = number / LISTS + 1;
        let event = u64::from(number);
        let joined = ListEvent::Joined {
            event,
            person: PersonId(number),
            ordinal,
            changed: NOON,
            source: ChangeSource::Event,
        };
        list.apply(&joined, NOON);
    }
    let mut pages = Pages::new();
    let mut writer = PageWriter::new(|key: &[u8], value: &[u8]| {
        pages.insert(key.to_vec(), value.to_vec());
        Ok::<(), ()>(())
    });
    writer.write(Portion::Directory(directory.image())).unwrap();
    writer
        .write(Portion::Resting(lists.into_iter().map(|(id, list)| (id, PackedList::of(&list))).collect()))
        .unwrap();
    writer.finish().unwrap();
    // One page as long as the store takes well: sled lays such a one beside its log.
    pages.insert(
        b"Z".to_vec(),
        (0..600_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
    );
    pages
}

/// A store with two generations: 1 small, 2 the shop.
struct Store {
    root: TempDir,
    backend: Backend,
    older: Pages,
    newest: Pages,
}

impl Store {
    fn new(backend: Backend) -> Self {
        let store = Self { root: place(), backend, older: lived::pages(), newest: shop() };
        for (from, pages) in [(10, &store.older), (20, &store.newest)] {
            let mut building = store.open().begin().unwrap();
            pages.iter().for_each(|(key, value)| building.put(key, value).unwrap());
            let meta =
                Meta { engine: ENGINE, replay_from: from, durable: from, made_ms: 5, counts: Vec::new() };
            building.seal(meta).unwrap().commit().unwrap();
        }
        store
    }

    /// The same files in another place.
    fn twin(&self) -> Self {
        let twin = Self {
            root: place(),
            backend: self.backend,
            older: self.older.clone(),
            newest: self.newest.clone(),
        };
        copy_tree(&self.dir(), &twin.dir());
        twin
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("snapshots")
    }

    fn open(&self) -> Generations {
        Generations::open(Arc::new(RealDisk), self.dir(), ENGINE, self.backend).unwrap()
    }

    /// The files of the newest generation.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut open = vec![self.dir().join("gen-2")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files.into_iter().map(|path| path.strip_prefix(self.dir()).unwrap().to_path_buf()).collect()
    }

    /// What a load comes to; panics where rows are missing in silence.
    fn class(&self, file: &Path, what: &str) -> &'static str {
        let mut taken = Pages::new();
        let outcome = self.open().load(&mut |key, value| {
            assert!(taken.insert(key.to_vec(), value.to_vec()).is_none(), "{what}: a page came twice");
            Ok(())
        });
        let named =
            |problems: &[String]| problems.iter().any(|problem| problem.contains(file.to_str().unwrap()));
        match outcome {
            Ok(LoadOutcome::Generation { number: 2, older: false, problems, .. }) => {
                assert!(taken == self.newest, "SILENT LOSS: {what}");
                if problems.is_empty() {
                    return "the newest, every page of it, without a word";
                }
                assert!(named(&problems), "{what}: {problems:?}");
                // No log may be let go while it is not sure which generations count.
                assert_eq!(self.open().replay_floor(), None, "{what}");
                assert!(self.open().current_problem().is_some_and(|it| it.contains("CURRENT")), "{what}");
                "the newest, every page of it, the damage named"
            }
            Ok(LoadOutcome::Generation { number: 1, older: true, problems, meta }) => {
                assert!(taken == self.older && meta.replay_from == 10, "SILENT LOSS: {what}");
                assert!(named(&problems), "{what}: {problems:?}");
                "the older, every page of it, the damage named"
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// One piece of damage to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Missing,
    Folder,
    Grown,
    Cut(usize),
    Flip(usize),
}

/// Damages, judges, and makes good again.
fn harm(store: &Store, file: &Path, harm: Harm) -> &'static str {
    let path = store.dir().join(file);
    let what = format!("{} {harm:?}", file.display());
    let flip = |at: usize| {
        let open = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        open.read_exact_at(&mut byte, at as u64 / 8).unwrap();
        open.write_all_at(&[byte[0] ^ 1 << (at % 8)], at as u64 / 8).unwrap();
    };
    if let Harm::Flip(bit) = harm {
        flip(bit);
        let class = store.class(file, &what);
        flip(bit);
        return class;
    }
    let whole = fs::read(&path).unwrap();
    match harm {
        Harm::Cut(length) => fs::write(&path, &whole[..length]).unwrap(),
        Harm::Grown => fs::write(&path, [&whole[..], &[0]].concat()).unwrap(),
        Harm::Missing => fs::remove_file(&path).unwrap(),
        Harm::Folder => {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        Harm::Flip(_) => {}
    }
    let class = store.class(file, &what);
    if matches!(harm, Harm::Folder) {
        fs::remove_dir(&path).unwrap();
    }
    fs::write(&path, whole).unwrap();
    class
}

/// What is done to one file; `large` is the length of all large files together, which share the places.
fn harms(file: &Path, length: usize, large: usize) -> Vec<Harm> {
    let mut dice = Dice(seed() ^ length as u64);
    let mut harms = vec![Harm::Missing, Harm::Folder, Harm::Grown];
    let ends = [0, 1, length / 2, length.saturating_sub(1)];
    harms.extend(ends.into_iter().filter(|cut| *cut < length).map(Harm::Cut));
    let text = ["CURRENT", "MANIFEST"].contains(&file.file_name().unwrap().to_str().unwrap());
    match (length <= SMALL_BYTES, complete()) {
        (true, all) => {
            let step = if all { 1 } else { 7 };
            harms.extend((0..length).step_by(step).map(Harm::Cut));
            // every bit of a text in the complete form; one bit of each byte of anything small in any
            let bits = if text && all { 8 } else { 1 };
            let sparse = if text || all { 1 } else { 3 };
            harms.extend(
                (0..length)
                    .step_by(sparse)
                    .flat_map(|at| (0..bits).map(move |bit| Harm::Flip(at * 8 + (at + bit) % 8))),
            );
        }
        (false, all) => {
            let (cuts, flips) = if all { (2_000, 10_000) } else { (60, 300) };
            let share = |all: usize| (all * length).div_ceil(large);
            harms.extend((0..share(cuts)).map(|_| Harm::Cut(dice.below(length))));
            harms.extend((0..share(flips)).map(|_| Harm::Flip(dice.below(length * 8))));
        }
    }
    harms
}

fn damage_all(backend: Backend, files: &[PathBuf], store: &Store) -> Table {
    let length = |file: &PathBuf| fs::metadata(store.dir().join(file)).unwrap().len() as usize;
    let large: usize = files.iter().map(length).filter(|length| *length > SMALL_BYTES).sum();
    let cases: Vec<(&PathBuf, Harm)> = files
        .iter()
        .flat_map(|file| harms(file, length(file), large).into_iter().map(move |harm| (file, harm)))
        .collect();
    let table = Mutex::new(Table::default());
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (table, cases) = (&table, &cases);
            scope.spawn(move || {
                let store = store.twin();
                assert_eq!(store.backend, backend);
                let mut own = Table::default();
                for (file, one) in cases.iter().skip(worker).step_by(2) {
                    own.add(harm(&store, file, *one));
                }
                assert_eq!(
                    store.class(Path::new("gen-2"), "made good"),
                    "the newest, every page of it, without a word"
                );
                table.lock().unwrap().merge(own);
            });
        }
    });
    table.into_inner().unwrap()
}

#[test]
fn whatever_happens_to_a_file_of_the_newest_generation_the_older_serves_and_says_so() {
    for backend in BOTH {
        let store = Store::new(backend);
        let files = store.files();
        let bytes = |file: &PathBuf| fs::metadata(store.dir().join(file)).unwrap().len();
        println!(
            "{}: {:?}",
            backend.name(),
            files.iter().map(|file| (file, bytes(file))).collect::<Vec<_>>()
        );
        assert!(files.iter().map(bytes).sum::<u64>() > 1 << 20, "a shop of some size");
        let table = damage_all(backend, &files, &store);
        table.print(&format!("a file of a {} generation damaged", backend.name()));
        assert_eq!(table.count("the older, every page of it, the damage named"), table.total());
    }
}

#[test]
fn whatever_happens_to_current_the_newest_serves_and_says_so() {
    for backend in BOTH {
        let store = Store::new(backend);
        let table = damage_all(backend, &[PathBuf::from("CURRENT")], &store);
        table.print(&format!("CURRENT over {} generations damaged", backend.name()));
        assert_eq!(table.count("the newest, every page of it, the damage named"), table.total());
    }
}

#[test]
fn a_generation_that_is_gone_whole_is_named_and_the_older_serves() {
    for backend in BOTH {
        let store = Store::new(backend);
        fs::rename(store.dir().join("gen-2"), store.root.path().join("gone")).unwrap();
        assert_eq!(store.class(Path::new("gen-2"), "gone"), "the older, every page of it, the damage named");
    }
}
