//! What comes back: a bounce or a complaint is believed where it is proved, holds from its answer on, and outlives
//! restart and erasure.

use restockd_core::{CampaignId, PersonId};
use restockd_testkit::app::{Answer, App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

/// The token in the envelope of some letter to somebody.
async fn token(app: &App, campaign: u128, name: &str) -> String {
    secrets(app).bounce_token(CampaignId(campaign), person(app, name).await)
}

/// A report of failure with this status, named `id`, about the letter that `token` was in.
fn dsn(id: &str, token: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: bounce+{token}@bounces.shop.example\r\nMessage-ID: <{id}@mx.example>\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; somewhere.else@mx.example\r\nAction: failed\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 {status} <victim@shop.example>: user victim unknown\r\n\r\n--b--\r\n"
    )
}

/// A complaint named `id`; `fields` say whom it is about.
fn complaint(id: &str, fields: &str, letter: &str) -> String {
    format!(
        "From: fbl@mx.example\r\nTo: abuse@shop.example\r\nMessage-ID: <{id}@mx.example>\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n{fields}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{letter}\r\n--b--\r\n"
    )
}

/// Hands a message in; the answer.
async fn hand_in(app: &App, message: &str) -> Answer {
    app.send("POST", "/v1/returns", &admin(), message.as_bytes()).await
}

/// Hands in a message that must be a report; what followed.
async fn report(app: &App, message: &str) -> Value {
    let (status, answer) = hand_in(app, message).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    answer["reports"][0].clone()
}

