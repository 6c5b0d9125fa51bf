//! P1 at every instant: the power is cut after each call to the disk of log and snapshots in turn, and what was
//! acknowledged by then is there, whole bags and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use restockd_core::{Email, ProductDetails, Sku};
use restockd_engine::Engine;
use restockd_engine::api::{CampaignsQuery, EventInput, RestockAnswer, RestockInput};
use restockd_mail::MemoryTransport;
use restockd_testkit::app::Plan;
use restockd_testkit::disk::SimDisk;

use crate::helpers::engine_on;

/// An engine on a disk that can lose power.
async fn engine(plan: &Plan, disk: &SimDisk, data: PathBuf) -> (Engine, Arc<MemoryTransport>) {
    disk.put_dir(&data);
    engine_on(plan, Arc::new(disk.clone()), data).await
}

/// An event of ann's with a bag over three lists.
fn event(join: bool, key: &str) -> EventInput {
    let mut event = EventInput { name: "w".to_owned(), key: Some(key.to_owned()), ..EventInput::default() };
    event.who.email = Email::parse("ann@shop.example");
    event.lists = ["a", "b", "c"].map(|sku| (format!("restock-{sku}"), join)).to_vec();
    event
}

fn signal() -> RestockInput {
    let (source, delivery) = ("inventory".to_owned(), "d1".to_owned());
    RestockInput {
        source,
        delivery,
        sku: Sku::parse("a").unwrap(),
        product: None,
        quantity: Some(5),
        details: ProductDetails::default(),
    }
}

/// What was acknowledged before the power went: joined, restocked, left.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Acked(bool, bool, bool);

/// Joins, a restock, leaves; each only after the one before, with a snapshot between, whether it succeeds or not.
async fn story(engine: &Engine) -> Acked {
    let mut acked = Acked(engine.ingest(event(true, "k1")).await.is_ok(), false, false);
    if acked.0 {
        let _ = engine.snapshot().await;
        acked.1 = matches!(engine.restock(signal()).await, Ok(RestockAnswer::Accepted { campaign: Some(_) }));
    }
    if acked.1 {
        let _ = engine.snapshot().await;
        acked.2 = engine.ingest(event(false, "k2")).await.is_ok();
    }
    acked
}

/// Members of the three lists.
async fn members(engine: &Engine) -> [u64; 3] {
    let mut members = [0; 3];
    for (sku, count) in ["a", "b", "c"].iter().zip(&mut members) {
        *count = engine.list(&format!("restock-{sku}")).await.unwrap().view.members;
    }
    members
}

/// Waits until no campaign has letters left to begin.
async fn done(engine: &Engine) -> Vec<restockd_engine::api::CampaignView> {
    loop {
        let query = CampaignsQuery { limit: 200, ..CampaignsQuery::default() };
        let (campaigns, _) = engine.campaigns(query).await.unwrap();
        if campaigns.iter().all(|campaign| campaign.status == "sent") {
            return campaigns;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_power_is_cut_what_was_acknowledged_is_there_and_bags_are_whole() {
    let mut whole = 0;
    for calls in 0..400 {
        let (plan, disk) = (Plan::new(), SimDisk::new(calls));
        let data = plan.data().join("engine");
        let (first, sent_before) = engine(&plan, &disk, data.clone()).await;
        disk.cut_power_after(calls);
        let acked = story(&first).await;
        first.kill();
        first.abandon().await;
        disk.crash();
        let kept = disk.contents().keys().filter(|path| path.ends_with("MANIFEST")).count();
        let (second, sent_after) = engine(&plan, &disk, data).await;
        // The directory has sent again what was open once it answers a question.
        second.find_contacts(event(true, "k1").who).await.unwrap();
        let held = members(&second).await;
        assert!(held == [1; 3] || held == [0; 3], "cut after {calls}: half a bag: {held:?}");
        if acked.0 && !acked.1 {
            assert_eq!(held, [1; 3], "cut after {calls}: {acked:?}");
        }
        if acked.2 {
            assert_eq!(kept, 2, "cut after {calls}: no two snapshots were made on the way");
            assert_eq!(held, [0; 3], "cut after {calls}: {acked:?}");
        }
        let campaigns = done(&second).await;
        assert!(campaigns.len() <= 1);
        if acked.1 {
            let campaign = campaigns.first().unwrap();
            assert_eq!(campaign.total, 1, "cut after {calls}: {campaign:?}");
            let again = second.restock(signal()).await.unwrap();
            assert!(matches!(again, RestockAnswer::Duplicate { .. }), "{again:?}");
        }
        let mails = sent_before.count() + sent_after.count();
        assert!(mails <= 1, "cut after {calls}: mailed twice");
        // The same requests again converge.
        second.ingest(event(true, "k1")).await.unwrap();
        second.restock(signal()).await.unwrap();
        let total: u64 = done(&second).await.iter().map(|campaign| campaign.total).sum();
        assert_eq!(total, 1, "cut after {calls}");
        assert!(sent_before.count() + sent_after.count() <= 1, "cut after {calls}: mailed twice");
        second.stop().await;
        whole += u32::from(acked.2);
        if whole > 3 {
            return;
        }
    }
    panic!("the story never came to its end");
}
