//! What a crash left open is taken up in the order in which it was said.
//!
//! The log is written by hand as a crash can leave it: the directory's records are there, those of
//! the list are not yet.

use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd::boot;
use restockd::disk::{Disk, RealDisk};
use restockd::domain::directory::DirectoryEvent;
use restockd::domain::record::{self, Entry, Stamp};
use restockd::wal::{self, Log, Options, Record};
use serde_json::json;

use crate::process::{Client, Place, press};

/// Appends copies of the directory's last event, with nothing but the choices changed.
fn append_choices(place: &Place, choices: &[bool]) {
    let data = place.dir().join("data");
    let _lock = boot::lock(&data).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = Options {
        segment_bytes: 1 << 20,
        ..Options::new(data.join("wal"), boot::secrets(&data).unwrap().engine)
    };
    let mut newest = None;
    let recovered = wal::recover(&disk, &options, 1, 0, &mut |_, record| {
        if let Ok(Entry::Directory(stamp, DirectoryEvent::Event(event))) =
            record::read(record.kind, record.version, record.bytes)
        {
            newest = Some((stamp, event));
        }
        Ok(())
    })
    .unwrap();
    let (mut stamp, mut event) = newest.unwrap();
    let log = Log::start(disk, options, &recovered, Box::new(|why| panic!("{why}"))).unwrap();
    for choice in choices {
        stamp = Stamp { seq: stamp.seq + 1, at: stamp.at };
        event.key = None;
        event.bag.iter_mut().for_each(|(_, join)| *join = *choice);
        let (kind, bytes) = record::of_directory(stamp, &DirectoryEvent::Event(event.clone()));
        log.append_quiet(Record { kind, version: record::VERSION, bytes });
    }
    let (durable, heard) = channel();
    log.barrier(Box::new(move |result| durable.send(result.is_ok()).unwrap()));
    assert!(heard.recv().unwrap());
    log.close();
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
    append_choices(&place, choices);
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