/// What is held about somebody.
async fn export(app: &App, name: &str) -> Value {
    app.get(&format!("/v1/contacts/export?email={}", at(name))).await
}

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
async fn a_hard_bounce_reaches_open_campaigns_before_it_is_acknowledged() {
    let app = one_by_one().start().await;
    let id = victim_behind_first(&app).await;
    let said = report(&app, &dsn("r1", &token(&app, 9, "victim").await, "5.1.1")).await;
    assert_eq!(
        (&said["kind"], &said["suppressed"]),
        (&json!("hard_bounce"), &json!("hard_bounce")),
        "{said}"
    );
    assert_eq!(said["contact"], person(&app, "victim").await.to_string());
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "suppressed"), 1, "noted before it is acknowledged: {noted}");
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first", "third"]);
    let answer = app.press(&at("victim"), "table").await;
    assert!(answer["listsError"].as_str().is_some_and(|text| text.contains("takes no mail")), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_about_one_letter_ends_all_mail_on_every_list_also_after_a_crash_and_a_snapshot() {
    let mut app = App::fresh().await;
    for sku in ["chair", "table", "lamp"] {
        press_all(&app, &["victim", "other"], sku).await;
    }
    let by_token =
        format!("Original-Mail-From: <bounce+{}@bounces.shop.example>\r\n", token(&app, 9, "victim").await);
    let said = report(&app, &complaint("c1", &by_token, "Subject: chair")).await;
    assert_eq!(said["suppressed"], "complaint");
    for (n, sku) in ["chair", "table", "lamp"].into_iter().enumerate() {
        let id = restocked(&app, &format!("d{n}"), sku).await;
        let done = app.campaign_sent(&id).await;
        assert_eq!((n_of(&done, "sentCount"), skipped(&done, "suppressed")), (1, 1), "{sku}: {done}");
        assert_eq!(mailed(&app).last().unwrap(), "other");
        if n == 1 {
            app.engine().snapshot().await.unwrap();
        }
        app = app.crash().await.start().await;
        assert_eq!(export(&app, "victim").await["suppression"]["reason"], "complaint");
    }
    app.stop().await;
}

/// A number of a campaign.
fn n_of(campaign: &Value, field: &str) -> u64 {
    n(campaign, field)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_our_own_fault_is_kept_and_never_held_against_the_person() {
    let app = App::fresh().await;
    app.press(&at("victim"), "chair").await;
    for (n, status) in ["5.7.1", "5.7.26", "5.7.515", "5.6.0", "5.1.8", "5.7.25"].into_iter().enumerate() {
        let token = token(&app, n as u128, "victim").await;
        let said = report(&app, &dsn(&format!("r{n}"), &token, status)).await;
        assert_eq!((&said["kind"], &said["suppressed"]), (&json!("policy"), &json!(null)), "{status}");
    }
    let held = export(&app, "victim").await;
    assert_eq!(held["suppression"], json!(null));
    assert_eq!(held["returns"].as_array().unwrap().len(), 6);
    assert_eq!(held["returns"][0]["status"], "5.7.1");
    let id = restocked(&app, "d1", "chair").await;
    assert_eq!(n(&app.campaign_sent(&id).await, "sentCount"), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_soft_bounces_of_different_letters_within_the_span_suppress() {
    let plan = Plan::new().toml("[returns]\nsoft_bounces = 3\nsoft_window = \"10d\"\n");
    let mut app = plan.start().await;
    app.press(&at("victim"), "chair").await;
    let days = [(1, 0, None), (2, 11, None), (3, 1, None), (3, 1, None), (4, 2, Some("hard_bounce"))];
    for (n, (campaign, days, expected)) in days.into_iter().enumerate() {
        app.advance(days * 86_400_000);
        let token = token(&app, campaign, "victim").await;
        let said = report(&app, &dsn(&format!("r{n}"), &token, "5.2.2")).await;
        assert_eq!(said["kind"], "soft_bounce");
        assert_eq!(said["suppressed"].as_str(), expected, "report {n}");
        app = app.crash().await.start().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_again_is_a_no_op_also_after_a_restart() {
    let app = App::fresh().await;
    app.press(&at("victim"), "chair").await;
    let message = dsn("r1", &token(&app, 9, "victim").await, "5.2.2");
    assert_eq!(report(&app, &message).await["duplicate"], json!(null));
    let carried = format!("Received: by another.example; Mon, 02 Mar 2026 12:00:00 +0000\r\n{message}");
    assert_eq!(report(&app, &carried).await["duplicate"], true);
    let app = app.crash().await.start().await;
    assert_eq!(report(&app, &message).await["duplicate"], true);
    assert_eq!(export(&app, "victim").await["returns"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_proves_nothing_changes_nothing() {
    let app = App::fresh().await;
    app.press(&at("victim"), "chair").await;
    let good = token(&app, 9, "victim").await;
    let mut forged = good.clone();
    forged.replace_range(10..11, if good.as_bytes()[10] == b'a' { "b" } else { "a" });
    let named = "Original-Rcpt-To: victim@shop.example\r\nRemoval-Recipient: victim@shop.example\r\n";
    for message in [
        dsn("r1", &forged, "5.1.1"),
        dsn("r2", "", "5.1.1").replace("somewhere.else@mx.example", "victim@shop.example"),
        complaint("c1", named, "To: victim@shop.example"),
        complaint("c2", named, "Message-ID: <0123456789abcdef0123456789abcdef@shop.example>"),
        complaint(
            "c3",
            named,
            "List-Unsubscribe: <https://shop.example/v1/email/unsubscribe?token=AQEBBwAAAHJlc3RvY2sAAA>",
        ),
        dsn("r3", &secrets(&app).bounce_token(CampaignId(1), PersonId(4711)), "5.1.1"),
    ] {
        let said = report(&app, &message).await;
        assert_eq!(said["skipped"], true, "{said}");
    }
    let held = export(&app, "victim").await;
    assert_eq!((&held["suppression"], &held["returns"]), (&json!(null), &json!([])));
    for (message, reason) in [("", "it is not a message"), ("Subject: hello\r\n\r\nhi", "not a report")] {
        let (status, answer) = hand_in(&app, message).await;
        assert_eq!((status, &answer["skipped"]), (200, &json!(true)));
        assert!(answer["reason"].as_str().unwrap().starts_with(reason), "{answer}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_proved_by_what_only_the_letter_held() {
    for proof in ["message id", "link", "feedback id", "envelope"] {
        let app = App::fresh().await;
        press_all(&app, &["victim", "other"], "chair").await;
        let id = restocked(&app, "d1", "chair").await;
        app.campaign_sent(&id).await;
        let mails = app.outbox().mails();
        let letter = &mails.iter().find(|mail| mail.letter.to == at("victim")).unwrap().letter;
        let token = token(&app, 9, "victim").await;
        let (fields, head, path) = match proof {
            "message id" => {
                let fields =
                    "Original-Rcpt-To: other@shop.example\r\nOriginal-Rcpt-To: victim@shop.example\r\n";
                (fields, format!("Message-ID: <{}>", letter.message_id), String::new())
            }
            "link" => (
                "",
                format!("List-Unsubscribe: <{}>", letter.unsubscribe_url.as_ref().unwrap()),
                String::new(),
            ),
            "feedback id" => ("", format!("CFBL-Feedback-ID: {token}"), String::new()),
            _ => ("", String::new(), format!("?recipient=bounce%2B{token}%40bounces.shop.example")),
        };
        let message = complaint("c1", fields, &head);
        let (status, answer) =
            app.send("POST", &format!("/v1/returns{path}"), &admin(), message.as_bytes()).await;
        assert_eq!(
            (status, &answer["reports"][0]["suppressed"]),
            (200, &json!("complaint")),
            "{proof}: {answer}"
        );
        assert_eq!(export(&app, "victim").await["suppression"]["reason"], "complaint", "{proof}");
        assert_eq!(export(&app, "other").await["suppression"]["reason"], json!(null), "{proof}");
        if proof == "message id" {
            assert_eq!(export(&app, "victim").await["returns"][0]["campaign"], id);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_of_an_address_that_somebody_has_left_does_not_block_their_new_one() {
    let app = one_by_one().start().await;
    let contact =
        |email: String| json!({ "email": email, "userId": "u1", "lists": { "restock-chair": true } });
    app.ask("PUT", "/v1/contacts", Some(contact(at("old")))).await;
    app.press(&at("last"), "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    let number = person(&app, "old").await;
    let letter = app.outbox();
    app.ask("PUT", "/v1/contacts", Some(contact(at("new")))).await;
    let campaign = CampaignId::parse(&id).unwrap();
    let token = secrets(&app).bounce_token(campaign, number);
    let message = dsn("r1", &token, "5.1.1").replace("somewhere.else@mx.example", "old@shop.example");
    let said = report(&app, &message).await;
    assert_eq!((&said["suppressed"], &said["contact"]), (&json!("hard_bounce"), &json!(null)), "{said}");
    letter.release();
    assert_eq!(export(&app, "new").await["suppression"]["reason"], json!(null));
    app.campaign_sent(&id).await;
    // the old address is blocked for whoever comes with it
    let answer = app.press(&at("old"), "table").await;
    assert!(answer["listsError"].is_string(), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_id_says_which_address_a_letter_went_to_when_its_ledger_is_gone() {
    let app = App::fresh().await;
    let contact = |email: String| json!({ "email": email, "userId": "u1" });
    app.ask("PUT", "/v1/contacts", Some(contact(at("old")))).await;
    let (campaign, number) = (CampaignId(9), person(&app, "old").await);
    app.ask("PUT", "/v1/contacts", Some(contact(at("new")))).await;
    let secrets = secrets(&app);
    let old = secrets.address(&restockd_core::Email::parse(&at("old")).unwrap());
    let letter = format!(
        "Message-ID: <{}@shop.example>\r\nCFBL-Feedback-ID: {}",
        secrets.message(campaign, old as u64),
        secrets.bounce_token(campaign, number)
    );
    let said = report(&app, &complaint("c1", "Original-Rcpt-To: old@shop.example\r\n", &letter)).await;
    assert_eq!((&said["suppressed"], &said["contact"]), (&json!("complaint"), &json!(null)), "{said}");
    assert_eq!(export(&app, "new").await["suppression"], json!(null));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_outlives_the_erasure_of_its_person() {
    let app = App::fresh().await;
    app.press(&at("victim"), "chair").await;
    let message = complaint("c1", "", &format!("CFBL-Feedback-ID: {}", token(&app, 9, "victim").await));
    report(&app, &message).await;
    erase(&app, "victim").await;
    let app = app.crash().await.start().await;
    let answer = app.press(&at("victim"), "chair").await;
    assert!(answer["listsError"].is_string(), "{answer}");
    let (_, answer) = app.restock("d1", "chair", 5).await;
    assert_eq!(answer["ok"], true);
    wait_until_settled(&app).await;
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_report_holds_no_address_and_says_where_it_came_from() {
    let app = App::fresh().await;
    app.press(&at("victim"), "chair").await;
    report(&app, &dsn("r1", &token(&app, 9, "victim").await, "5.1.1")).await;
    let held = export(&app, "victim").await["returns"][0].clone();
    let text = held.to_string();
    assert!(!text.contains("victim") && !text.contains('@'), "{text}");
    assert_eq!((&held["source"], &held["status"]), (&json!("message"), &json!("5.1.1")));
    assert_eq!(held["campaign"], CampaignId(9).to_string());
    assert!(held["diagnostic"].as_str().unwrap().starts_with("550 5.1.1"), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_needs_a_key_and_has_a_limit() {
    let app = App::fresh().await;
    let (status, _) = app.send("POST", "/v1/returns", &[], b"x").await;
    assert_eq!(status, 401);
    let (status, _) = app.send("POST", "/v1/returns", &admin(), &vec![b'a'; (1 << 20) + 1]).await;
    assert_eq!(status, 413);
    app.stop().await;
}
