//! The n-th system call killed or failed, for n over the whole of a scripted run and of the recovery after it.
//!
//! ```text
//! first start   ▶ presses, bags, a restock with its letters, a leave, two rounds, an erasure, a campaign, a batch,
//!                 a round ▶ SIGTERM                                       dry run: every call on every file
//! recovery      a directory on which that was killed ▶ start ▶ a press, a restock, a round ▶ SIGTERM
//!
//! each spot × { SIGKILL, EIO, ENOSPC } × { sled, flat }: run ▶ harm ▶ start without strace ▶ compare
//! ```
//!
//! What must hold beside the comparison: a failed write or sync of a segment in use ends the process with a code that is
//! not 0; a start that fails says why; want of space while a segment is made stops admission and nothing else; an error
//! in a checkpoint round fails the round and nothing else.
//!
//! The short form takes every k-th spot from an offset that is printed (`RESTOCKD_POINTS` says about how many of each
//! run and backend, `all` for all, `RESTOCKD_SEED` the offset). A spot that failed is tried again by
//! `RESTOCKD_SPOT="wal/mark pwrite64 2 100"`: path, call, n, and how many times.

use std::path::Path;
use std::time::{Duration, Instant};

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Answer, Client, Engine, Place, until};
use restockd_testkit::sink::{Letter, Sink};
use serde_json::json;

use crate::check::{Depth, account, compare, once};
use crate::deeds::{self, Heard, Wire, list_of};
use crate::oracle::{Facts, Oracle};
use crate::siege::settings;
use crate::strace::{self, Calls, Harm, Spot};

/// Spots of each run and backend in the short form.
const SHORT: usize = 24;
/// Spots that are worked on at once: most of a run is waiting for the disk.
const WORKERS: usize = 4;
/// How long a script waits for space.
const PATIENCE: Duration = Duration::from_secs(5);

/// A script's way to the engine: it gives up when the engine is gone.
struct Script {
    client: Client,
    oracle: Oracle,
}

impl Wire for Script {
    fn ask(&self, ask: &dyn Fn(&Client) -> Answer) -> Option<Heard> {
        let end = Instant::now() + PATIENCE;
        let mut repeated = 0;
        until("an answer, or none any more", || match ask(&self.client) {
            Some((503, _)) if Instant::now() < end => {
                repeated += 1;
                None
            }
            Some((503, _)) | None => Some(None),
            Some((status, body)) => Some(Some(Heard { status, body, repeated })),
        })
    }

    fn oracle(&self) -> &Oracle {
        &self.oracle
    }
}

impl Script {
    /// The whole life of a small shop; each request once.
    fn story(&self) {
        let (a, b, c) = (list_of("a"), list_of("b"), list_of("c"));
        let all = [a.clone(), b.clone(), c];
        for n in 0..4 {
            deeds::press(self, &format!("p{n}@shop.example"), &all[..1 + n % 3], true, &format!("k{n}"));
        }
        deeds::restock(self, "a", "d1");
        deeds::press(self, "p2@shop.example", std::slice::from_ref(&b), false, "k-leave");
        self.round();
        deeds::erase(self, "p1@shop.example");
        let many: Vec<String> = (0..20).map(|n| format!("m{n}@shop.example")).collect();
        deeds::press_many(self, &many, &b);
        deeds::unsubscribe(self, "m3@shop.example", &b);
        self.round();
        deeds::campaign(self, &b, "hello");
        deeds::press(self, "late@shop.example", &[a], true, "k-late");
        deeds::restock(self, "a", "d2");
        self.round();
    }

    /// What a shop does after a restart.
    fn sequel(&self) {
        deeds::press(self, "next@shop.example", &[list_of("a"), list_of("d")], true, "k-next");
        deeds::restock(self, "d", "d3");
        self.round();
    }

    /// A checkpoint round; it may fail, the engine goes on then.
    fn round(&self) {
        self.ask(&|client| client.try_post("/v1/admin/snapshot", &json!({})));
    }
}

/// Which of the two runs.
#[derive(Clone, Copy)]
enum Run<'a> {
    First,
    /// Of a copy of this directory, on which this was acknowledged and these letters were accepted.
    Recovery(&'a Path, &'a Facts, &'a [Letter]),
}

