//! P4: who leaves, stops or is erased gets no letter that begins after the answer, whatever state
//! the letter is in; who may not be mailed never is.

use restockd_mail::ScriptedReply as Reply;
use restockd_testkit::app::App;
use serde_json::json;

use crate::helpers::*;

/// First's letter is on the wire, the victim's waits behind it; the campaign's id.
async fn victim_behind_first(app: &App) -> String {
    press_all(app, &["first", "victim", "third"], "chair").await;
    app.outbox().hold();
    let id = restocked(app, "d1", "chair").await;
    app.held(1).await;
    wait_until_settled(app).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_letter_waits_is_not_mailed() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    leave(&app, "victim", "chair").await;
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "left"), 1, "noted before it is acknowledged: {noted}");
    app.outbox().release();
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "left")), (2, 1));
    assert_eq!(mailed(&app), ["first", "third"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn word_of_leaving_that_is_older_than_the_joining_takes_nobody_out_of_a_campaign() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    let late = json!({ "name": "order.completed", "email": at("victim"), "lists": { "restock-chair": false },
        "timestamp": "2001-01-01T00:00:00Z" });
    app.post("/v1/events", late).await;
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "victim", "third"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_all_mail_while_the_letter_waits_is_not_mailed() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    stop_all(&app, "victim").await;
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "unsubscribed"), 1, "{noted}");
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "third"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_while_the_letter_waits_is_not_mailed() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    erase(&app, "victim").await;
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "erased"), 1, "{noted}");
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "third"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_fetched_before_its_person_stopped_is_not_used_when_the_campaign_opens_again() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    stop_all(&app, "victim").await;
    app.press(&at("late"), "chair").await;
    assert_eq!(restocked(&app, "d2", "chair").await, id);
    wait_until_settled(&app).await;
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "third", "late"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stopped_and_started_again_is_mailed_by_a_later_restock_of_the_day() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    stop_all(&app, "victim").await;
    app.outbox().release();
    app.campaign_sent(&id).await;
    start_again(&app, "victim").await;
    restocked(&app, "d2", "chair").await;
    app.campaign_until(&id, |c| c["status"] == "sent" && n(c, "sentCount") == 3).await;
    assert_eq!(mailed_sorted(&app), ["first", "third", "victim"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_and_came_back_is_mailed_once_by_a_later_restock_of_the_day() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    leave(&app, "victim", "chair").await;
    app.press(&at("victim"), "chair").await;
    restocked(&app, "d2", "chair").await;
    app.outbox().release();
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "totalRecipients"), n(&done, "sentCount")), (3, 3));
    assert_eq!(mailed_sorted(&app), ["first", "third", "victim"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_with_a_letter_on_the_wire_gets_no_second_try_of_it() {
    let app = one_by_one().start().await;
    press_all(&app, &["victim"], "chair").await;
    app.outbox().push(Reply::Give(later()));
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    leave(&app, "victim", "chair").await;
    app.outbox().release();
    app.campaign_until(&id, |c| n(c, "startedCount") == 0).await;
    app.advance(120_000);
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "left")), (0, 1), "{done}");
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_or_stops_with_a_letter_on_the_wire_gets_no_second_try_of_it() {
    for erased in [true, false] {
        let app = one_by_one().start().await;
        press_all(&app, &["victim"], "chair").await;
        app.outbox().push(Reply::Give(later()));
        app.outbox().hold();
        let id = restocked(&app, "d1", "chair").await;
        app.held(1).await;
        match erased {
            true => erase(&app, "victim").await,
            false => stop_all(&app, "victim").await,
        }
        app.outbox().release();
        app.campaign_until(&id, |c| n(c, "startedCount") == 0).await;
        app.advance(120_000);
        let done = app.campaign_sent(&id).await;
        assert_eq!(n(&done, "skippedCount"), 1, "{done}");
        assert!(mailed(&app).is_empty());
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_letter_is_deferred_is_not_mailed() {
    let app = App::fresh().await;
    press_all(&app, &["victim"], "chair").await;
    app.outbox().push(Reply::Give(later()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "deferredCount") == 1).await;
    leave(&app, "victim", "chair").await;
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "left"), 1, "{noted}");
    app.advance(120_000);
    app.campaign_sent(&id).await;
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_letter_of_somebody_who_has_left_is_not_retried() {
    for rule in [true, false] {
        let app = App::fresh().await;
        press_all(&app, &["victim", "other"], "chair").await;
        answer_for(&app, "victim", Reply::Give(never()));
        let id = failing_campaign(&app, rule).await;
        let done = app.campaign_sent(&id).await;
        assert_eq!(n(&done, "failedCount"), 1);
        leave(&app, "victim", "chair").await;
        accept_all(&app);
        verb(&app, &id, "retry-failed").await;
        let done = app.campaign_sent(&id).await;
        assert_eq!((n(&done, "failedCount"), skipped(&done, "left")), (0, 1), "rule {rule}: {done}");
        assert_eq!(mailed(&app), ["other"]);
        app.stop().await;
    }
}

/// A campaign of the rule or by hand on the list of the chair.
async fn failing_campaign(app: &App, rule: bool) -> String {
    if rule {
        return restocked(app, "d1", "chair").await;
    }
    let body = json!({ "list": "restock-chair", "template": "ecommerce/back-in-stock" });
    manual(app, body).await["campaignId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_a_retried_letter_waits_is_not_mailed() {
    for rule in [true, false] {
        let app = one_by_one().start().await;
        press_all(&app, &["first", "victim"], "chair").await;
        app.outbox().answer_with(|_| Reply::Give(never()));
        let id = failing_campaign(&app, rule).await;
        assert_eq!(n(&app.campaign_sent(&id).await, "failedCount"), 2);
        accept_all(&app);
        app.outbox().hold();
        verb(&app, &id, "retry-failed").await;
        app.held(1).await;
        wait_until_settled(&app).await;
        leave(&app, "victim", "chair").await;
        app.outbox().release();
        let done = app.campaign_sent(&id).await;
        assert_eq!((n(&done, "sentCount"), skipped(&done, "left")), (1, 1), "rule {rule}: {done}");
        assert_eq!(mailed(&app), ["first"]);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_in_doubt_of_somebody_who_has_left_is_not_sent_again() {
    let app = App::fresh().await;
    press_all(&app, &["victim"], "chair").await;
    app.outbox().push(Reply::Give(detached()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "inDoubtCount") == 1).await;
    leave(&app, "victim", "chair").await;
    verb(&app, &id, "in-doubt/resend").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "left")), (0, 1), "{done}");
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_after_a_merge_is_not_mailed_under_the_older_number() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    // The victim logs in: the shop's own id takes the address over, then they leave.
    app.post("/v1/events", json!({ "name": "seen", "userId": "u1" })).await;
    app.post("/v1/events", json!({ "name": "login", "userId": "u1", "email": at("victim") })).await;
    leave(&app, "victim", "chair").await;
    app.outbox().release();
    let done = app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "third"], "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_or_stops_after_a_merge_is_not_mailed_under_the_older_number() {
    for erased in [true, false] {
        let app = one_by_one().start().await;
        let id = victim_behind_first(&app).await;
        app.post("/v1/events", json!({ "name": "seen", "userId": "u1" })).await;
        app.post("/v1/events", json!({ "name": "login", "userId": "u1", "email": at("victim") })).await;
        match erased {
            true => erase(&app, "victim").await,
            false => stop_all(&app, "victim").await,
        }
        app.outbox().release();
        app.campaign_sent(&id).await;
        assert_eq!(mailed(&app), ["first", "third"], "erased: {erased}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_after_a_merge_while_the_campaign_is_paused_is_not_mailed() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    verb(&app, &id, "pause").await;
    app.post("/v1/events", json!({ "name": "seen", "userId": "u1" })).await;
    app.post("/v1/events", json!({ "name": "login", "userId": "u1", "email": at("victim") })).await;
    app.outbox().release();
    let plan = app.stop().await;
    let app = plan.start().await;
    leave(&app, "victim", "chair").await;
    verb(&app, &id, "resume").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["third"], "{done}");
    assert_eq!(n(&done, "totalRecipients"), 3, "a merge makes nobody two: {done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_may_not_be_mailed_are_skipped_and_their_press_is_stored_with_an_error() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    stop_all(&app, "ann").await;
    let answer = app.press(&at("ann"), "lamp").await;
    assert_eq!(answer["stored"], true);
    assert!(answer["listsError"].as_str().is_some_and(|text| !text.contains('@')), "{answer}");
    assert_eq!(members(&app, "restock-lamp").await, 0);
    let id = restocked(&app, "d1", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "unsubscribed")), (1, 1));
    assert_eq!(mailed(&app), ["bob"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stopped_all_mail_stays_unmailed_through_erasure_and_a_new_press() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    stop_all(&app, "ann").await;
    erase(&app, "ann").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let answer = app.press(&at("ANN"), "chair").await;
    assert!(answer["listsError"].is_string(), "{answer}");
    let (_, body) = app.restock("d1", "chair", 5).await;
    assert_eq!(body["ok"], true);
    assert!(app.campaigns().await.is_empty());
    assert!(mailed(&app).is_empty());
    app.stop().await;
}
