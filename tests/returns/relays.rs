//! Events as relays send them, written for these tests after their documentation, with what each must be read as.

use restockd_core::feedback::FeedbackKind;
use restockd_feedback::ParsedMessage;
use restockd_feedback::relay::Relay;
use serde_json::{Value, json};

/// What an event says: kinds in order, none for an event without a consequence.
fn kinds(relay: Relay, event: &Value) -> Vec<FeedbackKind> {
    match relay.read(event.to_string().as_bytes(), Some("delivery-1")) {
        ParsedMessage::Reports(claims) => {
            for claim in &claims {
                assert_eq!(claim.addresses[0].as_str(), "ann@reader.example");
                assert!(claim.message_id.is_some() && !claim.name.is_empty());
            }
            claims.iter().map(|claim| claim.kind).collect()
        }
        ParsedMessage::Nothing(_) => Vec::new(),
    }
}

#[test]
fn an_event_of_ses_is_read_by_its_status_and_else_by_its_type() {
    let bounce = |of_type: &str, sub: &str, status: Option<&str>| {
        json!({
            "notificationType": "Bounce",
            "bounce": {
                "feedbackId": "0102-f", "bounceType": of_type, "bounceSubType": sub,
                "timestamp": "2026-03-02T12:00:01.000Z",
                "bouncedRecipients": [{ "emailAddress": "ann@reader.example", "action": "failed", "status": status,
                    "diagnosticCode": "smtp; said by the server" }],
            },
            "mail": { "messageId": "0102-m", "destination": ["ann@reader.example"] },
        })
    };
    for (event, kind) in [
        (bounce("Permanent", "General", Some("5.1.1")), FeedbackKind::HardBounce),
        (bounce("Permanent", "NoEmail", None), FeedbackKind::HardBounce),
        (bounce("Permanent", "OnAccountSuppressionList", None), FeedbackKind::HardBounce),
        (bounce("Permanent", "General", Some("5.7.1")), FeedbackKind::Policy),
        (bounce("Transient", "MailboxFull", Some("5.2.2")), FeedbackKind::SoftBounce),
        (bounce("Transient", "General", None), FeedbackKind::SoftBounce),
        (bounce("Transient", "ContentRejected", None), FeedbackKind::Policy),
        (bounce("Undetermined", "Undetermined", Some("5.0.0")), FeedbackKind::SoftBounce),
    ] {
        assert_eq!(kinds(Relay::Ses, &event), [kind], "{event}");
        let mut newer = event.clone();
        newer["eventType"] = newer["notificationType"].take();
        assert_eq!(kinds(Relay::Ses, &newer), [kind]);
    }
    let complaint = |of_type: Option<&str>| {
        json!({
            "notificationType": "Complaint",
            "complaint": { "feedbackId": "0102-c", "complaintFeedbackType": of_type,
                "complainedRecipients": [{ "emailAddress": "ann@reader.example" }] },
            "mail": { "messageId": "0102-m" },
        })
    };
    assert_eq!(kinds(Relay::Ses, &complaint(Some("abuse"))), [FeedbackKind::Complaint]);
    assert_eq!(kinds(Relay::Ses, &complaint(None)), [FeedbackKind::Complaint]);
    assert_eq!(kinds(Relay::Ses, &complaint(Some("not-spam"))), [FeedbackKind::NotSpam]);
    assert_eq!(kinds(Relay::Ses, &complaint(Some("auth-failure"))), []);
    assert_eq!(kinds(Relay::Ses, &json!({ "notificationType": "Delivery" })), []);
}

