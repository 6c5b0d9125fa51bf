//! What a letter looks like on the wire: headers, encoding, and that no part of it can end or forge a mail.

use restockd_mail::Letter;
use restockd_testkit::mail_server::{Plan, Server};

use crate::fixture::{course, letter, mailer, name, open, options, send, send_by};

/// The message as the server took it.
async fn sent(letter: &Letter) -> String {
    let server = Server::start().await;
    let outcome = send_by(&mailer(&server, options()), letter, open()).await;
    assert_eq!(name(&outcome), "sent", "{outcome:?}");
    let letters = server.letters();
    assert_eq!(letters.len(), 1, "one letter went in");
    assert!(server.commands().iter().filter(|line| *line == ".").count() == 1);
    letters[0].message.clone()
}

fn header<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    let prefix = format!("{name}: ");
    head.lines().filter_map(|line| line.strip_prefix(prefix.as_str())).collect()
}

#[tokio::test]
async fn the_headers_are_complete() {
    let mut letter = letter(1);
    letter.reply_to = Some("help@shop.example".parse().unwrap());
    letter.envelope_from = Some("bounce+t1@shop.example".to_owned());
    let server = Server::start().await;
    let outcome = send_by(&mailer(&server, options()), &letter, open()).await;
    assert_eq!(course(&outcome), "sent at dot");
    assert_eq!(outcome.diagnostic.to_string(), "250 2.0.0 ok: queued as DOUBLE");
    let taken = server.letters().remove(0);
    assert_eq!(taken.from, "MAIL FROM:<bounce+t1@shop.example>");
    assert_eq!(taken.to, "RCPT TO:<ann1@people.example>");
    let expected = [
        ("From", "\"Corner Shop\" <shop@shop.example>"),
        ("To", "<ann1@people.example>"),
        ("Reply-To", "<help@shop.example>"),
        ("Subject", "Studio chair is back in stock"),
        ("Date", "Thu, 1 Jan 2026 00:00:00 +0000"),
        ("Message-ID", "<letter1.abc@shop.example>"),
        ("List-Id", "<restock-chair-01.shop.example>"),
        ("List-Unsubscribe", "<https://shop.example/v1/email/unsubscribe?token=t1>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("MIME-Version", "1.0"),
    ];
    for (name, value) in expected {
        assert_eq!(header(&taken.message, name), [value], "{name} in {}", taken.message);
    }
    assert!(taken.message.contains("multipart/alternative"));
    let text = taken.message.find("text/plain; charset=\"utf-8\"").unwrap();
    assert!(taken.message.find("text/html; charset=\"utf-8\"").unwrap() > text);
}

#[tokio::test]
async fn the_same_letter_is_the_same_bytes() {
    assert_eq!(sent(&letter(1)).await, sent(&letter(1)).await);
}

#[tokio::test]
async fn words_of_the_world_arrive_in_ascii() {
    let mut letter = letter(1);
    letter.subject = "Stühle – 椅子 sind wieder da".repeat(8);
    letter.text = "Grüße 椅子\n".repeat(50);
    letter.html = format!("<p>{}</p>", "x".repeat(5_000));
    letter.from = "\"Café, \\\"Zoë\\\" (椅子)\" <shop@shop.example>".parse().unwrap();
    let message = sent(&letter).await;
    assert!(message.is_ascii());
    assert!(message.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[tokio::test]
async fn a_text_goes_as_it_is_unless_something_on_the_way_might_change_it() {
    let long = "x".repeat(901);
    let cases = [
        ("It is back.\n\tLook: https://shop.example/?a=1", "7bit"),
        ("It is back.\r\nLook.\r\n", "7bit"),
        ("Look.\n.\n..\n", "7bit"),
        (&long[1..], "7bit"),
        (long.as_str(), "quoted-printable"),
        ("It is back. \nLook.", "quoted-printable"),
        (
            "From us to you, and this line goes on until it is so long that no mail program shows it whole.\nX",
            "quoted-printable",
        ),
        ("Es ist zur\u{fc}ck.", "quoted-printable"),
    ];
    for (text, encoding) in cases {
        let mut letter = letter(1);
        letter.text = text.to_owned();
        let message = sent(&letter).await;
        let part = message.split("\r\n--").nth(1).unwrap();
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Transfer-Encoding: {encoding}")), "{text:?} in {head}");
        assert!(!message.replace("\r\n", "").contains(['\r', '\n']), "line ends are CRLF in {message:?}");
        if encoding == "7bit" {
            assert_eq!(body.trim_end(), text.replace("\r\n", "\n").replace('\n', "\r\n").trim_end());
        }
    }
}

#[tokio::test]
async fn no_header_can_be_forged() {
    let mut letter = letter(1);
    letter.subject = "back\r\nBcc: evil@evil.example\r\n\r\n<b>body</b>\u{2028}x".to_owned();
    letter.list_id = Some("restock-a>\r\nBcc: evil@evil.example\u{fc}".to_owned());
    let message = sent(&letter).await;
    assert!(header(&message, "Bcc").is_empty());
    assert_eq!(header(&message, "Subject"), ["backBcc: evil@evil.example<b>body</b>x"]);
    assert_eq!(header(&message, "List-Id"), ["<restock-a=3E=0D=0ABcc=3A=20evil=40evil.example=C3=BC>"]);
}

#[tokio::test]
async fn no_body_can_end_its_own_mail() {
    for ending in ["\n.\n", "\r.\r", "\r\n.\r\n", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\n.\r", "\r.\n"] {
        let mut letter = letter(1);
        letter.text = format!("one{ending}MAIL FROM:<evil@evil.example>{ending}.two");
        letter.html = format!("<pre>{ending}RCPT TO:<evil@evil.example>{ending}</pre>");
        let server = Server::start().await;
        let mut courier = mailer(&server, options()).courier();
        let outcome = send(&mut courier, &letter, open()).await;
        assert_eq!(name(&outcome), "sent", "{}: {outcome:?}", ending.escape_debug());
        courier.close().await;
        assert_eq!(server.letters().len(), 1);
        assert!(server.commands().iter().all(|line| !line.contains("evil")), "{}", ending.escape_debug());
        let message = &server.letters()[0].message;
        assert!(message.contains("one\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n.\r\n.two"), "{message}");
    }
}

#[tokio::test]
async fn a_letter_that_cannot_be_written_fails_alone_and_unsent() {
    let server = Server::start().await;
    let mut courier = mailer(&server, options()).courier();
    let breaks: [fn(&mut Letter); 6] = [
        |l| l.to = "ann@people.example>\r\nRCPT TO:<evil@evil.example".to_owned(),
        |l| l.to = "nobody".to_owned(),
        |l| l.message_id = "a b@c".to_owned(),
        |l| l.message_id = "a@b>\r\nBcc: x@y".to_owned(),
        |l| l.unsubscribe_url = Some("javascript:alert(1)".to_owned()),
        |l| l.envelope_from = Some("x y".to_owned()),
    ];
    for (n, spoil) in breaks.into_iter().enumerate() {
        let mut letter = letter(1);
        spoil(&mut letter);
        let outcome = courier.deliver(&letter, open()).await;
        assert_eq!(course(&outcome), "failed at connection", "{n} {outcome:?}");
        assert!(!format!("{outcome:?}").contains("people"));
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(name(&send(&mut courier, &letter(1), open()).await), "sent");
}

#[tokio::test]
async fn an_address_outside_ascii_needs_a_server_that_takes_it() {
    let server = Server::start().await;
    server.script([Plan::default().offering(&["PIPELINING"])]);
    let mut letter = letter(1);
    letter.to = "zoë@people.example".to_owned();
    let mailer = mailer(&server, options());
    let mut courier = mailer.courier();
    assert_eq!(course(&send(&mut courier, &letter, open()).await), "failed at connection");
    assert_eq!(name(&send(&mut courier, &crate::fixture::letter(2), open()).await), "sent");
    let mut other = mailer.courier();
    assert_eq!(name(&send(&mut other, &letter, open()).await), "sent");
    assert!(server.letters()[1].from.ends_with(" SMTPUTF8"));
}
