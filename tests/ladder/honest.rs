//! The oracle itself: told that something was acknowledged that never was, it finds that.

use std::time::Duration;

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Answer, Client, until};
use restockd_testkit::sink::Sink;
use serde_json::json;

use crate::check::{Depth, Findings, account, compare, once};
use crate::deeds::{self, Heard, Wire, list_of};
use crate::oracle::{Campaign, Facts, Oracle, Restock};
use crate::siege::settings;

/// What is claimed, and how it is put into the facts.
type Lie = (&'static str, fn(&mut Facts));

/// An engine that answers everything at once.
struct Direct(Client, Oracle);

impl Wire for Direct {
    fn ask(&self, ask: &dyn Fn(&Client) -> Answer) -> Option<Heard> {
        ask(&self.0).map(|(status, body)| Heard { status, body, repeated: 0 })
    }

    fn oracle(&self) -> &Oracle {
        &self.1
    }
}

#[test]
fn an_oracle_that_is_told_a_lie_finds_it() {
    let sink = Sink::start(Duration::ZERO);
    let place = settings(&sink, "flat", "1h");
    let engine = place.start();
    let wire = Direct(engine.client.clone(), Oracle::new("honest"));
    let lists = ["a", "b"].map(list_of);
    for name in ["ann", "bob", "cid"] {
        let event = deeds::press(&wire, &format!("{name}@shop.example"), &lists, true, name).unwrap();
        // A key that is sent again applies its bag: not of somebody who leaves.
        if name != "cid" {
            wire.1.keyed(event);
        }
    }
    deeds::unsubscribe(&wire, "cid@shop.example", "restock-b");
    deeds::restock(&wire, "a", "d1");
    deeds::campaign(&wire, "restock-b", "hello");
    until("all is sent", || {
        engine.client.campaigns().iter().all(|campaign| campaign["status"] == "sent").then_some(())
    });
    let truth = wire.1.look(Clone::clone);
    let (dots, accepted) = sink.look(|seen| (seen.dots.clone(), seen.accepted.clone()));
    let mut dice = Dice::new("lies");
    let mut ask = |facts: &Facts| compare(&engine.client, facts, Depth::Full(100), &mut dice);
    assert!(ask(&truth).none("the truth") > 12);
    let fair = account(&engine.client, &truth, &dots, &accepted);
    assert_eq!((fair.accepted, fair.doubt), (5, 0), "{:?}", fair.findings);
    fair.findings.none("the truth about letters");

    let key = |name: &str| ("restock-b".to_owned(), format!("{name}@shop.example"));
    let lies: [Lie; 7] = [
        ("somebody is a member", |facts| {
            let here = facts.members.values().next().copied().unwrap();
            facts.members.insert(("restock-a".to_owned(), "dan@shop.example".to_owned()), here);
        }),
        ("somebody never asked", |facts| drop(facts.members.pop_first())),
        ("somebody has left", |facts| facts.members.first_entry().unwrap().get_mut().here = Some(false)),
        ("the order was another", |facts| {
            let mut members: Vec<_> = facts.members.values_mut().take(2).collect();
            let [first, second] = &mut members[..] else { unreachable!() };
            std::mem::swap(*first, *second);
        }),
        ("a restock", |facts| {
            facts.restocks.push(Restock { sku: "a".to_owned(), delivery: "d2".to_owned(), asked: 0 });
        }),
        ("a campaign", |facts| {
            let body = json!({ "list": "restock-b", "template": "announcement", "subject": "x", "idempotencyKey": "x" });
            facts.campaigns.push(Campaign { body, id: "none".to_owned(), asked: 0 });
        }),
        ("an erasure", |facts| facts.erased.push("ann@shop.example".to_owned())),
    ];
    for (what, lie) in lies {
        let mut facts = truth.clone();
        lie(&mut facts);
        assert!(!ask(&facts).wrong.is_empty(), "believed that {what}");
    }
    let mut facts = truth.clone();
    facts.keyed.push(json!({ "name": "press", "email": "ann@shop.example", "idempotencyKey": "never" }));
    assert!(!ask(&facts).wrong.is_empty(), "believed in an event");
    let mut facts = truth.clone();
    facts.recent.push_back(key("cid"));
    facts.members.get_mut(&key("cid")).unwrap().here = Some(true);
    assert!(!compare(&engine.client, &facts, Depth::Sample, &mut Dice::new("a sample")).wrong.is_empty());

    let mut found = Findings::default();
    once(&[accepted.clone(), accepted[..1].to_vec()].concat(), &mut found);
    assert!(!found.wrong.is_empty(), "believed that nobody was mailed twice");
    let lost = account(&engine.client, &truth, &dots, &accepted[1..]);
    assert!(!lost.findings.wrong.is_empty(), "believed that nobody was lost");
    engine.kill();
}