#[test]
fn an_event_of_postmark_is_read_by_its_type() {
    let bounce = |of_type: &str, details: &str| {
        json!({ "RecordType": "Bounce", "ID": 42, "Type": of_type, "Email": "ann@reader.example", "MessageID": "00000000-0000",
            "Details": details, "BouncedAt": "2026-03-02T12:00:01Z", "Inactive": true })
    };
    for (event, expected) in [
        (bounce("HardBounce", "smtp;550 5.1.1 no such user"), Some(FeedbackKind::HardBounce)),
        (bounce("HardBounce", "no words that say a code"), Some(FeedbackKind::HardBounce)),
        (bounce("HardBounce", "smtp;550 5.7.1 refused for policy"), Some(FeedbackKind::Policy)),
        (bounce("BadEmailAddress", ""), Some(FeedbackKind::HardBounce)),
        (bounce("SoftBounce", "smtp;552 5.2.2 full"), Some(FeedbackKind::SoftBounce)),
        (bounce("DnsError", ""), Some(FeedbackKind::SoftBounce)),
        (bounce("SpamNotification", ""), Some(FeedbackKind::Policy)),
        (bounce("Blocked", ""), Some(FeedbackKind::Policy)),
        (bounce("SpamComplaint", ""), Some(FeedbackKind::Complaint)),
        (bounce("AutoResponder", ""), Some(FeedbackKind::AutoReply)),
        (bounce("Transient", ""), Some(FeedbackKind::Delayed)),
        (bounce("ManuallyDeactivated", ""), None),
        (bounce("SMTPApiError", ""), None),
    ] {
        assert_eq!(kinds(Relay::Postmark, &event), expected.into_iter().collect::<Vec<_>>(), "{event}");
    }
    let complaint = json!({ "RecordType": "SpamComplaint", "ID": 43, "Email": "ann@reader.example", "MessageID": "00000000-0001" });
    assert_eq!(kinds(Relay::Postmark, &complaint), [FeedbackKind::Complaint]);
    assert_eq!(kinds(Relay::Postmark, &json!({ "RecordType": "Open", "ID": 1 })), []);
}

#[test]
fn an_event_of_mailgun_is_read_by_its_severity_reason_and_status() {
    let event = |name: &str, severity: &str, reason: &str, status: Value| {
        json!({
            "signature": { "timestamp": "1772452800", "token": "t".repeat(50), "signature": "00" },
            "event-data": { "event": name, "id": "mg-1", "severity": severity, "reason": reason,
                "recipient": "ann@reader.example", "delivery-status": status,
                "message": { "headers": { "message-id": "0123456789abcdef0123456789abcdef@shop.example" } } },
        })
    };
    let no_user = json!({ "code": 550, "enhanced-code": "5.1.1", "message": "no such user" });
    let bare = json!({ "code": 550, "message": "refused" });
    for (event, expected) in [
        (event("failed", "permanent", "bounce", no_user.clone()), Some(FeedbackKind::HardBounce)),
        (
            event("failed", "permanent", "bounce", json!({ "code": 550, "message": "5.1.1 no such user" })),
            Some(FeedbackKind::HardBounce),
        ),
        (event("failed", "permanent", "generic", bare.clone()), Some(FeedbackKind::SoftBounce)),
        (
            event("failed", "permanent", "generic", json!({ "code": 554, "message": "" })),
            Some(FeedbackKind::Policy),
        ),
        (
            event("failed", "permanent", "old", json!({ "code": 421, "message": "too old" })),
            Some(FeedbackKind::SoftBounce),
        ),
        (
            event("failed", "permanent", "suppress-bounce", json!({ "code": 605 })),
            Some(FeedbackKind::HardBounce),
        ),
        (
            event("failed", "permanent", "suppress-complaint", json!({ "code": 607 })),
            Some(FeedbackKind::Complaint),
        ),
        (event("failed", "permanent", "suppress-unsubscribe", json!({ "code": 606 })), None),
        (event("failed", "temporary", "generic", no_user), Some(FeedbackKind::Delayed)),
        (event("complained", "", "", json!(null)), Some(FeedbackKind::Complaint)),
        (event("delivered", "", "", bare), None),
    ] {
        assert_eq!(kinds(Relay::Mailgun, &event), expected.into_iter().collect::<Vec<_>>(), "{event}");
    }
}

