//! The verdict of each phase, for each thing a server can do there.

use std::time::Duration;

use restockd::mail::Verdict;

use crate::fixture::{impatient, letter, mailer, name, open, options, shut};
use crate::server::{Act, Phase, Plan, Server};

const DRIP: Act = Act::Drip(Duration::from_millis(60));

/// One letter to a server with this plan; with and without pipelining, which must not differ.
async fn verdict_of(plan: Plan, impatiently: bool) -> Verdict {
    let mut seen = None;
    for extensions in [&["PIPELINING"][..], &[]] {
        let server = Server::start().await;
        server.script([plan.clone().offering(extensions)]);
        let options = if impatiently { impatient() } else { options() };
        let mut courier = mailer(&server, options).courier();
        let verdict = courier.deliver(&letter(1), open()).await;
        if let Some(before) = seen.replace(verdict.clone()) {
            assert_eq!(
                name(&before),
                name(&verdict),
                "pipelining makes a difference: {before:?} {verdict:?}"
            );
        }
    }
    seen.unwrap()
}

#[tokio::test]
async fn each_phase_has_its_verdict() {
    use Act::{Close, Raw, Say, SayAndClose, Silence, TakeAndClose};
    use Phase::{Banner, Body, Data, Dot, Ehlo, Mail, Rcpt};
    let table = [
        (Banner, Close, "deferred"),
        (Banner, Say("554 5.7.1 go away"), "deferred"),
        (Banner, Say("421 4.3.2 not now"), "deferred throttled"),
        (Banner, Say("451 4.3.0 not now"), "deferred"),
        (Banner, Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "deferred"),
        (Ehlo, Say("502 5.5.1 what"), "deferred"),
        (Ehlo, Close, "deferred"),
        (Mail, Say("451 4.7.1 slow down"), "deferred throttled reached"),
        (Mail, Say("550 5.7.1 sender refused"), "deferred"),
        (Mail, Say("421 4.7.0 too fast"), "deferred throttled reached"),
        (Mail, Close, "deferred"),
        (Mail, Raw(b"25x hm\r\n"), "deferred"),
        (Mail, Raw(b"250-a\r\n251 b\r\n"), "deferred"),
        (Mail, Say("354 go"), "deferred reached"),
        (Rcpt, Say("450 4.2.1 mailbox busy"), "deferred reached"),
        (Rcpt, Say("454 throttling failure"), "deferred throttled reached"),
        (Rcpt, Say("550 5.1.1 no such user"), "failed"),
        (Rcpt, Say("421 4.3.0 going down"), "deferred throttled reached"),
        (Rcpt, Close, "deferred reached"),
        (Rcpt, Say("99 what"), "deferred reached"),
        (Data, Say("451 4.3.0 no disk"), "deferred reached"),
        (Data, Say("554 5.6.0 no"), "failed"),
        (Data, Close, "deferred reached"),
        (Data, SayAndClose("421 4.3.2 closing"), "deferred throttled reached"),
        (Body, Close, "deferred reached"),
        (Body, SayAndClose("421 4.4.2 too slow"), "deferred throttled reached"),
        (Body, SayAndClose("552 5.3.4 too large"), "failed"),
        (Dot, Say("451 4.3.0 try again"), "deferred reached"),
        (Dot, Say("421 4.7.0 rate"), "deferred throttled reached"),
        (Dot, Say("550 5.7.1 spam"), "failed"),
        (Dot, Say("354 more"), "doubt"),
        (Dot, Close, "doubt"),
        (Dot, TakeAndClose, "doubt"),
        (Dot, Raw(b"250-half a reply\r\n"), "doubt"),
        (Dot, Raw(b"ok\r\n"), "doubt"),
        (Dot, SayAndClose("250 2.0.0 ok"), "sent"),
    ];
    let mut checks = tokio::task::JoinSet::new();
    for (phase, act, expected) in table {
        let silent_after = matches!((&act, phase), (Raw(b"250-half a reply\r\n"), _));
        checks.spawn(check(phase, act, silent_after, expected));
    }
    for (phase, expected) in [
        (Banner, "deferred"),
        (Ehlo, "deferred"),
        (Mail, "deferred"),
        (Rcpt, "deferred reached"),
        (Data, "deferred reached"),
        (Dot, "doubt"),
    ] {
        for act in [Silence, DRIP] {
            checks.spawn(check(phase, act, true, expected));
        }
    }
    checks.join_all().await;
}

