//! Two receiving providers, one of which refuses for a minute: how that affects the other, how the refused one comes back to
//! its rate, and in which order letters arrive.
//!
//! One campaign goes to both at a set rate each. Its audience joined in turns, for as long as the quick provider is measured;
//! the people of the slow provider who joined last are there so that its return to its rate can be seen. A run ends with its
//! campaign, which has a set number of letters, and in any case after [`LONGEST`].
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use restockd_testkit::process::{Client, Place, count, until};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::median;
use crate::receiver::{CALM, Manner, Mark, Receiver, SHUT, SLOW};

const SKU: &str = "chair";
const QUICK: &str = "quick.example";
/// Letters a second of each provider, as set.
const RATE: usize = 200;
/// Connections to the mail server.
const CONNECTIONS: usize = 10;
/// How long the quick provider is measured after the minute, in seconds.
const AFTER: usize = 40;
/// The longest return of the slow provider to its rate by design, in seconds: forty steps of ten.
const WAY_BACK: usize = 400;
/// A rate counts as reached when the median of so many whole seconds in a row has it.
const ROW: usize = 5;
/// A run that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(900);

/// Makes a run and prints its rows of the tables.
pub fn table(runtime: &Runtime) {
    println!(
        "| refusal | provider | letters/s before | during | after | during : before |\n|---|---|---|---|---|---:|"
    );
    let runs = [Manner::HangsUp, Manner::GoesOn].map(|manner| {
        let run = run(runtime, manner);
        let (before, during) = run.spans();
        for (name, seconds, after) in
            [("quick", &run.quick.seconds, run.after_quick()), ("slow", &run.slow.seconds, run.after_slow())]
        {
            let figures = |span: Range<usize>| {
                let (middle, least, _) = median(rates(seconds, span));
                (middle, format!("{middle:.0} (least {least:.0})"))
            };
            let ((was, before), (is, during), (_, after)) =
                (figures(before.clone()), figures(during.clone()), figures(after));
            let code = manner.words().get(..3).unwrap();
            println!("| {code} | {name} | {before} | {during} | {after} | {:.3} |", is / was);
        }
        (manner, run)
    });
    println!(
        "\n| refusal | RCPT TO refused | connections opened | lowest rate the slow one was held to | its first letter after the \
         minute | half its rate | its rate | overtaken, slow / quick |\n|---|---:|---:|---|---:|---:|---:|---|"
    );
    for (manner, run) in runs {
        let since = |found: Option<f64>| found.map_or("not reached".to_owned(), |s| format!("{s:.1} s"));
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} / {} |",
            manner.words().get(..3).unwrap(),
            run.refused,
            run.connections,
            run.lowest,
            since(run.first_after()),
            since(run.reaches(0.49)),
            since(run.reaches(0.98)),
            run.slow.overtaken,
            run.quick.overtaken,
        );
    }
}

/// The result of one run.
struct Run {
    slow: Provider,
    quick: Provider,
    refused: usize,
    connections: usize,
    lowest: String,
}

/// The letters that one provider accepted.
struct Provider {
    /// How many letters in each second.
    seconds: Vec<usize>,
    /// When each letter was accepted.
    times: Vec<f64>,
    overtaken: Overtaken,
}

/// How many letters came after that of a later joiner, and the most later joiners ahead of one letter.
#[derive(Debug, Default)]
struct Overtaken {
    letters: usize,
    most: usize,
}

impl std::fmt::Display for Overtaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.letters {
            0 => f.write_str("nobody"),
            letters => write!(f, "{letters}, by {} at most", self.most),
        }
    }
}

impl Provider {
    /// From the marks of all letters; asserts that everybody is there exactly once.
    fn new(taken: &[Mark], domain: &str, people: usize) -> Self {
        let theirs = taken.iter().filter_map(|mark| {
            let (name, at) = mark.whose.split_once('@').unwrap();
            (at == domain).then(|| (mark.at, name.trim_start_matches('p').parse::<usize>().unwrap()))
        });
        let (mut seconds, mut times, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for (at, number) in theirs {
            let second = usize::try_from(at.as_secs()).unwrap();
            seconds.resize(seconds.len().max(second + 1), 0);
            seconds[second] += 1;
            times.push(at.as_secs_f64());
            order.push(number);
        }
        let all: BTreeSet<usize> = order.iter().copied().collect();
        assert_eq!(all.len(), order.len(), "somebody at {domain} was mailed twice");
        assert_eq!(all.len(), people, "everybody at {domain} was mailed");
        Self { seconds, times, overtaken: Overtaken::of(&order) }
    }
}

impl Overtaken {
    fn of(order: &[usize]) -> Self {
        let (mut found, mut last) = (Self::default(), 0);
        for (at, number) in order.iter().enumerate() {
            if *number < last {
                let ahead = order[..at].iter().filter(|other| *other > number).count();
                (found.letters, found.most) = (found.letters + 1, found.most.max(ahead));
            }
            last = last.max(*number);
        }
        found
    }
}

impl Run {
    /// The whole seconds before the minute and within it.
    fn spans(&self) -> (Range<usize>, Range<usize>) {
        let [calm, open] = [CALM, CALM + SHUT].map(|at| usize::try_from(at.as_secs()).unwrap());
        // The first second has the burst.
        (1..calm, calm..open)
    }

