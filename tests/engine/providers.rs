//! Receiving providers: one that is slow slows nobody else, order holds within each, limits outlive restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use restockd_mail::ScriptedReply as Reply;
use restockd_mail::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};
use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

/// A provider asks for less.
fn slower() -> DeliveryOutcome {
    said(DeliveryResult::Throttled, 421, "4.7.28 unusual rate of mail to <someone@gmail.com>")
}

/// One provider of the answer.
pub async fn provider(app: &App, name: &str) -> Value {
    let all = app.get("/v1/providers").await;
    let found = all["providers"].as_array().unwrap().iter().find(|row| row["provider"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {all}"))
}

/// Addresses that were mailed and end so, in the order of arrival.
fn mailed_at(app: &App, domain: &str) -> Vec<String> {
    let mails = app.outbox().mails().into_iter().map(|mail| mail.letter.to);
    mails.filter(|to| to.ends_with(domain)).collect()
}

/// Waits until so many letters to a domain have arrived.
async fn arrived(app: &App, domain: &str, count: usize) {
    let looked = async {
        while mailed_at(app, domain).len() < count {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), looked).await;
    assert!(waited.is_ok(), "{} of {count} letters to {domain}", mailed_at(app, domain).len());
}

/// From now on letters to a domain get this answer while the switch is on.
pub fn answer_while(app: &App, domain: &'static str, outcome: DeliveryOutcome) -> Arc<AtomicBool> {
    let on = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&on);
    app.outbox().answer_with(move |letter| {
        let theirs = letter.to.ends_with(domain) && switch.load(Ordering::SeqCst);
        if theirs { Reply::Give(outcome.clone()) } else { Reply::Accept }
    });
    on
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_throttles_for_a_minute_slows_nobody_else_and_keeps_its_order() {
    let toml = "[mail]\nwindow = 16\n[provider.default]\nconnections = 1\n\
                [provider.microsoft]\nrate = \"10/s\"\nburst = 10\n";
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "2").toml(toml).start().await;
    let google: Vec<String> = (0..150).map(|i| format!("g{i}@gmail.com")).collect();
    let microsoft: Vec<String> = (0..700).map(|i| format!("m{i}@outlook.com")).collect();
    // Most of those who press first are with the provider that will throttle.
    let rest = google[100..].iter().zip(&microsoft[600..650]).flat_map(|(g, m)| [g.clone(), m.clone()]);
    let waiters = google[..100].iter().chain(&microsoft[..600]).cloned().chain(rest);
    let waiters: Vec<String> = waiters.chain(microsoft[650..].iter().cloned()).collect();
    app.press_many(waiters, "chair").await;
    let on = answer_while(&app, "@gmail.com", slower());
    let id = restocked(&app, "d1", "chair").await;
    // Ten letters at once, and ten a second from then on, in every single second.
    arrived(&app, "@outlook.com", 10).await;
    for second in 1..=60 {
        app.advance(1000);
        arrived(&app, "@outlook.com", 10 * (second + 1)).await;
    }
    assert_eq!(mailed_at(&app, "@gmail.com"), Vec::<String>::new());
    let slow = provider(&app, "google").await;
    assert_eq!(slow["throttled"], true, "{slow}");
    assert!(slow["setAside"].as_u64().unwrap() >= 100, "{slow}");
    assert_eq!(slow["lastThrottle"]["reply"], "421 4.7.28 unusual rate of mail to <address>");
    assert_eq!(provider(&app, "microsoft").await["throttled"], false);
    let tried = slow["sentToday"].as_u64().unwrap();
    assert!(tried < 10, "{tried} attempts in a minute of throttles");

    on.store(false, Ordering::SeqCst);
    let mut seconds = 0;
    while mailed_at(&app, "@gmail.com").len() < 150 {
        app.advance(1000);
        wait_until_settled(&app).await;
        seconds += 1;
        assert!(seconds < 1200, "the provider did not recover: {}", provider(&app, "google").await);
    }
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "failedCount")), (850, 0), "{done}");
    assert_eq!(mailed_at(&app, "@gmail.com"), google, "the order within the provider");
    assert_eq!(mailed_at(&app, "@outlook.com"), microsoft, "the order within the other");
    let per_minute = |row: &Value| {
        let rate = row["rate"].as_str().and_then(|rate| rate.strip_suffix("/m")?.parse::<u32>().ok());
        rate.unwrap_or(u32::MAX)
    };
    let fast = provider(&app, "google").await;
    assert!(per_minute(&fast) > per_minute(&slow), "it did not grow back: {slow} {fast}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_takes_no_more_couriers_than_it_has_connections_and_the_window_goes_on() {
    let toml =
        "[mail]\nwindow = 8\n[provider.google]\nconnections = 2\n[provider.microsoft]\nconnections = 2\n";
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "4").toml(toml).start().await;
    let first = (0..50).map(|i| format!("g{i}@gmail.com"));
    app.press_many(first.chain((0..50).map(|i| format!("m{i}@outlook.com"))), "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(4).await;
    assert_eq!(provider(&app, "google").await["inFlight"], 2);
    assert_eq!(provider(&app, "microsoft").await["inFlight"], 2);
    app.outbox().release();
    let done = app.campaign_sent(&id).await;
    assert_eq!(n(&done, "sentCount"), 100);
    assert_eq!(provider(&app, "google").await["setAside"], 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_that_wait_for_one_provider_take_turns_and_none_is_forgotten() {
    let toml = "[provider.google]\nrate = \"60/m\"\nburst = 1\n";
    let app = one_by_one().toml(toml).start().await;
    let mut ids = Vec::new();
    for sku in 0..5 {
        app.press_many((0..3).map(|i| format!("g{sku}x{i}@gmail.com")), &format!("s{sku}")).await;
    }
    for sku in 0..5 {
        ids.push(restocked(&app, &format!("d{sku}"), &format!("s{sku}")).await);
    }
    arrived(&app, "@gmail.com", 1).await;
    for count in 2..=15 {
        wait_until_settled(&app).await;
        assert_eq!(app.outbox().count(), count - 1, "more than one letter a second");
        app.advance(1000);
        arrived(&app, "@gmail.com", count).await;
    }
    for id in ids {
        app.campaign_sent(&id).await;
    }
    let first: std::collections::BTreeSet<String> =
        mailed(&app)[..7].iter().map(|name| name[..2].to_owned()).collect();
    assert_eq!(first.len(), 5, "each campaign has had a turn: {:?}", mailed(&app));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_cut_leaves_most_couriers_to_the_others() {
    let toml = "[provider.microsoft]\nconnections = 3\n";
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "4").toml(toml).start().await;
    app.press_many((0..40).map(|i| format!("g{i}@gmail.com")), "chair").await;
    let on = answer_while(&app, "@gmail.com", slower());
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") > 0 && n(c, "startedCount") == 0).await;
    on.store(false, Ordering::SeqCst);
    let cut = provider(&app, "google").await;
    assert_eq!((&cut["throttled"], &cut["connections"]), (&json!(true), &json!(1)), "{cut}");
    app.outbox().hold();
    app.advance(60_000);
    app.held(1).await;
    wait_until_settled(&app).await;
    assert_eq!(provider(&app, "google").await["inFlight"], 1);
    app.press_many((0..3).map(|i| format!("m{i}@outlook.com")), "lamp").await;
    restocked(&app, "d2", "lamp").await;
    app.held(4).await;
    app.outbox().release();
    verb(&app, &id, "cancel").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_grants_a_provider_no_second_burst() {
    let toml = "[provider.google]\nrate = \"60/m\"\nburst = 3\n";
    let app = Plan::new().toml(toml).start().await;
    let names = (0..10).map(|i| format!("g{i}@gmail.com")).chain(["free@web.de".to_owned()]);
    app.press_many(names, "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 4).await;
    wait_until_settled(&app).await;
    assert_eq!((mailed_at(&app, "@gmail.com").len(), mailed_at(&app, "@web.de").len()), (3, 1));
    app_snapshot(&app).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 0, "a restart granted a burst");
    app.advance(1000);
    arrived(&app, "@gmail.com", 1).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 0, "a restart from the log alone granted a burst");
    app.advance(60_000);
    app.campaign_until(&id, |c| n(c, "sentCount") + n(c, "inDoubtCount") == 8).await;
    app.advance(60_000);
    app.campaign_sent(&id).await;
    app.stop().await;
}

/// A checkpoint round.
async fn app_snapshot(app: &App) {
    app.post("/v1/admin/snapshot", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_grants_no_second_ceiling_of_the_day_and_warm_up_goes_on_where_it_was() {
    let toml = "[provider.shop]\ndomains = [\"shop.example\"]\nwarm_up = [2, 3]\nper_day = 4\n";
    let app = Plan::new().toml(toml).start().await;
    app.press_many((0..12).map(|i| at(&format!("p{i}"))).chain(["free@web.de".to_owned()]), "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 3).await;
    wait_until_settled(&app).await;
    let row = provider(&app, "shop").await;
    assert_eq!((&row["sentToday"], &row["perDay"], &row["setAside"]), (&json!(2), &json!(2), &json!(10)));
    assert_eq!(row["opensAt"], "2026-03-03T00:00:00.000Z");
    let plan = app.crash().await;
    let mut app = plan.start().await;
    for (day, sent) in [(1, 6), (2, 10), (3, 13)] {
        wait_until_settled(&app).await;
        assert_eq!(app.outbox().count(), 0, "a restart granted a second ceiling before day {day}");
        app.advance(86_400_000);
        app.campaign_until(&id, |c| n(c, "sentCount") == sent).await;
        wait_until_settled(&app).await;
        assert_eq!(n(&app.get(&format!("/v1/campaigns/{id}")).await, "sentCount"), sent);
        if day == 2 {
            app_snapshot(&app).await;
        }
        let plan = app.crash().await;
        app = plan.start().await;
    }
    app.campaign_sent(&id).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_outlives_a_restart_and_whoever_was_sent_back_is_sent_first() {
    let app = one_by_one().start().await;
    let names: Vec<String> = (0..5).map(|i| format!("g{i}@gmail.com")).collect();
    app.press_many(names.clone(), "chair").await;
    app.outbox().push(Reply::Give(slower()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1).await;
    let before = provider(&app, "google").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    let after = provider(&app, "google").await;
    for field in ["rate", "throttled", "opensAt", "lastThrottle"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(app.outbox().count(), 0, "a restart forgot the cut");
    for _ in 0..60 {
        app.advance(5000);
        wait_until_settled(&app).await;
    }
    app.campaign_sent(&id).await;
    assert_eq!(mailed_at(&app, "@gmail.com"), names);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_meets_a_throttle_each_time_does_not_hold_up_its_provider() {
    let app = one_by_one().start().await;
    app.press_many((0..4).map(|i| format!("g{i}@gmail.com")), "chair").await;
    answer_while(&app, "g0@gmail.com", slower());
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1).await;
    for _ in 0..120 {
        app.advance(5000);
        wait_until_settled(&app).await;
    }
    let now = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!((n(&now, "sentCount"), n(&now, "deferredCount")), (3, 1), "{now}");
    app.advance(86_400_000);
    let done = app.campaign_sent(&id).await;
    assert_eq!(skipped(&done, "expired"), 1, "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_for_less_slows_all_providers() {
    let app = one_by_one().start().await;
    app.press_many(["a@gmail.com", "b@web.de", "c@shop.example"].map(str::to_owned), "chair").await;
    let busy = Diagnostic::of_server(421, "4.3.2 too many connections").at(FaultSource::Shop);
    app.outbox().push(Reply::Give(DeliveryOutcome::new(
        DeliveryResult::Throttled,
        SmtpPhase::Connection,
        busy,
    )));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1).await;
    wait_until_settled(&app).await;
    assert_eq!((app.outbox().count(), provider(&app, "relay").await["throttled"].clone()), (0, json!(true)));
    let google = app.get("/v1/providers").await;
    let google =
        google["providers"].as_array().unwrap().iter().find(|row| row["provider"] == "google").cloned();
    assert!(google.is_some_and(|row| row["throttled"] == false));
    for _ in 0..60 {
        app.advance(5000);
        wait_until_settled(&app).await;
    }
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["a", "b", "c"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_or_unsubscribes_while_set_aside_is_not_mailed() {
    let toml = "[provider.shop]\ndomains = [\"shop.example\"]\nper_day = 1\n";
    let app = one_by_one().toml(toml).start().await;
    press_all(&app, &["ann", "bob", "cid", "dan", "eve"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 1).await;
    wait_until_settled(&app).await;
    assert_eq!(provider(&app, "shop").await["setAside"], 4);
    leave(&app, "bob", "chair").await;
    stop_all(&app, "cid").await;
    erase(&app, "dan").await;
    app.advance(86_400_000);
    let done = app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["ann", "eve"]);
    let reasons = ["left", "unsubscribed", "erased"].map(|reason| skipped(&done, reason));
    assert_eq!((n(&done, "sentCount"), reasons), (2, [1, 1, 1]), "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_with_letters_set_aside_goes_on_when_it_is_resumed_and_ends_when_canceled() {
    let toml = "[provider.shop]\ndomains = [\"shop.example\"]\nper_day = 1\n";
    let app = one_by_one().toml(toml).start().await;
    press_all(&app, &["ann", "bob", "cid"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 1).await;
    wait_until_settled(&app).await;
    verb(&app, &id, "pause").await;
    app.advance(86_400_000);
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 1);
    verb(&app, &id, "resume").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 2).await;
    let canceled = verb(&app, &id, "cancel").await;
    assert_eq!(skipped(&canceled, "canceled"), 1);
    wait_until_settled(&app).await;
    assert_eq!(provider(&app, "shop").await["setAside"], 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_set_a_provider_that_never_answers_holds_nobody_else_up() {
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "4").start().await;
    let slow = (0..20).map(|i| format!("s{i}@slow.example"));
    app.press_many(slow.chain((0..3).map(|i| format!("o{i}@own{i}.example"))), "chair").await;
    app.press_many((0..3).map(|i| format!("l{i}@own.example")), "lamp").await;
    app.outbox().hold_those(|letter| letter.to.ends_with("@slow.example"));
    restocked(&app, "d1", "chair").await;
    let lamp = restocked(&app, "d2", "lamp").await;
    app.campaign_sent(&lamp).await;
    // Within a quarter of a second it is found to be slow.
    wait_until_settled(&app).await;
    app.advance(250);
    arrived(&app, ".example", 6).await;
    assert_eq!(provider(&app, "slow.example").await["inFlight"], 3, "one of the four is left to the others");
    app.outbox().release();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_counts_what_receivers_saw_and_is_said_on_the_campaign_and_at_the_providers() {
    let app = Plan::new().toml("[provider.default]\nper_day = 2\n").start().await;
    let refused = DeliveryOutcome::new(
        DeliveryResult::Deferred,
        SmtpPhase::Connection,
        Diagnostic::own("refused", FaultSource::Shop),
    );
    app.outbox().disconnect(refused);
    press_all(&app, &["ann", "bob", "cid"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    for _ in 0..6 {
        app.advance(60_000);
        wait_until_settled(&app).await;
    }
    let waits = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!((n(&waits, "pendingCount"), n(&waits, "startedCount")), (3, 0), "{waits}");
    assert_eq!(waits["held"][0]["reason"], "no_connection", "{waits}");
    assert!(provider(&app, "relay").await["lastThrottle"]["reply"].as_str().unwrap().contains("refused"));
    app.outbox().reconnect();
    app.advance(60_000);
    let full = app.campaign_until(&id, |c| n(c, "sentCount") == 2).await;
    assert_eq!(n(&full, "pendingCount"), 1);
    wait_until_settled(&app).await;
    let full = app.get(&format!("/v1/campaigns/{id}")).await;
    let held = &full["held"][0];
    let midnight = json!("2026-03-03T00:00:00.000Z");
    assert_eq!(
        (&held["reason"], &held["provider"]),
        (&json!("daily_ceiling"), &json!("shop.example")),
        "{full}"
    );
    assert_eq!((&held["count"], &held["until"]), (&json!(1), &midnight));
    let row = provider(&app, "shop.example").await;
    assert_eq!(
        (&row["ceilingReached"], &row["sentToday"], &row["opensAt"]),
        (&json!(true), &json!(2), &midnight)
    );
    app.advance(86_400_000);
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "bob", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_relay_accepts_and_does_not_greet_nothing_starts_and_who_leaves_is_not_mailed() {
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "2").start().await;
    app.outbox().stop_greeting();
    press_all(&app, &["ann", "bob", "cid"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.outbox().wait_ready(1).await;
    wait_until_settled(&app).await;
    let waits = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!((n(&waits, "pendingCount"), n(&waits, "startedCount")), (3, 0), "{waits}");
    leave(&app, "bob", "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "cid"]);
    assert_eq!((n(&done, "inDoubtCount"), skipped(&done, "left")), (0, 1), "{done}");
    app.stop().await;
}
