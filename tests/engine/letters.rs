//! P5, P6, P7, P11: the order of letters, doubt, deferral, failure, neighbours and the pace.

use std::collections::BTreeSet;

use restockd_mail::ScriptedReply as Reply;
use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

#[tokio::test(flavor = "multi_thread")]
async fn letters_begin_in_the_order_of_joining_over_many_windows() {
    let app = one_by_one().toml("[mail]\nwindow = 7\n").start().await;
    let names: Vec<String> = (0..60).map(|i| format!("p{i}")).collect();
    app.press_many(names.iter().map(|name| at(name)), "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), names);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_joining_holds_across_a_crash_in_the_middle() {
    let app = one_by_one().toml("[mail]\nwindow = 8\n").start().await;
    let names: Vec<String> = (0..40).map(|i| format!("p{i}")).collect();
    app.press_many(names.iter().map(|name| at(name)), "chair").await;
    verb(&app, &restocked(&app, "d1", "chair").await, "pause").await;
    let id = newest(&app).await;
    for _ in 0..20 {
        app.outbox().push(Reply::Accept);
    }
    app.outbox().hold();
    verb(&app, &id, "resume").await;
    app.held(1).await;
    let before = mailed(&app);
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(n(&done, "inDoubtCount"), 1, "one crash adds at most what was on the wire: {done}");
    let all: Vec<String> = before.iter().cloned().chain(mailed(&app)).collect();
    let without: Vec<String> = names.iter().filter(|name| all.contains(name)).cloned().collect();
    assert_eq!(all, without);
    assert_eq!(all.len(), 39);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_with_letters_on_the_wire_holds_them_in_doubt_and_sends_the_rest() {
    let three = "[provider.default]\nconnections = 3\n";
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "3").toml(three).start().await;
    app.press_many((0..20).map(|i| format!("p{i}@shop.example")), "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(3).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "inDoubtCount"), n(&done, "sentCount")), (3, 17), "{done}");
    verb(&app, &id, "in-doubt/resend").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "inDoubtCount"), n(&done, "sentCount")), (0, 20));
    let to: BTreeSet<String> = mailed(&app).into_iter().collect();
    assert_eq!((to.len(), app.outbox().count()), (20, 20));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_in_doubt_can_be_dropped_count_as_failed_and_are_not_retried_with_those_refused() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    answer_for(&app, "ann", Reply::Keep(detached()));
    let id = restocked(&app, "d1", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(n(&done, "inDoubtCount"), 1);
    let dropped = verb(&app, &id, "in-doubt/drop").await;
    assert_eq!((n(&dropped, "inDoubtCount"), n(&dropped, "failedCount")), (0, 1));
    // A later restock of the day leaves what was sent, failed or in doubt as it is.
    app.press(&at("cid"), "chair").await;
    restocked(&app, "d2", "chair").await;
    app.campaign_until(&id, |c| c["status"] == "sent" && n(c, "sentCount") == 2).await;
    assert_eq!(mailed_sorted(&app), ["ann", "bob", "cid"]);
    // It may have arrived: giving it up is not asking for it again together with what was refused.
    verb(&app, &id, "retry-failed").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "failedCount"), n(&done, "sentCount")), (1, 2), "{done}");
    assert_eq!(mailed_sorted(&app), ["ann", "bob", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_policy_resend_letters_on_the_wire_go_again_with_the_same_message_id() {
    let app = one_by_one().toml("[rule]\non_doubt = \"resend\"\n").start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().push(Reply::Keep(detached()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1 && n(c, "sentCount") == 1).await;
    let first = app.outbox().mails()[0].letter.message_id.clone();
    app.outbox().hold();
    app.advance(120_000);
    app.held(1).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    app.advance(300_000);
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "inDoubtCount")), (2, 0), "{done}");
    assert_eq!(mailed(&app), ["ann"]);
    assert_eq!(app.outbox().mails()[0].letter.message_id, first);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deferred_letters_come_back_with_growing_waits_and_expire_at_the_maximum_age() {
    let app = Plan::new().toml("[mail]\nretry_base = \"60s\"\nmax_age = \"10m\"\n").start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    answer_for(&app, "ann", Reply::Give(later()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1 && n(c, "sentCount") == 1).await;
    assert_eq!(app.get(&format!("/v1/campaigns/{id}")).await["status"], "sending");
    // Waits of 60, 120 and 240 s (and up to an eighth more); the next would end beyond 10 minutes.
    app.advance(59_000);
    wait_until_settled(&app).await;
    assert_eq!(n(&app.get(&format!("/v1/campaigns/{id}")).await, "deferredCount"), 1);
    for ms in [9_000, 136_000, 271_000] {
        app.advance(ms);
        wait_until_settled(&app).await;
    }
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "expired")), (1, 1), "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_letter_is_sent_after_a_restart_and_keeps_its_age() {
    let app = Plan::new().toml("[mail]\nmax_age = \"10m\"\n").start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().answer_with(|_| Reply::Give(later()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 2).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    answer_for(&app, "ann", Reply::Give(later()));
    app.advance(120_000);
    app.campaign_until(&id, |c| n(c, "sentCount") == 1 && n(c, "deferredCount") == 1).await;
    app.advance(9 * 60_000);
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "expired")), (1, 1), "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_letter_is_failed_with_its_neighbours_sent_and_can_be_retried() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bad", "cid"], "chair").await;
    answer_for(&app, "bad", Reply::Refuse(never()));
    let id = restocked(&app, "d1", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "failedCount")), (2, 1));
    // The wait of somebody whose letter failed is not over: they are on the list still.
    assert!(subscribed(&app, "bad", "restock-chair").await);
    accept_all(&app);
    verb(&app, &id, "retry-failed").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "failedCount")), (3, 0));
    assert_eq!(mailed_sorted(&app), ["ann", "bad", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_letters_can_be_retried_after_a_restart_and_nobody_else_is_mailed_again() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bad"], "chair").await;
    answer_for(&app, "bad", Reply::Give(never()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    app.press(&at("late"), "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    verb(&app, &id, "retry-failed").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "totalRecipients"), n(&done, "sentCount") + n(&done, "inDoubtCount")), (2, 2));
    assert!(!mailed(&app).contains(&"late".to_owned()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_server_that_panics_for_one_recipient_spares_the_others() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bad", "cid"], "chair").await;
    app.outbox().answer_with(|letter| match letter.to.starts_with("bad") {
        true => panic!("on purpose"),
        false => Reply::Accept,
    });
    let id = restocked(&app, "d1", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "inDoubtCount")), (2, 1), "{done}");
    app.stop().await;
}

/// Templates of the shop's own: one that fails for everybody, one that fails for some.
fn with_templates(mut plan: Plan) -> Plan {
    for (key, body) in [
        ("broken", "{{ 1 / 0 }}"),
        ("picky", "{% if contact.poison %}{{ 1 / 0 }}{% endif %}hello {{ unsubscribe_url }}"),
    ] {
        let dir = plan.dir().join("templates/mail").join(key);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("subject.txt"), "Hello").unwrap();
        std::fs::write(dir.join("body.txt"), body).unwrap();
        std::fs::write(dir.join("body.html"), body).unwrap();
    }
    let line = format!("templates = {:?}\n", plan.dir().join("templates"));
    plan.toml = format!("{line}{}", plan.toml);
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_made_for_one_person_fails_alone() {
    let app = with_templates(Plan::new()).start().await;
    press_all(&app, &["ann", "bad", "cid"], "chair").await;
    let poison = json!({ "email": at("bad"), "properties": { "poison": true } });
    assert_eq!(app.ask("PUT", "/v1/contacts", Some(poison)).await.0, 200);
    let made = manual(&app, json!({ "list": "restock-chair", "template": "picky" })).await;
    let done = app.campaign_sent(made["campaignId"].as_str().unwrap()).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "failedCount")), (2, 1));
    assert_eq!(mailed_sorted(&app), ["ann", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_whose_template_does_not_render_is_failed_and_others_go_on() {
    let app = with_templates(Plan::new()).start().await;
    press_all(&app, &["ann"], "chair").await;
    press_all(&app, &["bob"], "lamp").await;
    let made = manual(&app, json!({ "list": "restock-chair", "template": "broken" })).await;
    let id = made["campaignId"].as_str().unwrap();
    let good = restocked(&app, "d1", "lamp").await;
    app.campaign_sent(&good).await;
    let failed = app.campaign_until(id, |c| c["status"] == "failed").await;
    assert_eq!(n(&failed, "sentCount"), 0, "{failed}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_whose_template_is_gone_after_a_restart_is_failed() {
    let plan = with_templates(Plan::new());
    let app = plan.start().await;
    press_all(&app, &["ann"], "chair").await;
    let later = (app.engine().now().plus(60_000)).to_string();
    let body = json!({ "list": "restock-chair", "template": "picky", "sendAt": later });
    let made = manual(&app, body).await;
    let plan = app.stop().await;
    std::fs::remove_dir_all(plan.dir().join("templates/mail/picky")).unwrap();
    plan.clock.advance(61_000);
    let app = plan.start().await;
    let id = made["campaignId"].as_str().unwrap();
    app.campaign_until(id, |c| c["status"] == "failed").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    app.campaign_until(id, |c| c["status"] == "failed").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_with_twenty_thousand_waiters_does_not_delay_one_with_three() {
    let two = "[provider.default]\nconnections = 2\n";
    let app = Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "2").toml(two).start().await;
    app.press_many((0..20_000).map(|i| format!("h{i}@shop.example")), "hype").await;
    press_all(&app, &["ann", "bob", "cid"], "chair").await;
    app.outbox().hold();
    let hype = restocked(&app, "d1", "hype").await;
    app.held(2).await;
    let small = restocked(&app, "d2", "chair").await;
    wait_until_settled(&app).await;
    app.outbox().release();
    let done = app.campaign_sent(&small).await;
    assert_eq!(n(&done, "sentCount"), 3);
    let names = mailed(&app);
    let last = names.iter().rposition(|name| !name.starts_with('h')).unwrap();
    assert!(last < 40, "the last of the three came after {last} letters");
    verb(&app, &hype, "cancel").await;
    let canceled = app.campaign_until(&hype, |c| n(c, "startedCount") == 0).await;
    assert_eq!(n(&canceled, "totalRecipients"), 20_000);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_holds_on_the_clock_and_a_restart_grants_no_second_burst() {
    let plan = Plan::new().env("RESTOCKD_MAIL_RATE", "60/m");
    let app = plan.start().await;
    app.press_many((0..10).map(|i| format!("p{i}@shop.example")), "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 1).await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 1);
    for sent in 2..=4 {
        app.advance(1000);
        app.campaign_until(&id, |c| n(c, "sentCount") == sent).await;
        wait_until_settled(&app).await;
        assert_eq!(app.outbox().count() as u64, sent);
    }
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 0, "a restart granted a burst");
    app.advance(1000);
    app.campaign_until(&id, |c| n(c, "sentCount") == 5).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 0, "a snapshot forgot the pace");
    for sent in 6..=10 {
        app.advance(1000);
        app.campaign_until(&id, |c| n(c, "sentCount") == sent).await;
    }
    app.campaign_sent(&id).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_with_a_pace_of_its_own_does_not_hold_up_another() {
    let app = Plan::new().toml("[rule]\nrate = \"60/m\"\n").start().await;
    app.press_many((0..5).map(|i| format!("p{i}@shop.example")), "chair").await;
    press_all(&app, &["ann", "bob"], "lamp").await;
    let slow = restocked(&app, "d1", "chair").await;
    app.campaign_until(&slow, |c| n(c, "sentCount") == 1).await;
    let body = json!({ "list": "restock-lamp", "template": "ecommerce/back-in-stock" });
    let free = manual(&app, body).await;
    app.campaign_sent(free["campaignId"].as_str().unwrap()).await;
    assert_eq!(n(&app.get(&format!("/v1/campaigns/{slow}")).await, "sentCount"), 1);
    app.advance(10_000);
    for _ in 0..5 {
        app.advance(1000);
        wait_until_settled(&app).await;
    }
    app.campaign_sent(&slow).await;
    app.stop().await;
}
