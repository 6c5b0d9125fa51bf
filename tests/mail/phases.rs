//! The outcome of each phase, for each thing a server can do there.

use std::time::Duration;

use restockd_core::status::Enhanced;
use restockd_mail::DeliveryOutcome;
use restockd_testkit::mail_server::{Act, Phase, Plan, Server};

use crate::fixture::{course, impatient, letter, mailer, name, open, options, send, send_by, shut};

const DRIP: Act = Act::Drip(Duration::from_millis(60));
/// No receiver has seen the letter.
const NO_CONNECTION: &str = "deferred at connection, the shop's";

/// One letter to a server with this plan; with and without pipelining, which must not differ.
async fn outcome_of(plan: Plan, impatiently: bool) -> DeliveryOutcome {
    let mut seen = None;
    for extensions in [&["PIPELINING"][..], &[]] {
        let server = Server::start().await;
        server.script([plan.clone().offering(extensions)]);
        let options = if impatiently { impatient() } else { options() };
        let mut courier = mailer(&server, options).courier();
        let outcome = send(&mut courier, &letter(1), open()).await;
        if let Some(before) = seen.replace(outcome.clone()) {
            assert_eq!(
                course(&before),
                course(&outcome),
                "pipelining makes a difference: {before:?} {outcome:?}"
            );
        }
    }
    seen.unwrap()
}

#[tokio::test]
async fn each_phase_has_its_outcome() {
    use Act::{Close, Raw, Say, SayAndClose, Silence, TakeAndClose};
    use Phase::{Banner, Body, Data, Dot, Ehlo, Mail, Rcpt};
    let table = [
        (Banner, Close, NO_CONNECTION),
        (Banner, Say("554 5.7.1 go away"), NO_CONNECTION),
        (Banner, Say("421 4.3.2 not now"), "throttled at connection, the shop's"),
        (Banner, Say("451 4.3.0 not now"), NO_CONNECTION),
        (Banner, Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NO_CONNECTION),
        (Ehlo, Say("502 5.5.1 what"), NO_CONNECTION),
        (Ehlo, Close, NO_CONNECTION),
        (Mail, Say("451 4.7.1 slow down"), "throttled at mail"),
        (Mail, Say("550 5.7.1 sender refused"), "deferred at mail, the shop's"),
        (Mail, Say("421 4.7.0 too fast"), "throttled at mail"),
        (Mail, Say("421 4.3.2 too many"), "throttled at mail"),
        (Mail, Close, NO_CONNECTION),
        (Mail, Raw(b"25x hm\r\n"), NO_CONNECTION),
        (Mail, Raw(b"250-a\r\n251 b\r\n"), NO_CONNECTION),
        (Mail, Say("354 go"), "deferred at mail"),
        (Rcpt, Say("450 4.2.1 mailbox busy"), "deferred at rcpt"),
        (Rcpt, Say("454 throttling failure"), "throttled at rcpt"),
        (Rcpt, Say("550 5.1.1 no such user"), "failed at rcpt"),
        (Rcpt, Say("421 4.3.0 going down"), "throttled at rcpt"),
        (Rcpt, Close, "deferred at mail"),
        (Rcpt, Say("99 what"), "deferred at mail"),
        (Data, Say("451 4.3.0 no disk"), "deferred at data"),
        (Data, Say("554 5.6.0 no"), "failed at data"),
        (Data, Close, "deferred at rcpt"),
        (Data, SayAndClose("421 4.3.2 closing"), "throttled at data"),
        (Body, Close, "deferred at data"),
        (Body, SayAndClose("421 4.4.2 too slow"), "throttled at data"),
        (Body, SayAndClose("552 5.3.4 too large"), "failed at data"),
        (Dot, Say("451 4.3.0 try again"), "deferred at dot"),
        (Dot, Say("421 4.7.0 rate"), "throttled at dot"),
        (Dot, Say("550 5.7.1 spam"), "failed at dot"),
        (Dot, Say("354 more"), "unknown at dot"),
        (Dot, Close, "unknown at data"),
        (Dot, TakeAndClose, "unknown at data"),
        (Dot, Raw(b"250-half a reply\r\n"), "unknown at data"),
        (Dot, Raw(b"ok\r\n"), "unknown at data"),
        (Dot, SayAndClose("250 2.0.0 ok"), "sent at dot"),
    ];
    let mut checks = tokio::task::JoinSet::new();
    for (phase, act, expected) in table {
        let silent_after = matches!((&act, phase), (Raw(b"250-half a reply\r\n"), _));
        checks.spawn(check(phase, act, silent_after, expected));
    }
    for (phase, expected) in [
        (Banner, NO_CONNECTION),
        (Ehlo, NO_CONNECTION),
        (Mail, NO_CONNECTION),
        (Rcpt, "deferred at mail"),
        (Data, "deferred at rcpt"),
        (Dot, "unknown at data"),
    ] {
        for act in [Silence, DRIP] {
            checks.spawn(check(phase, act, true, expected));
        }
    }
    checks.join_all().await;
}

