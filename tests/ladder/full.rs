//! P9 on a disk that is really full: a small ext4, filled to its last byte while the load runs.
//!
//! ```text
//! load ▶ fill ▶ 503 with Retry-After, not ready, letters settle ▶ room ▶ ready and answering, by itself
//!      ▶ fill ▶ 503 ▶ kill -9 ▶ start on the full disk ▶ room ▶ compare everything
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Engine, count, press, until};
use restockd_testkit::sink::Sink;

use crate::check::{Depth, Findings, account, all_members, compare};
use crate::image::{Image, fill};
use crate::load::Load;
use crate::siege::settings;

/// Enough for snapshots, which leave 96 MiB free.
const MIB: u64 = 200;

/// Waits until the engine takes no new work, and holds what it says then.
fn refuses(engine: &Engine) {
    until("the engine says that the disk is full", || {
        let (status, body) = engine.client.try_get("/v1/ready").expect("it must not end");
        (status == 503 && body["reason"] == "disk full").then_some(())
    });
    let (status, after) = engine.client.retry_after(&press("new@shop.example", "full")).unwrap();
    assert!(status == 503 && after.is_some_and(|seconds| seconds > 0), "{status}, Retry-After {after:?}");
    let snapshot = engine.client.try_post("/v1/admin/snapshot", &serde_json::json!({})).unwrap();
    assert_eq!(snapshot.0, 503, "{snapshot:?}");
    until("letters on the wire settle", || {
        engine.client.campaigns().iter().all(|campaign| count(campaign, "started") == 0).then_some(())
    });
}

fn story(backend: &str) {
    let image = Image::new(MIB, "ordered");
    let sink = Sink::start(Duration::from_millis(2));
    let place = settings(&sink, backend, "1s").data_in(image.path().join("data"));
    let ballast = image.path().join("ballast");
    let mut dice = Dice::new("a full disk");
    let mut engine = place.start();
    let load = Load::start(engine.client.clone(), "full", dice.below(u64::MAX));
    let world = Arc::clone(&load.world);
    load.go_on(300);

    fill(&ballast);
    refuses(&engine);
    std::fs::remove_file(&ballast).unwrap();
    let room = Instant::now();
    load.go_on(50);
    let back = room.elapsed();
    assert!(back < Duration::from_secs(10), "it took {back:?} to notice the room");
    until("it is ready", || engine.client.try_get("/v1/ready").filter(|(status, _)| *status == 200));

    fill(&ballast);
    refuses(&engine);
    engine.kill();
    let mut gate = world.gate.write().unwrap();
    let started = match place.spawn(&[]).listening() {
        Ok(started) => {
            // What it knows it says, also without space.
            let mut found = Findings::default();
            world.oracle.look(|facts| all_members(&started.client, facts, &mut found));
            found.none("on the full disk");
            started.kill();
            "started"
        }
        Err(ended) => {
            let says = ended.said.iter().any(|line| line.contains("room") || line.contains("space"));
            assert!(says && ended.status.code() == Some(78), "no sentence about the space: {ended:?}");
            "refused with a sentence"
        }
    };
    std::fs::remove_file(&ballast).unwrap();
    engine = place.start();
    let found = world.oracle.look(|facts| compare(&engine.client, facts, Depth::Full(300), &mut dice));
    let mut compared = found.none("after the disk was full");
    *gate = engine.client.clone();
    drop(gate);
    load.go_on(100);
    let world = load.end();
    until("all campaigns are sent", || {
        engine.client.campaigns().iter().all(|campaign| campaign["status"] == "sent").then_some(())
    });
    engine.kill();
    let engine = place.start();
    let facts = world.oracle.look(Clone::clone);
    compared += compare(&engine.client, &facts, Depth::Full(300), &mut dice).none("at the end");
    let (dots, accepted) = sink.look(|seen| (seen.dots.clone(), seen.accepted.clone()));
    let account = account(&engine.client, &facts, &dots, &accepted);
    compared += account.findings.none("letters at the end");
    println!(
        "a full disk, {backend}: filled twice, back {back:.1?} after room was made, a start on it {started}; {} \
         acknowledgements, {} letters, {compared} comparisons: 0 lost, 0 twice, {} in doubt",
        world.oracle.acknowledged(),
        account.accepted,
        account.doubt
    );
    engine.kill();
}

#[test]
fn a_full_disk_stops_admission_and_loses_nothing_with_sled() {
    story("sled");
}

#[test]
fn a_full_disk_stops_admission_and_loses_nothing_with_flat() {
    story("flat");
}
