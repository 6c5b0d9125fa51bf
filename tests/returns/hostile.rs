//! What is made to break a reader: deep, wide, long, cut off, binary, empty. All of it ends, quickly, as nothing or as
//! what it says.

use restockd_core::feedback::FeedbackKind;
use restockd_feedback::{MESSAGE_BYTES_MAX, ParsedMessage, read};

use super::sample;

/// True when nothing was read.
fn nothing(bytes: &[u8]) -> bool {
    matches!(read(bytes, None), ParsedMessage::Nothing(_))
}

#[test]
fn empty_binary_and_oversized_input_is_nothing() {
    assert!(nothing(b"") && nothing(b"\n") && nothing(b"\r\n\r\n") && nothing(&[0; 4096]));
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(nothing(&noise));
    assert!(nothing(&vec![b'a'; MESSAGE_BYTES_MAX + 1]));
}

#[test]
fn a_message_in_a_message_without_end_is_nothing() {
    for part in [
        "Content-Type: message/rfc822\n\n",
        "content-type:message/rfc822\n\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n",
        " Content-Type: message/rfc822\n\n",
    ] {
        let deep = part.repeat(MESSAGE_BYTES_MAX / part.len());
        assert!(nothing(deep.as_bytes()), "{part}");
    }
}

#[test]
fn many_parts_headers_and_groups_end() {
    let mut wide =
        String::from("Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n");
    while wide.len() < MESSAGE_BYTES_MAX - 100 {
        wide.push_str("--b\n\nx\n");
    }
    assert!(nothing(wide.as_bytes()));
    let head = "X-Long: a\n b\n".repeat(MESSAGE_BYTES_MAX / 13);
    assert!(nothing(head.as_bytes()));
    let mut long = String::from("Subject: ");
    long.push_str(&"a ".repeat(500_000));
    assert!(nothing(long.as_bytes()));
    let text = sample("postfix_no_such_user");
    let group =
        "Final-Recipient: rfc822; bea@other.example\nAction: failed\nStatus: 5.1.1\n\n".repeat(10_000);
    let many = text.replace("Final-Recipient: rfc822; ann", &format!("{group}Final-Recipient: rfc822; ann"));
    assert!(matches!(read(many.as_bytes(), None), ParsedMessage::Reports(claims) if claims.len() == 1));
}

#[test]
fn a_report_cut_off_anywhere_is_nothing_or_part_of_what_it_says() {
    for name in ["postfix_no_such_user", "yahoo_abuse", "exchange_access_denied"] {
        let text = sample(name);
        let ParsedMessage::Reports(whole) = read(text.as_bytes(), None) else { panic!("{name} is a report") };
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            if let ParsedMessage::Reports(claims) = read(&text.as_bytes()[..end], None) {
                // What is cut inside its status says less, and less is never worse for the person.
                let kind = claims[0].kind;
                assert!(
                    kind == whole[0].kind || kind == FeedbackKind::SoftBounce,
                    "{name} cut at {end}: {kind:?}"
                );
            }
        }
    }
}

#[test]
fn bytes_that_are_changed_one_by_one_break_nothing() {
    for name in ["postfix_no_such_user", "cfbl_abuse"] {
        let bytes = sample(name).into_bytes();
        for at in 0..bytes.len() {
            for with in [0, b'\n', b';', 0xff] {
                let mut changed = bytes.clone();
                changed[at] = with;
                // It ends, and does not panic.
                drop(read(&changed, Some("bounce+x@y")));
            }
        }
    }
}

#[test]
fn words_and_names_that_are_too_long_are_cut() {
    let text = sample("postfix_no_such_user").replace("User unknown", &"User unknown ".repeat(20_000));
    let ParsedMessage::Reports(claims) = read(text.as_bytes(), Some(&"x".repeat(100_000))) else {
        panic!("a report")
    };
    assert!(claims[0].diagnostic.as_ref().unwrap().chars().count() <= 512);
    assert!(claims[0].tokens.len() <= 16 && claims[0].addresses.len() <= 16);
}
