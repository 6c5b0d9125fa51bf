//! What a mail server's reply does to the person, the letter and the provider: hard bounces, soft ones, policy.

use restockd_mail::DeliveryResult;
use restockd_mail::ScriptedReply as Reply;
use restockd_testkit::app::{App, Plan};
use restockd_testkit::mail_server::{Act, Phase, Plan as Session, Server};
use serde_json::{Value, json};

use crate::helpers::*;
use crate::providers::{answer_while, provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_bounce_suppresses_the_address_and_nothing_else_does() {
    let app = App::fresh().await;
    press_all(&app, &["gone", "full", "spam", "ann"], "chair").await;
    app.outbox().answer_with(|letter| {
        let refused = |code, words| Reply::Refuse(said(DeliveryResult::Failed, code, words));
        match letter.to.split('@').next().unwrap() {
            "gone" => refused(550, "5.1.1 no such mailbox"),
            "full" => refused(552, "5.2.2 over quota"),
            "spam" => refused(550, "5.7.1 rejected by policy"),
            _ => Reply::Accept,
        }
    });
    let id = restocked(&app, "d1", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "failedCount")), (1, 3));
    wait_until_settled(&app).await;
    let again = app.press(&at("gone"), "lamp").await;
    assert!(again["listsError"].as_str().is_some_and(|why| why.contains("takes no mail")), "{again}");
    for name in ["full", "spam"] {
        assert_eq!(app.press(&at(name), "lamp").await["listsError"], Value::Null, "{name}");
    }
    let rows = app.get(&format!("/v1/campaigns/{id}/recipients?status=failed&limit=2")).await;
    let next = app
        .get(&format!(
            "/v1/campaigns/{id}/recipients?status=failed&cursor={}",
            rows["cursor"].as_str().unwrap()
        ))
        .await;
    let rows = [rows, next].map(|page| page["recipients"].as_array().unwrap().clone()).concat();
    let told: Vec<_> =
        rows.iter().map(|row| (row["reply"].as_str().unwrap(), row["class"].as_str().unwrap())).collect();
    let expected = [
        ("550 5.1.1 no such mailbox", "hard_bounce"),
        ("552 5.2.2 over quota", "soft_bounce"),
        ("550 5.7.1 rejected by policy", "policy"),
    ];
    assert_eq!(told, expected);
    let sent = app.get(&format!("/v1/campaigns/{id}/recipients?status=sent")).await;
    let sent = &sent["recipients"][0];
    assert_eq!(
        (&sent["email"], &sent["class"], &sent["attempts"]),
        (&json!(at("ann")), &json!("delivered"), &json!(1))
    );
    assert_eq!(sent["messageId"], app.outbox().mails()[0].letter.message_id);
    // What failed as policy can be brought back; who is suppressed is not mailed again, a restart changes nothing.
    let plan = app.crash().await;
    let app = plan.start().await;
    verb(&app, &id, "retry-failed").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "suppressed")), (3, 1), "{done}");
    assert_eq!(mailed_sorted(&app), ["full", "spam"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_policy_refusals_in_a_row_slow_their_provider_and_are_shown() {
    let app = one_by_one().start().await;
    app.press_many((0..30).map(|i| format!("g{i}@gmail.com")), "chair").await;
    answer_while(&app, "@gmail.com", said(DeliveryResult::Failed, 550, "5.7.26 not authenticated"));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_until(&id, |c| n(c, "failedCount") == 10).await;
    wait_until_settled(&app).await;
    assert_eq!(n(&app.get(&format!("/v1/campaigns/{id}")).await, "failedCount"), 10);
    let row = provider(&app, "google").await;
    assert_eq!(
        (&row["throttled"], &row["lastThrottle"]["reply"]),
        (&json!(true), &json!("550 5.7.26 not authenticated"))
    );
    accept_all(&app);
    for _ in 0..60 {
        app.advance(5000);
        wait_until_settled(&app).await;
    }
    verb(&app, &id, "retry-failed").await;
    for _ in 0..60 {
        app.advance(5000);
        wait_until_settled(&app).await;
    }
    assert_eq!(n(&app.campaign_sent(&id).await, "sentCount"), 30);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_the_test_inbox_suppresses_nobody_and_the_same_one_at_a_mailbox_does() {
    let words = "550 5.1.1 no such mailbox";
    let at_inbox = format!("the test inbox: {words}");
    for (inbox, reply, class) in
        [(Some("inbox@test.example"), at_inbox.as_str(), Value::Null), (None, words, json!("hard_bounce"))]
    {
        let server = Server::start().await;
        server.always(Session::default().at(Phase::Rcpt, Act::Say(words)));
        let plan = Plan::new().env("RESTOCKD_MAIL", &server.url());
        let plan = inbox.iter().fold(plan, |plan, inbox| plan.env("RESTOCKD_MAIL_REDIRECT_TO", inbox));
        let app = plan.start().await;
        press_all(&app, &["ann"], "chair").await;
        let id = restocked(&app, "d1", "chair").await;
        assert_eq!(n(&app.campaign_sent(&id).await, "failedCount"), 1);
        wait_until_settled(&app).await;
        let rows = app.get(&format!("/v1/campaigns/{id}/recipients")).await;
        let row = &rows["recipients"][0];
        assert_eq!((&row["reply"], &row["class"]), (&json!(reply), &class), "{inbox:?}: {row}");
        let again = app.press(&at("ann"), "lamp").await;
        assert_eq!(again["listsError"].is_null(), inbox.is_some(), "{inbox:?}: {again}");
        let suppressed = app.get("/v1/suppressions").await["suppressions"].as_array().unwrap().len();
        assert_eq!(suppressed, usize::from(inbox.is_none()), "{inbox:?}");
        // A restart reads the same out of the record.
        let app = app.crash().await.start().await;
        let rows = app.get(&format!("/v1/campaigns/{id}/recipients")).await;
        assert_eq!(rows["recipients"][0], *row, "{inbox:?}");
        app.stop().await;
    }
}
