//! DKIM against the vectors of RFC 8463, appendix A, and against a verifier that shares no code with the signer's head.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{
    ED25519, Ed25519KeyPair, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};
use sha2::{Digest, Sha256};

use super::*;

const RSA: &str = include_str!("../../../tests/mail/keys/rsa2048.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/mail/keys/rsa2048_pkcs1.pem");
const RSA_SHORT: &str = include_str!("../../../tests/mail/keys/rsa1024.pem");
const EDWARDS: &str = include_str!("../../../tests/mail/keys/ed25519.pem");

/// RFC 8463, A.3: the message that both vectors sign.
const MESSAGE: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const BODY_HASH: &str = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";
const NAMES: [&str; 9] =
    ["from", "to", "subject", "date", "message-id", "from", "subject", "date", "reply-to"];

/// A vector's field up to `b=`, as it is folded there.
fn vector(algorithm: &str, selector: &str, names: &str) -> String {
    format!(
        "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n d=football.example.com; \
         i=@football.example.com;\r\n q=dns/txt; s={selector}; t=1528637909; h={names};\r\n bh={BODY_HASH};\r\n b="
    )
}

fn data(algorithm: &str, selector: &str, names: &str) -> Vec<u8> {
    let (fields, _) = canon::split(MESSAGE.as_bytes());
    signed_data(&fields, &NAMES, vector(algorithm, selector, names).as_bytes())
}

#[test]
fn the_body_hash_of_rfc_8463_is_made() {
    let (_, body) = canon::split(MESSAGE.as_bytes());
    assert_eq!(BASE64.encode(canon::body_hash(body)), BODY_HASH);
}

