//! A connection is brought about before its letter, and a letter is tried on one connection alone.

use std::time::Duration;

use restockd_mail::{MailOptions, Mailer};
use restockd_testkit::mail_server::{Act, Phase, Plan, Server};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::fixture::{course, impatient, letter, mailer, name, open, options, send};

/// No receiver has seen the letter.
const NO_CONNECTION: &str = "deferred at connection, the shop's";
const NEVER: Duration = Duration::from_secs(3_600);

/// Each connection that has carried a letter has rested too long at once, or never.
fn resting(connection_idle: Duration) -> MailOptions {
    MailOptions { connection_idle, ..options() }
}

/// The first words of all command lines so far.
fn verbs(server: &Server) -> Vec<String> {
    let verb = |line: &String| line.split([' ', ':']).next().unwrap().to_owned();
    server.commands().iter().map(verb).collect()
}

#[tokio::test]
async fn a_letter_opens_no_connection() {
    let server = Server::start().await;
    let mut courier = mailer(&server, resting(NEVER)).courier();
    assert!(!courier.is_ready());
    assert_eq!(course(&courier.deliver(&letter(1), open()).await), NO_CONNECTION);
    assert_eq!(server.connections(), 0);
    courier.ready().await.unwrap();
    assert!(courier.is_ready());
    assert_eq!(verbs(&server), ["EHLO"]);
    assert_eq!(name(&courier.deliver(&letter(1), open()).await), "sent");
    assert_eq!(verbs(&server), ["EHLO", "MAIL", "RCPT", "DATA", "."]);
    courier.close().await;
    assert!(!courier.is_ready());
    assert_eq!(course(&courier.deliver(&letter(2), open()).await), NO_CONNECTION);
    assert_eq!((server.connections(), server.letters().len()), (1, 1));
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_does_not_greet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp+insecure://{}", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let mut courier = Mailer::from_url(&url, impatient()).unwrap().courier();
    let outcome = courier.ready().await.unwrap_err();
    assert_eq!(course(&outcome), NO_CONNECTION, "{outcome:?}");
    assert!(!courier.is_ready());
    assert_eq!(course(&courier.deliver(&letter(1), open()).await), NO_CONNECTION);
    assert_eq!(heard.await.unwrap(), b"");
}

#[tokio::test]
async fn a_connection_that_has_rested_must_answer_first_and_one_that_has_not_is_not_asked() {
    assert_eq!(MailOptions::default().connection_idle, Duration::from_secs(1));
    for (idle, asked) in [(Duration::ZERO, 2), (NEVER, 0)] {
        let server = Server::start().await;
        let mut courier = mailer(&server, resting(idle)).courier();
        for n in 0..3 {
            assert_eq!(name(&send(&mut courier, &letter(n), open()).await), "sent");
        }
        assert_eq!(courier.is_ready(), idle == NEVER);
        let verbs = verbs(&server);
        assert_eq!(verbs.iter().filter(|verb| *verb == "RSET").count(), asked, "{verbs:?}");
        let before = |pair: &[String]| pair[1] == "MAIL" && pair[0] == "RSET";
        assert_eq!(verbs.windows(2).filter(|pair| before(pair)).count(), asked, "{verbs:?}");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_its_server_gave_up_while_it_rested_is_replaced() {
    let goodbyes = [
        Plan::default().at(Phase::Dot, Act::SayAndClose("250 2.0.0 ok")),
        Plan::default().at(Phase::Rset, Act::Close),
        Plan::default().at(Phase::Rset, Act::SayAndClose("421 4.4.2 idle too long")),
    ];
    for plan in goodbyes {
        let server = Server::start().await;
        server.script([plan]);
        let mut courier = mailer(&server, resting(Duration::ZERO)).courier();
        for n in 0..3 {
            let outcome = send(&mut courier, &letter(n), open()).await;
            assert_eq!(name(&outcome), "sent", "{outcome:?}");
        }
        assert_eq!((server.connections(), server.letters().len()), (2, 3));
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_on_a_new_connection_before_its_letter_has_seen_none() {
    let goodbyes = [
        Plan::default().at(Phase::Ehlo, Act::SayAndClose("250 double")),
        Plan::default().at(Phase::Mail, Act::Close),
    ];
    for plan in goodbyes {
        let server = Server::start().await;
        server.script([plan]);
        let mut courier = mailer(&server, resting(NEVER)).courier();
        courier.ready().await.unwrap();
        let outcome = courier.deliver(&letter(1), open()).await;
        assert_eq!(course(&outcome), NO_CONNECTION, "{outcome:?}");
        assert!(!courier.is_ready());
        assert_eq!((server.connections(), server.dots()), (1, 0));
        assert_eq!(name(&send(&mut courier, &letter(1), open()).await), "sent");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_letter_whose_kept_connection_is_dead_is_deferred_and_tries_no_other() {
    let goodbyes = [
        (Act::Close, NO_CONNECTION),
        (Act::SayAndClose("421 4.4.2 idle too long"), NO_CONNECTION),
        // This is meant for us.
        (Act::SayAndClose("421 4.7.0 too fast"), "throttled at mail"),
    ];
    for (act, expected) in goodbyes {
        let server = Server::start().await;
        server.script([Plan::default().at(Phase::Mail, Act::Usual).at(Phase::Mail, act)]);
        let mut courier = mailer(&server, resting(NEVER)).courier();
        assert_eq!(name(&send(&mut courier, &letter(1), open()).await), "sent");
        let outcome = send(&mut courier, &letter(2), open()).await;
        assert_eq!(course(&outcome), expected, "{outcome:?}");
        assert_eq!((server.connections(), server.dots()), (1, 1));
        assert_eq!(name(&send(&mut courier, &letter(2), open()).await), "sent");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn two_letters_share_a_connection_and_it_is_replaced_by_count_before_the_next() {
    let server = Server::start().await;
    let options = MailOptions { letters_per_connection: 2, ..resting(NEVER) };
    let mut courier = mailer(&server, options).courier();
    for n in 0..5 {
        assert_eq!(name(&send(&mut courier, &letter(n), open()).await), "sent");
        assert_eq!(courier.is_ready(), n % 2 == 0, "after letter {n}");
    }
    courier.close().await;
    assert_eq!(server.connections(), 3);
    assert_eq!(server.letters().len(), 5);
    assert_eq!(server.commands().iter().filter(|line| *line == "QUIT").count(), 3);
}

#[tokio::test]
async fn an_old_connection_is_replaced_before_its_letter() {
    let server = Server::start().await;
    let options = MailOptions { connection_age: Duration::ZERO, ..options() };
    let mut courier = mailer(&server, options).courier();
    for n in 0..2 {
        assert_eq!(name(&send(&mut courier, &letter(n), open()).await), "sent");
    }
    assert_eq!(server.connections(), 2);
    assert_eq!(verbs(&server).iter().filter(|verb| *verb == "QUIT").count(), 1);
}
