//! Signing in with a bearer token, and TLS only where it is offered.

use restockd_mail::fuzzing::converse;
use restockd_mail::{MailOptions, Mailer, OauthToken};
use restockd_testkit::mail_server::{Plan, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{course, letter, name, open, options, send_by};
use crate::safety::{authority, reaching};

fn with_token(token: OauthToken) -> MailOptions {
    MailOptions { oauth: Some(token), ..options() }
}

#[tokio::test]
async fn a_token_is_given_by_xoauth2() {
    let server = Server::start().await;
    server.always(Plan::default().offering(&["AUTH PLAIN LOGIN XOAUTH2"]));
    let url = format!("smtp+insecure://someuser%40example.com@{}", server.address);
    // the example of Google's description of the mechanism
    let options = with_token(OauthToken::Fixed("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".to_owned()));
    let outcome = send_by(&Mailer::from_url(&url, options).unwrap(), &letter(1), open()).await;
    assert_eq!(name(&outcome), "sent", "{outcome:?}");
    assert_eq!(
        server.commands()[1],
        concat!(
            "AUTH XOAUTH2 dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5",
            "LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        )
    );
}

#[tokio::test]
async fn a_renewed_token_file_is_read_at_the_next_connection() {
    let server = Server::start().await;
    server.always(Plan::default().offering(&["AUTH XOAUTH2"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let url = format!("smtp+insecure://bob@{}", server.address);
    let mailer = Mailer::from_url(&url, with_token(OauthToken::File(file.clone()))).unwrap();
    for bad in [None, Some(""), Some("two words"), Some("with\rcontrol")] {
        if let Some(text) = bad {
            std::fs::write(&file, text).unwrap();
        }
        let outcome = send_by(&mailer, &letter(1), open()).await;
        assert_eq!(name(&outcome), "deferred", "{bad:?} {outcome:?}");
    }
    assert!(server.commands().iter().all(|line| line.starts_with("EHLO")), "{:?}", server.commands());
    for token in ["first", "second\n"] {
        std::fs::write(&file, token).unwrap();
        assert_eq!(name(&send_by(&mailer, &letter(1), open()).await), "sent");
    }
    let given: Vec<_> = server.commands().into_iter().filter(|line| line.starts_with("AUTH")).collect();
    assert_eq!(
        given,
        [
            "AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgZmlyc3QBAQ==",
            "AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgc2Vjb25kAQE="
        ]
    );
}

#[tokio::test]
async fn a_refused_token_defers_and_the_server_is_asked_why() {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let words = "220 relay\r\n250-relay\r\n250 AUTH XOAUTH2\r\n334 eyJzdGF0dXMiOiI0MDEifQ==\r\n\
                 535 5.7.8 the token has expired\r\n";
    theirs.write_all(words.as_bytes()).await.unwrap();
    let options = with_token(OauthToken::Fixed("secret-token".to_owned()));
    let setting = "smtp+insecure://bob@127.0.0.1:2525";
    let outcome = converse(setting, options, ours, &[letter(1)]).await.unwrap().remove(0);
    assert_eq!(course(&outcome), "deferred at connection, the shop's");
    let reply = outcome.diagnostic.to_string();
    assert!(reply.contains("535") && reply.contains("expired"), "{reply}");
    let mut said = String::new();
    theirs.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("\r\n\r\n"), "{said:?}");
}

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_get_it_into_an_outcome() {
    let bearer = "dXNlcj1ib2IBYXV0aD1CZWFyZXIgc2VjcmV0LXRva2VuAQE=";
    for echo in ["secret-token", bearer] {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let words = format!("220 relay\r\n250-relay\r\n250 AUTH XOAUTH2\r\n535 5.7.8 not {echo}\r\n");
        theirs.write_all(words.as_bytes()).await.unwrap();
        let options = with_token(OauthToken::Fixed("secret-token".to_owned()));
        let setting = "smtp+insecure://bob@127.0.0.1:2525";
        let outcome = converse(setting, options, ours, &[letter(1)]).await.unwrap().remove(0);
        let shown = format!("{outcome:?}");
        assert!(shown.contains("535") && !shown.contains(echo), "{shown}");
    }
}

#[tokio::test]
async fn a_server_without_xoauth2_is_given_no_token() {
    let server = Server::start().await;
    let url = format!("smtp+insecure://bob@{}", server.address);
    let options = with_token(OauthToken::Fixed("secret-token".to_owned()));
    let outcome = send_by(&Mailer::from_url(&url, options).unwrap(), &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred");
    assert_eq!(server.commands().len(), 1);
}

#[test]
fn user_password_and_token_must_make_one_way_to_sign_in() {
    let token = OauthToken::Fixed("secret-token".to_owned());
    for (url, options) in [
        ("smtp://bob@mail.example", options()),
        ("smtp://bob:pw@mail.example", with_token(token.clone())),
        ("smtp://mail.example", with_token(token.clone())),
        ("smtp+insecure://bob@mail.example", with_token(token.clone())),
        ("smtp+opportunistic://bob@mail.example", with_token(token.clone())),
        ("smtp+opportunistic://bob:pw@mail.example", options()),
    ] {
        let error = Mailer::from_url(url, options).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("bob"), "{error}");
    }
    let mailer = Mailer::from_url("smtp://bob@mail.example", with_token(token)).unwrap();
    assert_eq!(mailer.describe(), "smtp://mail.example:587 (STARTTLS required, signed in)");
    assert!(!format!("{mailer:?}").contains("secret-token"));
}

#[tokio::test]
async fn opportunistic_tls_is_used_where_it_is_offered_and_done_without_where_not() {
    let (_dir, ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), false).await;
    server.script([Plan::default().offering(&["STARTTLS"])]);
    for _ in 0..2 {
        let mailer = reaching(&server, "smtp+opportunistic", "", Some(ca.clone()));
        let outcome = send_by(&mailer, &letter(1), open()).await;
        assert_eq!(name(&outcome), "sent", "{outcome:?}");
    }
    let commands = server.commands();
    let verbs = commands.iter().filter(|line| *line == "STARTTLS").count();
    assert_eq!((verbs, server.letters().len()), (1, 2), "{commands:?}");
}

#[tokio::test]
async fn opportunistic_tls_that_is_offered_and_bad_is_no_reason_to_go_in_clear() {
    let (_dir, _ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), false).await;
    server.always(Plan::default().offering(&["STARTTLS"]));
    let outcome = send_by(&reaching(&server, "smtp+opportunistic", "", None), &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred", "{outcome:?}");
    assert!(server.letters().is_empty());
}