#[test]
fn the_ed25519_signature_of_rfc_8463_is_made_to_the_byte() {
    let seed = BASE64.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let key = DkimKey::Ed25519(Box::new(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()));
    assert_eq!(key.record(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let names = "from : to :\r\n subject : date : message-id : from : subject : date";
    let signature = key.sign(&data("ed25519-sha256", "brisbane", names)).unwrap();
    let expected = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
    assert_eq!(BASE64.encode(signature), expected);
}

#[test]
fn the_rsa_signature_of_rfc_8463_is_one_over_our_canonical_form() {
    // a key of 1,024 bits, with which we would not sign
    let key = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/\
               byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT\
               +l/K4w3QIDAQAB";
    let signature = "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGd\
                     aSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=";
    // its SubjectPublicKeyInfo without the 22 bytes before the PKCS#1 key
    let public = BASE64.decode(key).unwrap().split_off(22);
    let key = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, public);
    let signature = BASE64.decode(signature).unwrap();
    let names = "from : to : subject :\r\n date : message-id : from : subject : date";
    let signed = data("rsa-sha256", "test", names);
    key.verify(&signed, &signature).unwrap();
    assert!(key.verify(&[&signed, b" ".as_slice()].concat(), &signature).is_err());
}

#[test]
fn keys_are_read_in_every_form_and_published_as_openssl_publishes_them() {
    let published = DkimKey::from_pem(RSA).unwrap().record();
    assert_eq!(published, format!("v=DKIM1; k=rsa; p={RSA_PUBLIC}"));
    assert_eq!(DkimKey::from_pem(RSA_PKCS1).unwrap().record(), published);
    let edwards = DkimKey::from_pem(EDWARDS).unwrap().record();
    assert_eq!(edwards, format!("v=DKIM1; k=ed25519; p={EDWARDS_PUBLIC}"));
    let new = DkimKey::new_ed25519().unwrap();
    assert_ne!(DkimKey::from_pem(&new).unwrap().record(), edwards);
}

#[test]
fn a_key_that_does_not_do_is_refused_and_not_repeated() {
    let cut = RSA.replace("MII", "MIIB");
    let certificate = RSA.replace("PRIVATE KEY", "CERTIFICATE");
    for bad in ["", "hunter2", RSA_SHORT, cut.as_str(), certificate.as_str(), &RSA[..RSA.len() / 2]] {
        let error = DkimKey::from_pem(bad).unwrap_err();
        assert!(error.contains("private key") || error.contains("neither an RSA key"), "{error}");
    }
    let key = DkimKey::from_pem(EDWARDS).unwrap();
    assert_eq!(format!("{key:?}"), "DkimKey(ed25519-sha256)");
}

fn keys(selectors: &[&str]) -> Vec<(String, DkimKey)> {
    selectors.iter().map(|name| ((*name).to_owned(), DkimKey::from_pem(EDWARDS).unwrap())).collect()
}

#[test]
fn a_signer_needs_names_that_dns_can_hold() {
    for domain in ["", "localhost", "a b.example", "shop.example;", "-\r\n.example", &"a".repeat(300)] {
        assert!(Dkim::new(domain, keys(&["s"])).is_err(), "{domain}");
    }
    for selectors in [&["" as &str] as &[&str], &["a;b"], &["a", "A"], &["a", "b "], &[]] {
        assert!(Dkim::new("shop.example", keys(selectors)).is_err(), "{selectors:?}");
    }
    let dkim = Dkim::new("Shop.Example", keys(&["a", "b.2026"])).unwrap();
    assert_eq!(dkim.records()[1].0, "b.2026._domainkey.shop.example");
}

/// Verifies the first field of a signed message over the rest without other signatures, by the words of RFC 6376, 6.1.3.
fn verifies(signed: &str) -> Result<(), String> {
    let (head, body) = signed.split_once("\r\n\r\n").ok_or("no body")?;
    let mut fields: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match fields.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(last) => last.push_str(line),
            None => fields.push(line.to_owned()),
        }
    }
    let relaxed = |field: &str| {
        let (name, value) = field.split_once(':').unwrap();
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        format!("{}:{}", name.trim().to_lowercase(), words.join(" "))
    };
    let own = relaxed(&fields.remove(0));
    let tag = |name: &str| {
        own.trim_start_matches("dkim-signature:")
            .split(';')
            .find_map(|tag| tag.trim().strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.replace(' ', ""))
            .unwrap()
    };
    let lines: Vec<String> = body
        .split("\r\n")
        .map(|line| {
            let words: Vec<&str> = line.split([' ', '\t']).collect();
            let joined = words.iter().enumerate().filter(|(n, word)| *n == 0 || !word.is_empty());
            joined.map(|(_, word)| *word).collect::<Vec<_>>().join(" ").trim_end().to_owned()
        })
        .collect();
    let body = lines.join("\r\n");
    let body = body.trim_end_matches("\r\n");
    let body = if body.is_empty() { String::new() } else { format!("{body}\r\n") };
    if BASE64.encode(Sha256::digest(body)) != tag("bh") {
        return Err("the body is not the one that was signed".to_owned());
    }
    let mut text = String::new();
    for name in tag("h").split(':') {
        let found = fields.iter().rposition(|f| relaxed(f).starts_with(&format!("{name}:")));
        text.extend(found.map(|n| relaxed(&fields.remove(n)) + "\r\n"));
    }
    text.push_str(own.split(" b=").next().unwrap());
    text.push_str(" b=");
    let signature = BASE64.decode(tag("b")).map_err(|e| e.to_string())?;
    let verified = match tag("a").as_str() {
        "rsa-sha256" => {
            let public = BASE64.decode(RSA_PUBLIC).unwrap().split_off(24);
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(text.as_bytes(), &signature)
        }
        _ => UnparsedPublicKey::new(&ED25519, BASE64.decode(EDWARDS_PUBLIC).unwrap())
            .verify(&Sha256::digest(text), &signature),
    };
    verified.map_err(|_| "the signature does not fit".to_owned())
}

const LETTER: &str = "From: \"Corner Shop\" <shop@shop.example>\r\n\
    To: <ann@people.example>\r\n\
    Subject: =?utf-8?Q?St=C3=BChle?=\r\n\t =?utf-8?Q?_wieder_da?=\r\n\
    List-Unsubscribe: <https://shop.example/u?token=t1>\r\n\
    List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\
    Feedback-ID: cmp_1:restock:restock:shop1\r\n\
    X-Odd: never signed\r\n\
    \r\n\
    Hello,\r\n..two  dots \r\n\r\n.\r\n\r\n\r\n";

fn both() -> Dkim {
    let key = |pem| DkimKey::from_pem(pem).unwrap();
    Dkim::new("shop.example", vec![("r1".to_owned(), key(RSA)), ("e1".to_owned(), key(EDWARDS))]).unwrap()
}

/// Each signature alone before the letter.
fn signed(letter: &str) -> Vec<String> {
    let fields = String::from_utf8(both().sign(letter.as_bytes()).unwrap()).unwrap();
    let second = fields.rfind("DKIM-Signature:").unwrap();
    let (one, two) = fields.split_at(second);
    vec![format!("{one}{letter}"), format!("{two}{letter}")]
}