    fn after_quick(&self) -> Range<usize> {
        let (_, during) = self.spans();
        during.end..during.end + AFTER
    }

    /// The seconds in which the slow provider has its rate again, else its last whole ones.
    fn after_slow(&self) -> Range<usize> {
        let (_, during) = self.spans();
        let whole = self.slow.seconds.len() - 1;
        let from = self.reaches(0.98).map_or(whole - ROW, |since| during.end + since as usize);
        from..whole.max(from + 1)
    }

    /// The time from the minute's end to the slow provider's first letter, in seconds.
    fn first_after(&self) -> Option<f64> {
        let open = (CALM + SHUT).as_secs_f64();
        self.slow.times.iter().map(|at| at - open).find(|since| *since >= 0.0)
    }

    /// The time from the minute's end to the first whole second at which the slow provider keeps such a share of its rate.
    fn reaches(&self, share: f64) -> Option<f64> {
        let (before, during) = self.spans();
        let (was, ..) = median(rates(&self.slow.seconds, before));
        let whole = self.slow.seconds.len() - 1;
        let reached = |from: &usize| median(rates(&self.slow.seconds, *from..*from + ROW)).0 >= share * was;
        let found = (during.end..whole.saturating_sub(ROW)).find(reached)?;
        Some((found - during.end) as f64)
    }
}

/// The letters of each second of a span.
fn rates(seconds: &[usize], span: Range<usize>) -> Vec<f64> {
    span.map(|second| seconds.get(second).copied().unwrap_or_default() as f64).collect()
}

/// Runs one campaign to its end.
fn run(runtime: &Runtime, manner: Manner) -> Run {
    let (address, receiver) = runtime.block_on(Receiver::start(manner));
    let place = Place::new(&format!("smtp+insecure://{address}"))
        .env("RESTOCKD_MAIL_CONNECTIONS", &CONNECTIONS.to_string())
        .toml(&format!(
            "[provider.slow]\ndomains = [\"{SLOW}\"]\nrate = \"{RATE}/s\"\n\
             [provider.quick]\ndomains = [\"{QUICK}\"]\nrate = \"{RATE}/s\"\n"
        ));
    let engine = place.start();
    let seconds = usize::try_from((CALM + SHUT).as_secs()).unwrap() + AFTER;
    // Half the rate during the return, and ten seconds more at either end.
    let (quick, slow) = (RATE * (seconds + 5), RATE * (20 + 10 + WAY_BACK / 2 + 10));
    let both = (0..quick).flat_map(|n| [format!("p{n}@{SLOW}"), format!("p{n}@{QUICK}")]);
    engine.client.press_many(both.chain((quick..slow).map(|n| format!("p{n}@{SLOW}"))), SKU);
    engine.client.restock("d1", SKU);
    let campaign = until("the campaign is there", || engine.client.campaign_of(SKU));
    let (done, lowest) = follow(&engine.client, campaign["id"].as_str().unwrap());
    let counts = ["sent", "failed", "skipped", "inDoubt"].map(|part| count(&done, part));
    assert_eq!(counts, [(quick + slow) as u64, 0, 0, 0], "{done}");
    let seen = receiver.seen();
    let run = Run {
        slow: Provider::new(&seen.taken, SLOW, slow),
        quick: Provider::new(&seen.taken, QUICK, quick),
        refused: seen.refused.len(),
        connections: seen.connections,
        lowest,
    };
    engine.kill();
    run
}

/// Reads a campaign every second until it is sent: how it ended, and the lowest rate of the slow provider.
fn follow(client: &Client, id: &str) -> (Value, String) {
    let begin = Instant::now();
    let (mut lowest, mut words) = (u64::MAX, "as set".to_owned());
    loop {
        // What is followed happens in another process and takes minutes; reading once a second is enough.
        std::thread::sleep(Duration::from_secs(1));
        let providers = client.get("/v1/providers");
        let slow = providers["providers"].as_array().unwrap().iter().find(|row| row["provider"] == "slow");
        let rate = slow.and_then(|row| row["rate"].as_str());
        if let Some(rate) = rate
            && let Some(minute) = rate.strip_suffix("/m").and_then(|text| text.parse().ok())
            && minute < lowest
        {
            (lowest, words) = (minute, rate.to_owned());
        }
        if std::env::var_os("RESTOCKD_WATCH").is_some() {
            eprintln!("{:.0} s: {providers}", begin.elapsed().as_secs_f64());
        }
        let campaign = client.campaign(id);
        if campaign["status"] == "sent" {
            return (campaign, words);
        }
        assert!(begin.elapsed() < LONGEST, "it did not end: {campaign} {providers}");
    }
}
