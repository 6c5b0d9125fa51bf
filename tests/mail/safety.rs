//! TLS and passwords: nothing leaves in clear that must not, and no fault of the shop's own fails a recipient.

use std::path::PathBuf;
use std::sync::Arc;

use restockd_mail::{MailOptions, Mailer};
use restockd_testkit::mail_server::{Act, Duplex, Phase, Plan, Server, Upgrade};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::fixture::{course, letter, name, open, options, send, send_by};

/// An authority in a file, and a server that has a certificate of it for `localhost`.
pub fn authority() -> (tempfile::TempDir, PathBuf, Upgrade) {
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, ca_certificate.pem()).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upgrade: Upgrade = Arc::new(move |stream: Box<dyn Duplex>| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            let stream = acceptor.accept(stream).await.ok()?;
            Some(Box::new(stream) as Box<dyn Duplex>)
        })
    });
    (dir, path, upgrade)
}

pub fn reaching(server: &Server, scheme: &str, sign_in: &str, ca_file: Option<PathBuf>) -> Mailer {
    let url = format!("{scheme}://{sign_in}localhost:{}", server.address.port());
    Mailer::from_url(&url, MailOptions { ca_file, ..options() }).unwrap()
}

const TLS: [&str; 2] = ["STARTTLS", "PIPELINING"];

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_clear() {
    let server = Server::start().await;
    let mailer = reaching(&server, "smtp", "bob:s3cret@", None);
    let outcome = send_by(&mailer, &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred");
    assert!(format!("{outcome:?}").contains("does not offer STARTTLS"), "{outcome:?}");
    assert!(server.commands().iter().all(|line| line.starts_with("EHLO")), "{:?}", server.commands());
}

#[tokio::test]
async fn starttls_protects_the_letter_and_the_password() {
    let (_dir, ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), false).await;
    server.always(Plan::default().offering(&["STARTTLS", "PIPELINING", "AUTH PLAIN"]));
    let mut courier = reaching(&server, "smtp", "bob:s3cret@", Some(ca)).courier();
    for n in 0..2 {
        let outcome = send(&mut courier, &letter(n), open()).await;
        assert_eq!(name(&outcome), "sent", "{outcome:?}");
    }
    courier.close().await;
    let commands = server.commands();
    let verbs: Vec<&str> = commands.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(verbs.get(..4).unwrap(), ["EHLO", "STARTTLS", "EHLO", "AUTH"]);
    assert_eq!(commands[3], "AUTH PLAIN AGJvYgBzM2NyZXQ=");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn tls_from_the_first_byte_works_and_keeps_its_connection() {
    let (_dir, ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), true).await;
    let mut courier = reaching(&server, "smtps", "", Some(ca)).courier();
    for n in 0..2 {
        let outcome = send(&mut courier, &letter(n), open()).await;
        assert_eq!(name(&outcome), "sent", "{outcome:?}");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_trust_defers() {
    let (_dir, _ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), false).await;
    server.always(Plan::default().offering(&TLS));
    let outcome = send_by(&reaching(&server, "smtp", "", None), &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred", "{outcome:?}");
    assert!(server.letters().is_empty());
}

#[tokio::test]
async fn words_slipped_in_before_tls_are_refused() {
    let (_dir, ca, upgrade) = authority();
    let server = Server::start_with(Some(upgrade), false).await;
    let plan = Plan::default().offering(&TLS);
    server.always(plan.at(Phase::StartTls, Act::Raw(b"220 go\r\n250 injected\r\n")));
    let outcome = send_by(&reaching(&server, "smtp", "", Some(ca)), &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred");
    assert!(format!("{outcome:?}").contains("before TLS"), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_password_is_not_the_recipients_fault() {
    let server = Server::start().await;
    server.always(Plan::default().at(Phase::Auth, Act::Say("535 5.7.8 no, bob@shop.example")));
    let mailer =
        Mailer::from_url(&format!("smtp+insecure://bob:s3cret@{}", server.address), options()).unwrap();
    let outcome = send_by(&mailer, &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred");
    let shown = format!("{outcome:?}");
    assert!(shown.contains("sign in") && shown.contains("535") && !shown.contains("bob"), "{shown}");
}

#[tokio::test]
async fn login_is_spoken_where_plain_is_not() {
    let server = Server::start().await;
    server.always(Plan::default().offering(&["AUTH=LOGIN"]));
    let url = format!("smtp+insecure://bob%40shop:s3c%3Aret@{}", server.address);
    let outcome = send_by(&Mailer::from_url(&url, options()).unwrap(), &letter(1), open()).await;
    assert_eq!(name(&outcome), "sent", "{outcome:?}");
    let commands = server.commands();
    assert_eq!(commands.get(1..4).unwrap(), ["AUTH LOGIN", "Ym9iQHNob3A=", "czNjOnJldA=="]);
}

#[tokio::test]
async fn a_password_without_a_way_to_give_it_defers() {
    let server = Server::start().await;
    server.always(Plan::default().offering(&["AUTH CRAM-MD5"]));
    let url = format!("smtp+insecure://bob:s3cret@{}", server.address);
    let outcome = send_by(&Mailer::from_url(&url, options()).unwrap(), &letter(1), open()).await;
    assert_eq!(name(&outcome), "deferred");
    assert_eq!(server.commands().len(), 1);
}

#[tokio::test]
async fn a_server_that_repeats_the_password_does_not_get_it_into_an_outcome() {
    // `\0user\0secret-word` and its parts, as AUTH sends them
    for echo in ["secret-word", "AHVzZXIAc2VjcmV0LXdvcmQ="] {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let words =
            format!("220 relay\r\n250-relay\r\n250 AUTH PLAIN\r\n535 no user has {echo}, go away\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut theirs, words.as_bytes()).await.unwrap();
        let setting = "smtp+insecure://user:secret-word@127.0.0.1:2525";
        let letters = [letter(1)];
        let outcomes =
            restockd_mail::fuzzing::converse(setting, MailOptions::default(), ours, &letters).await;
        let outcome = outcomes.unwrap().remove(0);
        assert_eq!(course(&outcome), "deferred at connection, the shop's");
        let reply = outcome.diagnostic.to_string();
        assert!(reply.contains("535") && !reply.contains(echo), "{reply}");
    }
}

#[tokio::test]
async fn a_server_that_knows_the_password_from_before_does_not_get_it_into_an_outcome_at_any_step() {
    let steps = ["554 go away secret-word\r\n", "220 relay\r\n554 go away secret-word\r\n"];
    for words in steps {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, words.as_bytes()).await.unwrap();
        let setting = "smtp+insecure://user:secret-word@127.0.0.1:2525";
        let letters = [letter(1)];
        let talk = restockd_mail::fuzzing::converse(setting, MailOptions::default(), ours, &letters);
        let outcome = talk.await.unwrap().remove(0);
        let shown = format!("{outcome:?}");
        assert!(!shown.contains("secret-word") && shown.contains("not repeated"), "{words:?}: {shown}");
    }
}

#[tokio::test]
async fn a_refusal_that_holds_the_password_is_kept_without_it() {
    let server = Server::start().await;
    server.always(Plan::default().at(Phase::Rcpt, Act::Say("550 5.1.1 secret-word has no such user")));
    let url = format!("smtp+insecure://bob:secret-word@{}", server.address);
    let outcome = send_by(&Mailer::from_url(&url, options()).unwrap(), &letter(1), open()).await;
    assert_eq!(name(&outcome), "failed");
    assert!(!format!("{outcome:?}").contains("secret-word"), "{outcome:?}");
}