impl Run<'_> {
    /// A place as it is before the run, the oracle, and the letters so far.
    fn prepare(&self, sink: &Sink, backend: &str) -> (Place, Oracle, Vec<Letter>) {
        sink.clear();
        let place = settings(sink, backend, "1h");
        match self {
            Self::First => (place, Oracle::new("calls"), Vec::new()),
            Self::Recovery(data, facts, letters) => {
                copy(data, place.data());
                (place, Oracle::with("calls", (*facts).clone(), 1 << 32), letters.to_vec())
            }
        }
    }

    fn tell(&self, script: &Script) {
        match self {
            Self::First => script.story(),
            Self::Recovery(..) => script.sequel(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Waits until nothing is left to send.
fn settle(engine: &Engine) {
    let end = Instant::now() + Duration::from_secs(60);
    until("all campaigns are sent", || {
        let open: Vec<_> = engine.client.campaigns();
        let open: Vec<_> = open.into_iter().filter(|campaign| campaign["status"] != "sent").collect();
        assert!(
            open.is_empty() || Instant::now() < end,
            "campaigns that do not come to their end: {open:#?}"
        );
        open.is_empty().then_some(())
    });
}

/// Runs without harm, and lists the calls.
fn dry(run: Run<'_>, sink: &Sink, backend: &str) -> Calls {
    let (place, oracle, _) = run.prepare(sink, backend);
    let log = place.dir().join("strace.log");
    let engine = place.spawn(&strace::watch(&log)).listening().unwrap();
    let script = Script { client: engine.client.clone(), oracle };
    run.tell(&script);
    settle(&engine);
    let ended = engine.stop();
    assert!(ended.status.success(), "{ended:?}");
    let calls = strace::calls(&log, place.data());
    assert!(calls.spots.len() > 50, "strace saw too little: {calls:?}");
    calls
}

/// How a run with harm ended.
#[derive(Debug, Default)]
struct Tally {
    points: u64,
    reached: u64,
    refused: u64,
    ended: u64,
    went_on: u64,
    acknowledged: u64,
    compared: u64,
    doubt: u64,
}

/// What the place of the harm asks of the process: to end, or to go on.
fn must(run: Run<'_>, spot: &Spot, harm: Harm) -> (bool, bool) {
    let writes = ["pwrite64", "fdatasync", "fsync"].contains(&spot.call.as_str());
    let segment = Path::new(&spot.path).extension().is_some_and(|extension| extension == "wal");
    let spare = spot.path.starts_with("wal/spare-");
    let must_end = segment && (writes || spot.call == "rename");
    let making = spare && harm == Harm::NoSpace && ["openat", "pwrite64"].contains(&spot.call.as_str());
    // On a first start only rounds go there, but for one look.
    let round =
        matches!(run, Run::First) && spot.path.starts_with("snapshots/") && spot.path != "snapshots/CURRENT";
    (must_end, making || round)
}

/// Runs with harm in one spot, starts again, and compares.
fn harm(run: Run<'_>, sink: &Sink, backend: &str, spot: &Spot, harm: Harm, tally: &mut Tally) {
    let what = format!("{backend}, {harm:?} at {spot:?}");
    let (place, oracle, mut letters) = run.prepare(sink, backend);
    let log = place.dir().join("strace.log");
    let through = strace::inject(&log, place.data(), spot, harm);
    let mut script = None;
    let (ended, up) = match place.spawn(&through).listening() {
        Err(ended) => (ended, false),
        Ok(engine) => {
            let told = script.insert(Script { client: engine.client.clone(), oracle });
            run.tell(told);
            (engine.stop(), true)
        }
    };
    let code = ended.status.code();
    let reached = if harm == Harm::Kill { code.is_none() } else { strace::came_true(&log) };
    println!("{what}: {}, {}", if reached { "reached" } else { "not reached" }, ended.status);
    tally.points += 1;
    tally.reached += u64::from(reached);
    match (harm, code) {
        (Harm::Kill, None) | (_, Some(0)) => {}
        (Harm::Kill, Some(code)) => panic!("{what}: ended with {code}: {ended:?}"),
        (_, None) => panic!("{what}: died of a signal: {ended:?}"),
        (_, Some(code)) => {
            assert!([70, 78].contains(&code) || (!up && code == 1), "{what}: {ended:?}");
            let says = ended.said.iter().any(|line| line.contains("restockd: "));
            assert!(says, "{what}: it does not say why: {ended:?}");
        }
    }
    if harm != Harm::Kill && reached {
        let (must_end, must_go_on) = must(run, spot, harm);
        assert!(!must_end || code != Some(0), "{what}: it went on after the log had failed: {ended:?}");
        assert!(!must_go_on || code == Some(0), "{what}: it ended where it had to go on: {ended:?}");
        match (up, code) {
            (_, Some(0)) => tally.went_on += 1,
            (true, _) => tally.ended += 1,
            (false, _) => tally.refused += 1,
        }
    }
    let engine =
        place.spawn(&[]).listening().unwrap_or_else(|ended| panic!("{what}: no start afterwards: {ended:?}"));
    if let Some(script) = &script {
        tally.acknowledged += script.oracle.acknowledged();
        settle(&engine);
        let facts = script.oracle.look(Clone::clone);
        let found = compare(&engine.client, &facts, Depth::Full(50), &mut Dice::of(1));
        tally.compared += found.none(&what);
        let accepted = sink.look(|seen| seen.accepted.clone());
        letters.extend(accepted);
        let dots = sink.look(|seen| seen.dots.clone());
        let mut account = account(&engine.client, &facts, &dots, &letters);
        once(&letters, &mut account.findings);
        tally.compared += account.findings.none(&what);
        tally.doubt += account.doubt;
    }
    engine.kill();
}

/// All spots of a run, or every k-th from an offset.
fn chosen(calls: &Calls, dice: &mut Dice) -> Vec<(Spot, Harm)> {
    let harms = [Harm::Kill, Harm::Io, Harm::NoSpace];
    if let Ok(words) = std::env::var("RESTOCKD_SPOT") {
        let words: Vec<&str> = words.split(' ').collect();
        let [path, call, nth, times] = words[..] else { panic!("path, call, nth, times") };
        let spot = Spot { path: path.to_owned(), call: call.to_owned(), nth: nth.parse().unwrap() };
        return harms.iter().cycle().take(times.parse().unwrap()).map(|harm| (spot.clone(), *harm)).collect();
    }
    let all = calls.spots.iter().flat_map(|spot| harms.map(|harm| (spot.clone(), harm)));
    let all: Vec<_> = all.collect();
    let wanted = match std::env::var("RESTOCKD_POINTS") {
        Ok(text) if text == "all" => all.len(),
        Ok(text) => text.parse().unwrap(),
        Err(_) => SHORT,
    };
    let mut step = all.len().div_ceil(wanted.max(1)).max(1);
    // Every kind of harm comes in turn.
    step += usize::from(step % harms.len() == 0);
    let offset = dice.below(step as u64) as usize;
    println!(
        "{} spots ({} calls, {} hidden), {} points; every {step}th from {offset}",
        calls.spots.len(),
        calls.seen,
        calls.hidden,
        all.len()
    );
    all.into_iter().skip(offset).step_by(step).collect()
}

fn enumerate(name: &str, run: Run<'_>, backend: &str, dice: &mut Dice) {
    let began = Instant::now();
    let points = chosen(&dry(run, &relay(), backend), dice);
    let worker = |number: usize| {
        let (sink, mut tally) = (relay(), Tally::default());
        for (spot, kind) in points.iter().skip(number).step_by(WORKERS) {
            harm(run, &sink, backend, spot, *kind, &mut tally);
        }
        tally
    };
    let worker = &worker;
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|number| scope.spawn(move || worker(number))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker found something wrong")).collect()
    });
    let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum::<u64>();
    println!(
        "system calls, {name}, {backend}: {} points ({} reached), {} starts refused, {} ended by themselves, {} went on; \
         {} acknowledgements, {} comparisons: 0 lost, 0 twice, {} in doubt; {:.0?}",
        sum(|tally| tally.points),
        sum(|tally| tally.reached),
        sum(|tally| tally.refused),
        sum(|tally| tally.ended),
        sum(|tally| tally.went_on),
        sum(|tally| tally.acknowledged),
        sum(|tally| tally.compared),
        sum(|tally| tally.doubt),
        began.elapsed()
    );
}

/// A relay that takes a moment for each letter.
fn relay() -> Sink {
    Sink::start(Duration::from_millis(1))
}

/// A directory on which the story was told, and killed while letters were on their way.
fn killed(sink: &Sink, backend: &str) -> (Place, Facts, Vec<Letter>) {
    let place = settings(sink, backend, "1h");
    let engine = place.start();
    let script = Script { client: engine.client.clone(), oracle: Oracle::new("killed") };
    script.story();
    deeds::press(&script, "last@shop.example", &[list_of("a")], true, "k-last");
    deeds::restock(&script, "a", "d9");
    engine.kill();
    let letters = sink.look(|seen| seen.dots.clone());
    (place, script.oracle.look(Clone::clone), letters)
}

fn both(backend: &str) {
    let mut dice = Dice::new("system calls");
    enumerate("first start and story", Run::First, backend, &mut dice);
    let (place, facts, letters) = killed(&relay(), backend);
    enumerate("recovery", Run::Recovery(place.data(), &facts, &letters), backend, &mut dice);
}

#[test]
fn whichever_system_call_is_killed_or_fails_nothing_acknowledged_is_lost_with_sled() {
    both("sled");
}

#[test]
fn whichever_system_call_is_killed_or_fails_nothing_acknowledged_is_lost_with_flat() {
    both("flat");
}
