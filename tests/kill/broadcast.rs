//! P6 and P7: `kill -9` in the middle of a broadcast, again and again.
//!
//! A round is one SKU with its own shoppers. The kills of a round are spread over its broadcast
//! between 10 % and 90 % settled, each at a random point of its share; one for which the broadcast
//! was too fast is left to the next round.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use restockd_testkit::process::{Engine, Place, count, until};
use restockd_testkit::sink::{Letter, Sink};
use serde_json::Value;

use crate::{Dice, size};

/// Letters that may be on their way at once, and so the doubt that one kill may add.
const WINDOW: u64 = 64;
/// Rounds in which the kills must have found their place.
const ROUNDS_MAX: u64 = 12;

/// One kill, for the table.
struct Kill {
    round: u64,
    settled: u64,
    added: u64,
}

/// How a round ended.
struct Round {
    sku: String,
    addresses: Vec<String>,
    end: Value,
}

/// Sent, failed, skipped or in doubt: nothing more happens to it.
fn settled(campaign: &Value) -> u64 {
    ["sent", "failed", "skipped", "inDoubt"].iter().map(|part| count(campaign, part)).sum()
}

/// Runs rounds until there were as many kills as wanted; `restarting` is called between a kill
/// and the start after it.
fn rounds(place: &Place, kills: u64, letters: u64, mut restarting: impl FnMut()) -> Vec<Round> {
    let mut dice = Dice::new("a broadcast under kills");
    let (mut done, mut over) = (Vec::new(), Vec::new());
    let mut engine = place.start();
    while (done.len() as u64) < kills {
        let round = over.len() as u64;
        assert!(round < ROUNDS_MAX, "only {} kills fell into their span", done.len());
        let sku = format!("chair-{round}");
        let addresses: Vec<String> = (0..letters).map(|n| format!("p{n}.{round}@shop.example")).collect();
        engine.client.press_many(addresses.iter().cloned(), &sku);
        engine.client.restock(&format!("d-{round}"), &sku);
        let campaign = engine.client.campaign_of(&sku).unwrap();
        assert_eq!(campaign["totalRecipients"], letters);
        let id = campaign["id"].as_str().unwrap().to_owned();
        let wanted = kills - done.len() as u64;
        for share in 0..wanted {
            let width = 800 / wanted;
            let mille = 100 + width * share + dice.below(width);
            let before = until("the kill's point is reached", || {
                let campaign = engine.client.campaign(&id);
                (settled(&campaign) * 1000 >= mille * letters).then_some(campaign)
            });
            if settled(&before) * 10 > letters * 9 {
                break;
            }
            engine.kill();
            restarting();
            engine = place.start();
            let kill = after_a_kill(&engine, &before, round);
            println!(
                "kill {:2}  round {round}  settled {:5} of {letters} ({:4.1} %)  doubt added {:2}",
                done.len() + 1,
                kill.settled,
                kill.settled as f64 * 100.0 / letters as f64,
                kill.added
            );
            done.push(kill);
        }
        sent(&engine, &sku);
        over.push(Round { sku, addresses, end: Value::Null });
    }
    // Once more at rest: what the ends of the campaigns were is read from what is durable.
    engine.kill();
    restarting();
    engine = place.start();
    for round in &mut over {
        round.end = sent(&engine, &round.sku);
    }
    let (most, all) =
        (done.iter().map(|kill| kill.added).max(), done.iter().map(|kill| kill.added).sum::<u64>());
    println!("{} kills in {} rounds, doubt added {all}, at most {most:?} by one", done.len(), over.len());
    assert!(done.iter().all(|kill| kill.round < over.len() as u64));
    engine.kill();
    over
}

/// What one kill did to a campaign, seen at the first look after the restart.
fn after_a_kill(engine: &Engine, before: &Value, round: u64) -> Kill {
    let after = engine.client.campaign(before["id"].as_str().unwrap());
    assert_eq!(after["totalRecipients"], before["totalRecipients"]);
    let added = count(&after, "inDoubt").checked_sub(count(before, "inDoubt")).unwrap();
    assert!(added <= WINDOW, "one kill put {added} in doubt: {before} {after}");
    // A verdict that was not yet durable is in doubt now; none is forgotten, so none is sent again.
    assert!(settled(&after) >= settled(before), "{before} {after}");
    Kill { round, settled: settled(before), added }
}

/// Waits until a SKU's campaign is sent.
fn sent(engine: &Engine, sku: &str) -> Value {
    let end = until("the campaign is sent", || {
        engine.client.campaign_of(sku).filter(|campaign| campaign["status"] == "sent")
    });
    assert_eq!((count(&end, "failed"), count(&end, "skipped")), (0, 0), "{end}");
    end
}

