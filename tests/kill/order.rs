//! What a crash left open is taken up in the order in which it was said.
//!
//! The log is written by hand as a crash can leave it: the directory's records are there, those of
//! the list are not yet; or those of the list, and not yet those of the campaign.

use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd::boot;
use restockd_core::directory::DirectoryEvent;
use restockd_core::list::ListEvent;
use restockd_core::{CampaignId, Day};
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::wal::{self, Log, Options, Record};
use restockd_records::{Encoded, Entry, Stamp};
use restockd_testkit::process::{Client, Place, count, press, until};
use serde_json::json;

/// Appends records to a log at rest, made of all that it holds.
fn append(place: &Place, make: impl FnOnce(Vec<Entry>) -> Vec<Encoded>) {
    let data = place.data();
    let _lock = boot::lock(data).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = Options {
        segment_bytes: 1 << 20,
        ..Options::new(data.join("wal"), boot::secrets(data).unwrap().engine)
    };
    let mut entries = Vec::new();
    let recovered = wal::recover(&disk, &options, 1, 0, &mut |_, record| {
        entries.extend(restockd_records::read(record.kind, record.version, record.bytes));
        Ok(())
    })
    .unwrap();
    let log = Log::start(disk, options, &recovered, Box::new(|why| panic!("{why}"))).unwrap();
    for Encoded { kind, version, bytes } in make(entries) {
        log.append_quiet(Record { kind, version, bytes });
    }
    let (durable, heard) = channel();
    log.barrier(Box::new(move |result| durable.send(result.is_ok()).unwrap()));
    assert!(heard.recv().unwrap());
    log.close();
}

/// Copies of the directory's last event, with nothing but the choices changed.
fn choose(entries: Vec<Entry>, choices: &[bool]) -> Vec<Encoded> {
    let event = entries.into_iter().filter_map(|entry| match entry {
        Entry::Directory(stamp, DirectoryEvent::Event(event)) => Some((stamp, event)),
        _ => None,
    });
    let (mut stamp, mut event) = event.last().unwrap();
    let copies = choices.iter().map(|choice| {
        stamp = Stamp { seq: stamp.seq + 1, at: stamp.at };
        event.key = None;
        event.bag.iter_mut().for_each(|(_, join)| *join = *choice);
        restockd_records::of_directory(stamp, &DirectoryEvent::Event(event.clone()))
    });
    copies.collect()
}

/// A restock of every list on which somebody waits.
fn restock_all(entries: Vec<Entry>) -> Vec<Encoded> {
    let restocks = entries.into_iter().zip(1..).filter_map(|(entry, key)| match entry {
        Entry::List(stamp, list, ListEvent::Joined { ordinal, .. }) => {
            let day = Day((stamp.at.0 / 86_400_000) as i32);
            let campaign = Some(CampaignId(key));
            let (event, stock, upto) = (0, Some(5), ordinal);
            let event =
                ListEvent::Restocked { event, key, stock, day, campaign, upto, added: 1, details: None };
            Some(restockd_records::of_list(Stamp { seq: stamp.seq + 1, at: stamp.at }, &list, &event))
        }
        _ => None,
    });
    restocks.collect()
}

fn members(client: &Client) -> u64 {
    client.get("/v1/lists/restock-chair")["members"].as_u64().unwrap()
}

/// Presses, appends what a crash left, starts again and asks whether the person is on the list.
fn last_word(choices: &[bool]) -> bool {
    let place = Place::new("memory:").toml("[engine]\nsegment_mib = 1\n");
    let engine = place.start();
    engine.client.post("/v1/events", &press("ann@shop.example", "chair"));
    engine.kill();
    append(&place, |entries| choose(entries, choices));
    let engine = place.start();
    // Somebody else's press goes through the same actors behind what was open.
    engine.client.post("/v1/events", &press("bob@shop.example", "chair"));
    let here = members(&engine.client) == 2;
    // And it stays so.
    engine.kill();
    let engine = place.start();
    assert_eq!(members(&engine.client) == 2, here);
    let bag = json!({ "name": "order.completed", "email": "ann@shop.example", "lists": { "restock-chair": false } });
    engine.client.post("/v1/events", &bag);
    assert_eq!(members(&engine.client), 1);
    engine.kill();
    here
}

#[test]
fn after_a_crash_the_last_word_of_a_person_counts() {
    for choices in
        [&[][..], &[false], &[false, true], &[true, false], &[false, true, false], &[true, false, true]]
    {
        assert_eq!(last_word(choices), *choices.last().unwrap_or(&true), "{choices:?}");
    }
}

#[test]
fn after_a_crash_every_campaign_that_never_heard_of_its_restock_mails_who_waits() {
    // So many that the first lists answer while the last are still being told.
    let lists = 1500;
    let place = Place::new("memory:").toml("[engine]\nsegment_mib = 1\n");
    let engine = place.start();
    let events: Vec<_> = (0..lists).map(|n| press(&format!("p{n}@shop.example"), &format!("s{n}"))).collect();
    engine.client.post("/v1/events/batch", &json!({ "events": events }));
    engine.kill();
    append(&place, restock_all);
    let engine = place.start();
    let campaigns = until("every campaign is sent", || {
        let campaigns = engine.client.campaigns();
        campaigns.iter().all(|campaign| campaign["status"] == "sent").then_some(campaigns)
    });
    assert_eq!(campaigns.len(), lists);
    assert!(campaigns.iter().all(|campaign| count(campaign, "sent") == 1));
    engine.kill();
}
