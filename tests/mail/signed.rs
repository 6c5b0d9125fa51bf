//! What the desk does to every letter: signatures, the test inbox; and the headers by which receivers answer.

use restockd_mail::{Complaints, Dkim, DkimKey, Letter, MailOptions, Mailer};
use restockd_testkit::mail_server::{Act, Phase, Plan, Server};

use crate::fixture::{course, letter, mailer, name, open, options, send, send_by};

fn dkim() -> Option<Dkim> {
    let rsa = DkimKey::from_pem(include_str!("keys/rsa2048.pem")).unwrap();
    let edwards = DkimKey::from_pem(include_str!("keys/ed25519.pem")).unwrap();
    let keys = vec![("r1".to_owned(), rsa), ("e1".to_owned(), edwards)];
    Some(Dkim::new("shop.example", keys).unwrap())
}

/// The message as a server took it and as a folder keeps it.
async fn both_ways(letter: &Letter, options: MailOptions) -> (String, String) {
    let server = Server::start().await;
    assert_eq!(name(&send_by(&mailer(&server, options.clone()), letter, open()).await), "sent");
    let dir = tempfile::tempdir().unwrap();
    let folder = Mailer::from_url(&format!("folder:{}", dir.path().display()), options).unwrap();
    assert_eq!(name(&send_by(&folder, letter, open()).await), "sent");
    let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    (server.letters().remove(0).message, std::fs::read_to_string(file).unwrap())
}

#[tokio::test]
async fn a_signed_letter_is_the_same_bytes_on_the_wire_in_a_folder_and_on_every_attempt() {
    let mut letter = letter(1);
    letter.subject = "Stühle – 椅子 sind wieder da".repeat(6);
    letter.text = ".\n..dots\n\ntrailing  \t\n\n\n.\n".to_owned();
    let options = MailOptions { dkim: dkim(), ..options() };
    let (wire, file) = both_ways(&letter, options.clone()).await;
    assert_eq!(wire, file);
    assert_eq!(wire, both_ways(&letter, options.clone()).await.0);
    assert_eq!(wire.matches("DKIM-Signature: ").count(), 2);
    assert!(wire.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=r1;"));
    assert!(
        wire.replace("\r\n ", " ").contains("a=ed25519-sha256; c=relaxed/relaxed; d=shop.example; s=e1;")
    );
    // all that a signature adds stands in front of the letter
    let (unsigned, _) = both_ways(&letter, crate::fixture::options()).await;
    assert!(wire.ends_with(&unsigned));
    assert!(wire.is_ascii() && !wire.replace("\r\n", "").contains(['\r', '\n']));
    let server = Server::start().await;
    assert!(mailer(&server, options).describe().ends_with(", signed for shop.example"));
}

#[tokio::test]
async fn receivers_are_told_where_complaints_go_and_statistics_belong() {
    let mut letter = letter(1);
    letter.feedback_id = Some("cmp_1:ecommerce-back-in-stock:restock:shop42".to_owned());
    let address = "fbl@shop.example".parse().unwrap();
    letter.complaints = Some(Complaints { address, id: "abc234".to_owned() });
    let (wire, _) = both_ways(&letter, MailOptions { dkim: dkim(), ..options() }).await;
    let one_line = wire.replace("\r\n ", " ").replace("\r\n\t", " ");
    for line in [
        "Feedback-ID: cmp_1:ecommerce-back-in-stock:restock:shop42\r\n",
        "CFBL-Address: fbl@shop.example; report=arf\r\n",
        "CFBL-Feedback-ID: abc234\r\n",
        "list-unsubscribe: list-unsubscribe-post: list-id: feedback-id: cfbl-address: cfbl-feedback-id; bh=",
    ] {
        assert!(one_line.contains(line), "{line} in {one_line}");
    }
    let breaks: [fn(&mut Letter); 3] = [
        |l| l.feedback_id = Some("a:b\r\nBcc: evil@evil.example".to_owned()),
        |l| l.feedback_id = Some(String::new()),
        |l| l.complaints.as_mut().unwrap().id = "a b".to_owned(),
    ];
    let server = Server::start().await;
    for spoil in breaks {
        let mut bad = letter.clone();
        spoil(&mut bad);
        let outcome = mailer(&server, options()).courier().deliver(&bad, open()).await;
        assert_eq!(course(&outcome), "failed at connection");
        assert_eq!(outcome.diagnostic.class(), None);
    }
    assert_eq!(server.connections(), 0);
}

fn redirecting() -> MailOptions {
    MailOptions { redirect_to: Some("inbox@test.example".parse().unwrap()), ..options() }
}

#[tokio::test]
async fn a_test_inbox_gets_every_letter_and_nobody_else_gets_any() {
    let server = Server::start().await;
    let mailer = mailer(&server, redirecting());
    assert!(mailer.describe().ends_with(", ALL LETTERS TO THE TEST INBOX"));
    let mut courier = mailer.courier();
    for n in 0..3 {
        let mut letter = letter(n);
        letter.envelope_from = Some("bounce+token@bounces.shop.example".to_owned());
        let address = "fbl@shop.example".parse().unwrap();
        letter.complaints = Some(Complaints { address, id: "token".to_owned() });
        assert_eq!(name(&send(&mut courier, &letter, open()).await), "sent");
    }
    for taken in server.letters() {
        assert_eq!(taken.to, "RCPT TO:<inbox@test.example>");
        // its bounces and complaints are not those of the person
        assert_eq!(taken.from, "MAIL FROM:<shop@shop.example>");
        let text = taken.message;
        assert!(text.contains("\r\nTo: <inbox@test.example>\r\n"), "{text}");
        assert!(text.contains("\r\nSubject: [TEST] Studio chair is back in stock\r\n"), "{text}");
        assert!(text.contains("\r\nList-Unsubscribe: <https://shop.example/"), "{text}");
        assert!(!text.contains("people.example") && !text.contains("CFBL"), "{text}");
    }
    let (wire, file) = both_ways(&letter(1), redirecting()).await;
    assert!(!wire.contains("people.example") && wire == file);
}

#[tokio::test]
async fn a_test_inbox_that_refuses_is_not_the_person() {
    let server = Server::start().await;
    server.always(Plan::default().at(Phase::Rcpt, Act::Say("550 5.1.1 inbox@test.example unknown, inbox")));
    let outcome = send_by(&mailer(&server, redirecting()), &letter(1), open()).await;
    assert_eq!(course(&outcome), "failed at rcpt, the test inbox's");
    assert_eq!((outcome.diagnostic.code, outcome.diagnostic.class()), (Some(550), None));
    let reply = outcome.diagnostic.to_string();
    assert!(reply.starts_with("the test inbox: 550 5.1.1"), "{reply}");
    assert!(!reply.contains("inbox@") && !reply.contains("test.example"), "{reply}");
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_is_the_shops_trouble_with_a_test_inbox_too() {
    let server = Server::start().await;
    server.script([Plan::default().at(Phase::Banner, Act::Say("421 4.3.2 not now"))]);
    let outcome = mailer(&server, redirecting()).courier().ready().await.unwrap_err();
    assert_eq!(course(&outcome), "throttled at connection, the shop's");
    let said = "the test inbox: the mail server turned us away: 421 4.3.2 not now";
    assert_eq!(outcome.diagnostic.to_string(), said);
}