#[test]
fn a_letter_carries_a_good_signature_of_each_key() {
    for message in signed(LETTER) {
        assert_eq!(verifies(&message), Ok(()), "{message}");
        assert!(message.split("\r\n").all(|line| line.len() <= 78), "{message}");
        let head = message.replace("\r\n ", " ");
        let list = "h=from:from: to:to: subject:subject: date: message-id: reply-to: mime-version: content-type: \
                    list-unsubscribe: list-unsubscribe-post: feedback-id; ";
        assert!(head.contains(list), "{head}");
        assert!(head.contains("d=shop.example; s=") && !head.contains(" t="), "{head}");
    }
    assert_eq!(signed(LETTER), signed(LETTER), "the same letter has the same signatures");
}

#[test]
fn a_change_of_what_is_signed_is_seen_and_one_of_blanks_is_not() {
    let seen = [
        ("Corner Shop", "Corner  Shopp"),
        ("<ann@people.example>", "<bob@people.example>"),
        ("_wieder_da", "_wieder_weg"),
        ("token=t1", "token=t2"),
        ("One-Click", "Two-Clicks"),
        ("shop1\r\n", "shop2\r\n"),
        ("Hello,", "hello,"),
        ("\r\n\r\n.\r\n", "\r\n\r\n..\r\n"),
        ("From: ", "From: \"Evil\" <evil@evil.example>\r\nFrom: "),
        ("X-Odd: ", "Subject: another\r\nX-Odd: "),
        ("X-Odd: ", "Reply-To: evil@evil.example\r\nX-Odd: "),
        ("X-Odd: ", "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nX-Odd: "),
        ("d=shop.example", "d=evil.example"),
    ];
    let unseen = [
        ("X-Odd: never", "X-Odd: ever"),
        ("Subject: ", "SUBJECT:   "),
        ("two  dots ", "two dots"),
        ("\r\n\r\n\r\n", "\r\n"),
        ("X-Odd: ", "Received: by relay\r\nX-Odd: "),
        // a relay puts its own on top, and the last one is the one that was signed
        ("From: ", "Feedback-ID: of the relay\r\nFrom: "),
    ];
    for message in signed(LETTER) {
        let changed = |from: &str, to: &str| {
            assert!(message.contains(from), "{from}");
            let at = message.rfind(from).unwrap();
            format!("{}{to}{}", &message[..at], &message[at + from.len()..])
        };
        for (from, to) in seen {
            assert!(verifies(&changed(from, to)).is_err(), "{from:?} became {to:?} and nobody saw it");
        }
        for (from, to) in unseen {
            assert_eq!(verifies(&changed(from, to)), Ok(()), "{from:?} became {to:?}");
        }
    }
}

#[test]
fn odd_letters_are_signed_well() {
    for letter in
        ["From: a@b.example\r\n\r\n", "From: a@b.example\r\n\r\n\r\n\r\n", "From: a@b.example\r\n\r\n \r\nx"]
    {
        for message in signed(letter) {
            assert_eq!(verifies(&message), Ok(()), "{message}");
        }
    }
    // RFC 6376, 3.4.4: an empty body is hashed as nothing
    let empty = String::from_utf8(both().sign(b"From: a@b.example\r\n\r\n").unwrap()).unwrap();
    assert!(
        empty.replace("\r\n ", " ").contains("bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"),
        "{empty}"
    );
}

const RSA_PUBLIC: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxg29xFZf3TzEUsdkyycLwtBi7C2sJYEED5i+jH/vF2tmAnqzumnMK3HU\
    IOM86XSfpnm9PqkHLuGNXOV9MgHmqzDiNaVvZ8E2fYySFpB3rJUsNvhVbmMmcPJXRHcuFDWex3CE1aaXbaj/58KtXJak+652XG9f\
    0JcOvQZHDM0ea4OxzPGihIjZre+p0mr7OVwQQCaDiI1n0xFf89lLlCuWNSxiOpYBBQxHNqxSX/WT2sQV60UuVerO6wPISwWMIopN\
    ABfzRcsxnk9zVsWtTjNjxND9jQCf24XZQNVPRjbb+N1D/YZTQgLNK72UT3AR04lE2RmXTkYEzkr0lL7HmM4faQIDAQAB";
const EDWARDS_PUBLIC: &str = "U0JSTMIEiKPGl+rSd+XIgl26U3gAwsvd97iD18wrMa0=";
