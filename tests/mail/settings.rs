//! The mail setting: what is understood, what is refused, and that a password is never repeated.

use restockd_mail::{Address, MailOptions, Mailer};

use crate::fixture::letter;

#[test]
fn every_form_is_understood() {
    let table = [
        ("memory:", "memory", 4),
        ("discard:", "making each letter and throwing it away", 4),
        ("discard:unmade", "counting letters, none is made", 4),
        ("smtp://mail.example", "smtp://mail.example:587 (STARTTLS required)", 10),
        ("SMTP://a:b@mail.example:2525/", "smtp://mail.example:2525 (STARTTLS required, signed in)", 10),
        ("smtps://a%40b.example:p%2Fw@mail.example", "smtps://mail.example:465 (TLS, signed in)", 10),
        ("smtps://a:p@ss/w@mail.example", "smtps://mail.example:465 (TLS, signed in)", 10),
        ("smtp+insecure://10.0.0.7", "smtp+insecure://10.0.0.7:25 (not encrypted)", 10),
        ("smtp+insecure://[::1]:1025", "smtp+insecure://[::1]:1025 (not encrypted)", 10),
        (
            "smtp+opportunistic://mail.example",
            "smtp+opportunistic://mail.example:25 (encrypted only where offered)",
            10,
        ),
        ("smtp+insecure://a:b@localhost:25", "smtp+insecure://localhost:25 (not encrypted, signed in)", 10),
    ];
    for (setting, described, connections) in table {
        let mailer = Mailer::from_url(setting, MailOptions::default()).unwrap();
        assert_eq!(mailer.describe(), described);
        assert_eq!(mailer.to_string(), described);
        assert_eq!(mailer.connections(), connections);
        assert_eq!(mailer.outbox().is_some(), setting.starts_with("memory"));
    }
}

#[test]
fn mistakes_are_refused_without_repeating_them() {
    let table = [
        "",
        "mail.example",
        "http://mail.example",
        "smtp:mail.example",
        "smtp://",
        "smtp://:25",
        "smtp://mail.example:0",
        "smtp://mail.example:99999",
        "smtp://mail.example:port",
        "smtp://mail.example:",
        "smtp://mail.example/path",
        "smtp://mail example",
        "smtp://[::1",
        "smtp://[nonsense]:25",
        "smtp://[::1]25",
        "smtp://hunter2@mail.example",
        "smtp://bob:@mail.example",
        "smtp://:hunter2@mail.example",
        "smtp://bob:hunter2%00@mail.example",
        "smtp://bob:hunter2%ff@mail.example",
        "smtp+insecure://bob:hunter2@mail.example",
        "folder:",
        "folder://outbox",
        "memory:x",
        "discard:made",
    ];
    for setting in table {
        let error = Mailer::from_url(setting, MailOptions::default()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("mail setting"), "{setting}: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn options_out_of_bounds_are_refused() {
    let missing = Some("/nonexistent/ca.pem".into());
    let bad = [
        MailOptions { connections: Some(0), ..MailOptions::default() },
        MailOptions { connections: Some(1_001), ..MailOptions::default() },
        MailOptions { letters_per_connection: 0, ..MailOptions::default() },
        MailOptions { hello_name: Some("a b".to_owned()), ..MailOptions::default() },
        MailOptions { ca_file: missing, ..MailOptions::default() },
    ];
    for options in bad {
        assert!(Mailer::from_url("smtp://mail.example", options.clone()).is_err(), "{options:?}");
    }
}

#[test]
fn no_debug_text_holds_a_password_or_an_address() {
    let mailer = Mailer::from_url("smtp://bob:hunter2@mail.example", MailOptions::default()).unwrap();
    let mut letter = letter(1);
    letter.reply_to = Some("Help <help@shop.example>".parse().unwrap());
    let shown = format!("{mailer:?} {mailer} {:?} {letter:?} {:?}", mailer.courier(), letter.from);
    for secret in ["bob", "hunter2", "ann1", "people.example", "shop@", "help"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn addresses_are_read_or_refused() {
    let good = [
        ("a@b.example", None, "a@b.example"),
        (" Corner Shop <shop@shop.example> ", Some("Corner Shop"), "shop@shop.example"),
        ("\"Shop, \\\"Corner\\\"\" <s@b.example>", Some("Shop, \"Corner\""), "s@b.example"),
        ("<s@b.example>", None, "s@b.example"),
        ("Café Zoë <s@b.example>", Some("Café Zoë"), "s@b.example"),
    ];
    for (text, name, email) in good {
        let address: Address = text.parse().unwrap();
        assert_eq!((address.name(), address.email()), (name, email));
    }
    let bad = [
        "",
        "a",
        "a@",
        "@b",
        "a b@c.example",
        "a@b.example>",
        "a@b.example\r\nRCPT TO:<x@y>",
        "\"a b\"@c.example",
        "a@b.example,c@d.example",
        "Shop\r\nBcc: x@y.example <s@b.example>",
        "Shop\u{202e} <s@b.example>",
        "Shop\u{2028} <s@b.example>",
        "Shop <s@b.example",
        "Shop <s@b.example> x",
    ];
    for text in bad {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
    assert!(Address::named("Shop\nBcc: x", "s@b.example").is_err());
    assert!(Address::named(&"x".repeat(201), "s@b.example").is_err());
    assert!(Address::bare(&format!("{}@b.example", "a".repeat(250))).is_err());
    assert!(Address::named("  ", "s@b.example").unwrap().name().is_none());
}