async fn check(phase: Phase, act: Act, impatiently: bool, expected: &str) {
    let verdict = verdict_of(Plan::default().at(phase, act.clone()), impatiently).await;
    assert_eq!(name(&verdict), expected, "{phase:?} {act:?} gave {verdict:?}");
}

#[tokio::test]
async fn an_endless_reply_does_not_hold_a_courier() {
    static LONG_LINE: [u8; 5_000] = [b'2'; 5_000];
    let many = "250-x\r\n".repeat(101).into_bytes().leak();
    for bytes in [&LONG_LINE[..], many] {
        let verdict = verdict_of(Plan::default().at(Phase::Mail, Act::Raw(bytes)), false).await;
        assert_eq!(name(&verdict), "deferred", "{verdict:?}");
    }
}

#[tokio::test]
async fn nobody_at_home_defers() {
    let server = Server::start().await;
    let mailer = mailer(&server, options());
    drop(server);
    tokio::task::yield_now().await;
    let verdict = mailer.courier().deliver(&letter(1), open()).await;
    assert_eq!(name(&verdict), "deferred", "{verdict:?}");
}

#[tokio::test]
async fn a_refused_letter_leaves_the_connection_usable() {
    for extensions in [&["PIPELINING"][..], &[]] {
        let server = Server::start().await;
        let plan = Plan::default()
            .at(Phase::Mail, Act::Say("450 4.1.0 no"))
            .at(Phase::Rcpt, Act::Say("550 5.1.1 no"))
            .at(Phase::Dot, Act::Say("451 4.3.0 no"));
        server.script([plan.offering(extensions)]);
        let mut courier = mailer(&server, options()).courier();
        let mut got = Vec::new();
        for n in 0..5 {
            got.push(name(&courier.deliver(&letter(n), open()).await));
        }
        assert_eq!(got, ["deferred reached", "failed", "deferred reached", "sent", "sent"]);
        assert_eq!(server.connections(), 1);
        assert_eq!(server.letters().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_refused_letter_is_hung_up_on() {
    let server = Server::start().await;
    server.script([Plan::default().at(Phase::Rcpt, Act::Say("550 5.1.1 no")).careless()]);
    let mut courier = mailer(&server, options()).courier();
    assert_eq!(name(&courier.deliver(&letter(1), open()).await), "failed");
    assert_eq!(name(&courier.deliver(&letter(2), open()).await), "sent");
    assert_eq!((server.connections(), server.dots()), (2, 1));
}

#[tokio::test]
async fn two_letters_share_a_connection_and_it_is_replaced_by_count() {
    let server = Server::start().await;
    let options = restockd::mail::MailOptions { letters_per_connection: 2, ..options() };
    let mut courier = mailer(&server, options).courier();
    for n in 0..5 {
        assert_eq!(name(&courier.deliver(&letter(n), open()).await), "sent");
    }
    courier.close().await;
    assert_eq!(server.connections(), 3);
    assert_eq!(server.letters().len(), 5);
    assert_eq!(server.commands().iter().filter(|line| *line == "QUIT").count(), 3);
}

#[tokio::test]
async fn an_old_connection_is_replaced() {
    let server = Server::start().await;
    let options = restockd::mail::MailOptions { connection_age: Duration::ZERO, ..options() };
    let mut courier = mailer(&server, options).courier();
    for n in 0..2 {
        assert_eq!(name(&courier.deliver(&letter(n), open()).await), "sent");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_stale_connection_costs_no_letter() {
    let goodbyes = [
        Plan::default().at(Phase::Dot, Act::SayAndClose("250 2.0.0 ok")),
        // The second MAIL FROM meets a farewell, or silence and the end.
        Plan::default().at(Phase::Mail, Act::Usual).at(Phase::Mail, Act::SayAndClose("421 4.4.2 idle")),
        Plan::default().at(Phase::Mail, Act::Usual).at(Phase::Mail, Act::Close),
    ];
    for plan in goodbyes {
        let server = Server::start().await;
        server.script([plan]);
        let mut courier = mailer(&server, options()).courier();
        for n in 0..3 {
            let verdict = courier.deliver(&letter(n), open()).await;
            assert_eq!(name(&verdict), "sent", "{verdict:?}");
        }
        assert_eq!(server.connections(), 2);
        assert_eq!(server.letters().len(), 3);
    }
}

#[tokio::test]
async fn a_new_connection_is_tried_only_once() {
    let server = Server::start().await;
    let dying = Plan::default().at(Phase::Mail, Act::Close);
    server.script([dying.clone().at(Phase::Mail, Act::Usual), dying.clone(), dying]);
    let mut courier = mailer(&server, options()).courier();
    assert_eq!(name(&courier.deliver(&letter(1), open()).await), "deferred");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn no_dot_leaves_before_the_gate_opens() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    let (opener, opened) = tokio::sync::oneshot::channel();
    let gate = Box::pin(async move { opened.await.unwrap_or(false) });
    let task = tokio::spawn(async move { courier.deliver(&letter(1), gate).await });
    server.wait_354(1).await;
    assert_eq!(server.dots(), 0);
    assert!(!task.is_finished());
    opener.send(true).unwrap();
    server.wait_dots(1).await;
    assert_eq!(name(&task.await.unwrap()), "sent");
}

#[tokio::test]
async fn a_server_that_gives_up_before_the_gate_opens_has_taken_nothing() {
    let server = Server::start().await;
    server.script([Plan::default().at(Phase::Body, Act::SayAndClose("421 4.4.2 waited too long"))]);
    let mut courier = mailer(&server, options()).courier();
    let (opener, opened) = tokio::sync::oneshot::channel();
    let gate = Box::pin(async move { opened.await.unwrap_or(false) });
    let task = tokio::spawn(async move { courier.deliver(&letter(1), gate).await });
    server.wait_354(1).await;
    opener.send(true).unwrap();
    assert_eq!(name(&task.await.unwrap()), "deferred throttled reached");
    assert_eq!(server.dots(), 0);
}

#[tokio::test]
async fn a_shut_gate_sends_nothing_and_the_next_letter_goes() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    assert_eq!(name(&courier.deliver(&letter(1), shut()).await), "deferred reached");
    assert_eq!(name(&courier.deliver(&letter(2), open()).await), "sent");
    assert_eq!(server.letters().len(), 1);
    assert_eq!(server.dots(), 1);
}

#[tokio::test]
async fn a_dropped_delivery_ends_its_connection() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    {
        let never = Box::pin(std::future::pending());
        let first = letter(1);
        let delivery = courier.deliver(&first, never);
        tokio::select! {
            _ = delivery => panic!("the gate never opens"),
            () = server.wait_354(1) => {}
        }
    }
    assert_eq!(name(&courier.deliver(&letter(2), open()).await), "sent");
    assert_eq!(server.connections(), 2);
    assert_eq!(server.letters().len(), 1);
}

#[tokio::test]
async fn replies_come_without_addresses() {
    let server = Server::start().await;
    server.script([Plan::default().at(
        Phase::Rcpt,
        Act::Say("550-5.1.1 <ann1@people.example>\r\n550 5.1.1 ann1@people.example unknown"),
    )]);
    let verdict = mailer(&server, options()).courier().deliver(&letter(1), open()).await;
    assert_eq!(verdict, Verdict::Failed { reply: "550 5.1.1 <address> 5.1.1 <address> unknown".to_owned() });
}