/// Compares a campaign's end with how often each of its people was mailed.
fn agree(round: &Round, mailed: &HashMap<String, usize>) {
    let of = |address: &String| mailed.get(address).copied().unwrap_or(0);
    let twice: Vec<_> = round.addresses.iter().filter(|address| of(address) > 1).collect();
    assert!(twice.is_empty(), "mailed twice: {twice:?}");
    let accepted = round.addresses.iter().filter(|address| of(address) == 1).count() as u64;
    let missing = round.addresses.len() as u64 - accepted;
    let (sent, doubt) = (count(&round.end, "sent"), count(&round.end, "inDoubt"));
    println!("{}: sent {sent}, in doubt {doubt}; accepted {accepted}, missing {missing}", round.sku);
    assert!(missing <= doubt, "{missing} are missing, {doubt} are in doubt");
    assert!(sent <= accepted && accepted <= sent + doubt, "sent {sent}, accepted {accepted}, doubt {doubt}");
}

/// How many letters each address got.
fn per_address(letters: &[Letter]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    letters.iter().for_each(|letter| *counts.entry(letter.to.clone()).or_default() += 1);
    counts
}

#[test]
fn a_broadcast_over_smtp_survives_kills_with_nobody_mailed_twice_or_lost() {
    let (kills, letters) = (size("RESTOCKD_KILLS", 3), size("RESTOCKD_LETTERS", 1000));
    let sink = Sink::start(Duration::from_millis(5));
    // Snapshots come often, so that kills fall into their rounds, too.
    let place = Place::new(&sink.setting())
        .env("RESTOCKD_MAIL_CONNECTIONS", "10")
        .toml("[engine]\nsegment_mib = 1\nsnapshot_every = \"1s\"\n");
    let rounds = rounds(&place, kills, letters, || {});
    sink.look(|seen| {
        let (accepted, dots) = (per_address(&seen.accepted), per_address(&seen.dots));
        rounds.iter().for_each(|round| agree(round, &accepted));
        assert!(dots.values().all(|count| *count == 1), "a second dot reached the server");
        let mut ids: Vec<_> = seen.accepted.iter().map(|letter| &letter.message_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), seen.accepted.len(), "each letter has a Message-ID of its own");
        let invited: usize = rounds.iter().map(|round| round.addresses.len()).sum();
        assert!(accepted.len() <= invited, "somebody was mailed who does not wait");
    });
}

/// The letters in a folder, by name and by the file that holds them.
fn letters_in(folder: &Path) -> HashMap<String, u64> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().ino()));
    files.filter(|(name, _)| name.ends_with(".eml")).collect()
}

/// Whom a letter is to.
fn recipient(letter: &Path) -> String {
    let text = std::fs::read_to_string(letter).unwrap();
    let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
    to.trim_matches(['<', '>']).to_owned()
}

#[test]
fn a_broadcast_into_a_folder_survives_kills_with_nobody_mailed_twice_or_lost() {
    let (kills, letters) = (size("RESTOCKD_KILLS", 3), size("RESTOCKD_LETTERS", 1000));
    // A rate gives the kills something to fall into; a folder takes letters as fast as a disk does.
    let place = Place::new("folder:outbox")
        .env("RESTOCKD_MAIL_RATE", "2000/s")
        .toml("[mail]\nwindow = 64\n[engine]\nsegment_mib = 1\nsnapshot_every = \"1s\"\n");
    // A letter written a second time would be another file under the same name.
    let mut written: HashMap<String, u64> = HashMap::new();
    let outbox = place.outbox();
    let rounds = rounds(&place, kills, letters, || {
        let now = letters_in(&outbox);
        for (name, file) in &written {
            assert_eq!(now.get(name), Some(file), "{name} was written again");
        }
        written = now;
    });
    let mailed: Vec<String> = letters_in(&outbox).keys().map(|name| recipient(&outbox.join(name))).collect();
    let mut counts = HashMap::new();
    mailed.into_iter().for_each(|address| *counts.entry(address).or_default() += 1);
    rounds.iter().for_each(|round| agree(round, &counts));
}

#[test]
fn more_connections_than_the_window_put_no_more_letters_on_their_way() {
    let sink = Sink::start(Duration::from_millis(20));
    let place = Place::new(&sink.setting())
        .env("RESTOCKD_MAIL_CONNECTIONS", "32")
        .toml("[mail]\nwindow = 4\n[engine]\nsegment_mib = 1\n");
    let engine = place.start();
    engine.client.press_many((0..100).map(|n| format!("p{n}@shop.example")), "chair");
    engine.client.restock("d1", "chair");
    let mut most = 0;
    until("the campaign is sent", || {
        let campaign = engine.client.campaign_of("chair").unwrap();
        most = most.max(count(&campaign, "started"));
        (campaign["status"] == "sent").then_some(())
    });
    assert!((1..=4).contains(&most), "{most} letters were on their way at once");
    engine.kill();
}