async fn check(phase: Phase, act: Act, impatiently: bool, expected: &str) {
    let outcome = outcome_of(Plan::default().at(phase, act.clone()), impatiently).await;
    assert_eq!(course(&outcome), expected, "{phase:?} {act:?} gave {outcome:?}");
}

#[tokio::test]
async fn an_endless_reply_does_not_hold_a_courier() {
    static LONG_LINE: [u8; 5_000] = [b'2'; 5_000];
    let many = "250-x\r\n".repeat(101).into_bytes().leak();
    for bytes in [&LONG_LINE[..], many] {
        let outcome = outcome_of(Plan::default().at(Phase::Mail, Act::Raw(bytes)), false).await;
        assert_eq!(course(&outcome), NO_CONNECTION, "{outcome:?}");
    }
}

#[tokio::test]
async fn nobody_at_home_defers() {
    let server = Server::start().await;
    let mailer = mailer(&server, options());
    drop(server);
    tokio::task::yield_now().await;
    let outcome = send_by(&mailer, &letter(1), open()).await;
    assert_eq!(course(&outcome), NO_CONNECTION, "{outcome:?}");
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
            got.push(course(&send(&mut courier, &letter(n), open()).await));
        }
        assert_eq!(
            got,
            ["deferred at mail", "failed at rcpt", "deferred at dot", "sent at dot", "sent at dot"]
        );
        assert_eq!(server.connections(), 1);
        assert_eq!(server.letters().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_refused_letter_is_hung_up_on() {
    let server = Server::start().await;
    server.script([Plan::default().at(Phase::Rcpt, Act::Say("550 5.1.1 no")).careless()]);
    let mut courier = mailer(&server, options()).courier();
    assert_eq!(name(&send(&mut courier, &letter(1), open()).await), "failed");
    assert_eq!(name(&send(&mut courier, &letter(2), open()).await), "sent");
    assert_eq!((server.connections(), server.dots()), (2, 1));
}

#[tokio::test]
async fn no_dot_leaves_before_the_gate_opens() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    let (opener, opened) = tokio::sync::oneshot::channel();
    let gate = Box::pin(async move { opened.await.unwrap_or(false) });
    let task = tokio::spawn(async move { send(&mut courier, &letter(1), gate).await });
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
    let task = tokio::spawn(async move { send(&mut courier, &letter(1), gate).await });
    server.wait_354(1).await;
    opener.send(true).unwrap();
    assert_eq!(course(&task.await.unwrap()), "throttled at data");
    assert_eq!(server.dots(), 0);
}

#[tokio::test]
async fn a_shut_gate_sends_nothing_and_the_next_letter_goes() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    assert_eq!(course(&send(&mut courier, &letter(1), shut()).await), "deferred at data, the shop's");
    assert_eq!(name(&send(&mut courier, &letter(2), open()).await), "sent");
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
        courier.ready().await.unwrap();
        let delivery = courier.deliver(&first, never);
        tokio::select! {
            _ = delivery => panic!("the gate never opens"),
            () = server.wait_354(1) => {}
        }
    }
    assert_eq!(name(&send(&mut courier, &letter(2), open()).await), "sent");
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
    let outcome = send_by(&mailer(&server, options()), &letter(1), open()).await;
    assert_eq!(course(&outcome), "failed at rcpt");
    let said = outcome.diagnostic;
    assert_eq!(said.to_string(), "550 5.1.1 <address> 5.1.1 <address> unknown");
    assert_eq!((said.code, said.status), (Some(550), Enhanced::parse("5.1.1")));
}
