//! P6, P7, P11 against a mail server that does every bad thing in every phase, over real sockets.
//!
//! ```text
//! connection 1 … n   each meets one of the bad things with its first letter, and is gone before its second
//! whoever comes later                                   is taken
//! ```
//!
//! What each letter is to end as: sent, with every attempt before it certainly not taken; failed; or in doubt.

use std::collections::BTreeMap;
use std::time::Duration;

use restockd_testkit::app::{App, Plan};
use restockd_testkit::mail_server::{Act, Phase, Plan as Session, Server};

use crate::helpers::*;

use Act::{Close, Drip, Raw, Say, SayAndClose, TakeAndClose};
use Phase::{Banner, Body, Data, Dot, Ehlo, Mail, Rcpt};

const DRIP: Act = Drip(Duration::from_millis(1));

/// After these the letter is tried again, and is sent in the end.
const PUTS_OFF: [(Phase, Act); 24] = [
    (Banner, Close),
    (Banner, Say("554 5.7.1 go away")),
    (Banner, Say("421 4.3.2 not now")),
    (Banner, Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    (Banner, DRIP),
    (Ehlo, Say("502 5.5.1 what")),
    (Ehlo, Close),
    (Mail, Say("451 4.7.1 slow down")),
    (Mail, Say("550 5.7.1 sender refused")),
    (Mail, Say("421 4.7.0 too fast")),
    (Mail, Close),
    (Mail, Raw(b"25x hm\r\n")),
    (Mail, DRIP),
    (Rcpt, Say("450 4.2.1 mailbox busy")),
    (Rcpt, Say("421 4.3.0 going down")),
    (Rcpt, Close),
    (Rcpt, Say("99 what")),
    (Data, Say("451 4.3.0 no disk")),
    (Data, Close),
    (Body, Close),
    (Body, SayAndClose("421 4.4.2 too slow")),
    (Dot, Say("451 4.3.0 try again")),
    (Dot, Say("421 4.7.0 rate")),
    (Dot, DRIP),
];
/// After these the letter has failed.
const REFUSES: [(Phase, Act); 4] = [
    (Rcpt, Say("550 5.1.1 no such user")),
    (Data, Say("554 5.6.0 no")),
    (Body, SayAndClose("552 5.3.4 too large")),
    (Dot, Say("550 5.7.1 spam")),
];
/// After these nobody knows.
const LEAVES_OPEN: [(Phase, Act); 4] =
    [(Dot, Close), (Dot, TakeAndClose), (Dot, Say("354 more")), (Dot, Raw(b"ok\r\n"))];

/// Whoever was put off is tried again within the hour.
const MINUTES_MOST: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_and_its_neighbour_outlive_a_server_that_is_bad_in_every_phase() {
    let server = Server::start().await;
    let bad = PUTS_OFF.iter().chain(&REFUSES).chain(&LEAVES_OPEN);
    server.script(bad.map(|(phase, act)| {
        let first = if *phase == Mail { act.clone() } else { Act::Usual };
        let session = Session::default().at(Mail, first).at(Mail, Close);
        if *phase == Mail { session } else { session.at(*phase, act.clone()) }
    }));
    let plan = Plan::new().env("RESTOCKD_MAIL", &server.url()).env("RESTOCKD_MAIL_CONNECTIONS", "4");
    let app = plan.env("RESTOCKD_MAIL_RATE", "unlimited").start().await;
    let people = |sku: &'static str, most: usize| (0..most).map(move |n| format!("{sku}{n}@shop.example"));
    app.press_many(people("chair", 60), "chair").await;
    app.press_many(people("lamp", 5), "lamp").await;
    let chair = restocked(&app, "d1", "chair").await;
    let lamp = restocked(&app, "d2", "lamp").await;
    let (chair, lamp) = (to_the_end(&app, &chair).await, to_the_end(&app, &lamp).await);
    let both = |field: &str| n(&chair, field) + n(&lamp, field);
    assert_eq!(both("failedCount"), REFUSES.len() as u64, "{chair} {lamp}");
    assert_eq!(both("inDoubtCount"), LEAVES_OPEN.len() as u64, "{chair} {lamp}");
    assert_eq!(both("sentCount") + both("failedCount") + both("inDoubtCount"), 65, "{chair} {lamp}");
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for letter in server.letters() {
        *taken.entry(letter.to).or_default() += 1;
    }
    assert!(taken.values().all(|times| *times == 1), "somebody was mailed twice: {taken:?}");
    // One of those in doubt was taken: the server said nothing.
    let sent = both("sentCount") as usize;
    assert!((sent..=sent + LEAVES_OPEN.len()).contains(&taken.len()), "{} taken, {sent} sent", taken.len());
    assert!(server.connections() > PUTS_OFF.len() + REFUSES.len() + LEAVES_OPEN.len());
    app.stop().await;
}

/// Follows a campaign to its end; whenever all that is left has been put off, time goes on.
async fn to_the_end(app: &App, id: &str) -> serde_json::Value {
    for _ in 0..MINUTES_MOST {
        let connects = |campaign: &serde_json::Value| {
            let held = campaign["held"].as_array().cloned().unwrap_or_default();
            held.iter().any(|held| held["reason"] == "no_connection" && held["until"].is_null())
        };
        let rests = |campaign: &serde_json::Value| n(campaign, "startedCount") == 0 && !connects(campaign);
        let seen = app.campaign_until(id, |c| c["status"] == "sent" || rests(c)).await;
        if seen["status"] == "sent" {
            return seen;
        }
        app.advance(60_000);
    }
    panic!(
        "no end after ten hours: {} {}",
        app.get(&format!("/v1/campaigns/{id}")).await,
        app.get("/v1/providers").await
    );
}