#[test]
fn events_of_sendgrid_are_read_each_by_itself() {
    let event = |fields: Value| {
        let mut event = json!({ "email": "ann@reader.example", "timestamp": 1_772_452_800, "sg_event_id": "sg-1",
            "sg_message_id": "sg-m", "smtp-id": "<0123456789abcdef0123456789abcdef@shop.example>" });
        for (name, value) in fields.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    let all = json!([
        event(json!({ "event": "processed" })),
        event(json!({ "event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 no such user" })),
        event(json!({ "event": "bounce", "type": "bounce", "status": "5.0.0", "reason": "550 5.1.1 no such user" })),
        event(json!({ "event": "bounce", "type": "bounce", "status": "5.0.0", "bounce_classification": "Invalid Address" })),
        event(json!({ "event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 refused" })),
        event(json!({ "event": "bounce", "type": "blocked", "bounce_classification": "Reputation" })),
        event(json!({ "event": "bounce", "type": "bounce", "status": "5.0.0", "reason": "500 unknown" })),
        event(json!({ "event": "deferred", "response": "450 later" })),
        event(json!({ "event": "dropped", "reason": "Bounced Address" })),
        event(json!({ "event": "dropped", "reason": "Unsubscribed Address" })),
        event(json!({ "event": "spamreport" })),
        { "event": "bounce" },
        17,
    ]);
    use FeedbackKind::{Complaint, Delayed, HardBounce, Policy, SoftBounce};
    let expected =
        [HardBounce, HardBounce, HardBounce, Policy, Policy, SoftBounce, Delayed, HardBounce, Complaint];
    assert_eq!(kinds(Relay::Sendgrid, &all), expected);
}

#[test]
fn an_event_of_resend_is_read_by_its_words_and_else_by_its_type() {
    let event = |name: &str, of_type: &str, sub: &str, words: &str| {
        json!({ "type": name, "created_at": "2026-03-02T12:00:01Z",
            "data": { "email_id": "re-1", "from": "restock@shop.example", "to": ["ann@reader.example"],
                "bounce": { "message": words, "type": of_type, "subType": sub } } })
    };
    for (event, kind) in [
        (event("email.bounced", "Permanent", "General", "nobody is there"), FeedbackKind::HardBounce),
        (event("email.bounced", "Permanent", "General", "550 5.7.1 refused"), FeedbackKind::Policy),
        (event("email.bounced", "Transient", "MailboxFull", "full"), FeedbackKind::SoftBounce),
        (event("email.bounced", "Undetermined", "Undetermined", ""), FeedbackKind::SoftBounce),
        (event("email.complained", "", "", ""), FeedbackKind::Complaint),
        (event("email.delivery_delayed", "", "", ""), FeedbackKind::Delayed),
    ] {
        assert_eq!(kinds(Relay::Resend, &event), [kind], "{event}");
    }
    let mut two = event("email.bounced", "Permanent", "General", "");
    two["data"]["to"] = json!(["ann@reader.example", "bea@other.example"]);
    assert_eq!(kinds(Relay::Resend, &two), []);
}

#[test]
fn what_is_no_event_of_a_relay_is_nothing() {
    for relay in Relay::ALL {
        assert_eq!(Relay::parse(relay.as_str()), Some(relay));
        for body in
            ["", "null", "[]", "{}", "17", "\"x\"", "[[]]", "{\"event-data\":7}", "{\"data\":[]}", "\u{0}"]
        {
            assert!(
                matches!(relay.read(body.as_bytes(), None), ParsedMessage::Nothing(_)),
                "{relay:?} {body}"
            );
        }
        let deep = "[".repeat(200_000);
        assert!(matches!(relay.read(deep.as_bytes(), None), ParsedMessage::Nothing(_)));
    }
    assert_eq!(Relay::parse("nobody"), None);
}
