//! Reports as mail systems write them: a corpus written for these tests, in the manner of each system, with what
//! each must be read as; and what no report is, however it is made.
#![allow(clippy::unwrap_used)]

mod hostile;
mod pipe;
mod relays;

use std::path::PathBuf;

use restockd_core::feedback::FeedbackKind;
use restockd_feedback::{ParsedMessage, UnverifiedReport, read};

/// The token in the samples' envelopes: of the right form, and nobody's.
const TOKEN: &str = "aebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4qcc";
/// The letter's Message-ID in the samples.
const LETTER: &str = "0123456789abcdef0123456789abcdef@shop.example";
/// The address that most samples name.
const ANN: &str = "ann@reader.example";

/// A sample, what it says, its status, the address it names first, and whether the token is found in it.
type Row = (&'static str, FeedbackKind, Option<&'static str>, Option<&'static str>, bool);

const REPORTS: [Row; 24] = [
    ("postfix_no_such_user", FeedbackKind::HardBounce, Some("5.1.1"), Some(ANN), true),
    ("postfix_mailbox_full", FeedbackKind::SoftBounce, Some("5.2.2"), Some(ANN), true),
    ("postfix_delayed", FeedbackKind::Delayed, Some("4.4.1"), Some(ANN), true),
    ("postfix_delivered", FeedbackKind::Delivered, Some("2.0.0"), Some(ANN), true),
    ("postfix_gave_up", FeedbackKind::SoftBounce, Some("4.4.1"), Some(ANN), true),
    ("postfix_alias_of_two", FeedbackKind::Delivered, Some("2.0.0"), Some(ANN), true),
    ("exim_no_such_user", FeedbackKind::HardBounce, Some("5.1.1"), Some(ANN), true),
    ("exim_without_a_code", FeedbackKind::SoftBounce, Some("5.0.0"), Some(ANN), true),
    ("exchange_no_such_recipient", FeedbackKind::HardBounce, Some("5.1.10"), Some(ANN), true),
    ("exchange_access_denied", FeedbackKind::Policy, Some("5.7.708"), Some(ANN), true),
    ("gmail_no_such_user", FeedbackKind::HardBounce, Some("5.1.1"), Some(ANN), true),
    ("gmail_not_authenticated", FeedbackKind::Policy, Some("5.7.26"), Some(ANN), true),
    ("gmail_inactive", FeedbackKind::HardBounce, Some("5.2.1"), Some(ANN), true),
    ("sendmail_no_such_host", FeedbackKind::HardBounce, Some("5.1.2"), Some(ANN), true),
    ("sendmail_expired", FeedbackKind::SoftBounce, Some("4.4.7"), Some(ANN), true),
    ("amazon_ses_message", FeedbackKind::HardBounce, Some("5.1.1"), Some(ANN), true),
    ("utf8_no_such_user", FeedbackKind::HardBounce, Some("5.1.1"), Some(ANN), true),
    ("yahoo_abuse", FeedbackKind::Complaint, None, Some(ANN), true),
    ("aol_abuse_without_an_address", FeedbackKind::Complaint, None, Some("redacted@aol.com"), true),
    ("outlook_jmrp", FeedbackKind::Complaint, None, Some(ANN), false),
    ("comcast_abuse", FeedbackKind::Complaint, None, Some(ANN), false),
    ("cfbl_abuse", FeedbackKind::Complaint, None, None, true),
    ("opt_out", FeedbackKind::Complaint, None, Some(ANN), false),
    ("not_spam", FeedbackKind::NotSpam, None, Some(ANN), true),
];

const NOTHING: [(&str, &str); 4] = [
    ("qmail", "not a report of a kind that is understood"),
    ("away", "an automatic reply"),
    ("a_question", "not a report of a kind that is understood"),
    ("dmarc_failure", "a report that says nothing about a letter"),
];

/// A sample's text.
fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/returns/samples/{name}.eml"));
    std::fs::read_to_string(path).unwrap()
}

/// A text with both kinds of line ends.
fn both(text: &str) -> [String; 2] {
    [text.to_owned(), text.replace('\n', "\r\n")]
}

/// The one claim of a message that is a report.
fn claim(text: &str) -> UnverifiedReport {
    match read(text.as_bytes(), None) {
        ParsedMessage::Reports(mut claims) if claims.len() == 1 => claims.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_sample_is_read_as_what_it_says() {
    for (name, kind, status, address, token) in REPORTS {
        for text in both(&sample(name)) {
            let claim = claim(&text);
            assert_eq!(claim.kind, kind, "{name}");
            assert_eq!(claim.status.map(|status| status.to_string()).as_deref(), status, "{name}");
            assert_eq!(claim.addresses.first().map(|email| email.as_str()), address, "{name}");
            assert_eq!(claim.tokens.iter().any(|found| found == TOKEN), token, "{name}");
            assert_eq!(claim.message_id.as_deref(), Some(LETTER), "{name}");
            assert_eq!(claim.links.len(), 1, "{name}");
        }
    }
}

#[test]
fn every_sample_on_disk_is_in_a_table() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/returns/samples");
    let known: Vec<&str> =
        REPORTS.iter().map(|row| row.0).chain(NOTHING.iter().map(|(name, _)| *name)).collect();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.trim_end_matches(".eml")), "{name}");
        count += 1;
    }
    assert_eq!(count, 28);
}

#[test]
fn what_is_no_report_is_nothing_and_never_a_guess() {
    for (name, why) in NOTHING {
        for text in both(&sample(name)) {
            match read(text.as_bytes(), None) {
                ParsedMessage::Nothing(reason) => assert_eq!(reason, why, "{name}"),
                ParsedMessage::Reports(_) => panic!("{name} was taken for a report"),
            }
        }
    }
}

#[test]
fn the_envelope_gives_a_token_where_the_report_has_none() {
    let text = sample("outlook_jmrp");
    let envelope = format!("bounce+{}@bounces.shop.example", TOKEN.to_uppercase());
    let ParsedMessage::Reports(claims) = read(text.as_bytes(), Some(&envelope)) else {
        panic!("it is a report")
    };
    assert!(claims[0].tokens.contains(&TOKEN.to_uppercase()));
}

#[test]
fn a_report_keeps_its_name_whoever_carries_it() {
    let text = sample("postfix_no_such_user");
    let carried = format!("Received: from a.example by b.example; Mon, 02 Mar 2026 12:02:00 +0000\n{text}");
    assert_eq!(claim(&text).name, claim(&carried).name);
    let unnamed = |text: &str| text.replacen("Message-ID: <20260302120100.1@mx.relay.example>\n", "", 1);
    assert_eq!(claim(&unnamed(&text)).name, claim(&unnamed(&carried)).name);
    assert_ne!(claim(&unnamed(&text)).name, claim(&text).name);
    let other = unnamed(&text).replace("5.1.1", "5.1.2");
    assert_ne!(claim(&other).name, claim(&unnamed(&text)).name);
}

#[test]
fn a_claim_does_not_print_whom_it_is_about() {
    let shown = format!("{:?}", read(sample("yahoo_abuse").as_bytes(), None));
    assert!(shown.contains("Complaint") && !shown.contains("ann") && !shown.contains(TOKEN), "{shown}");
}
