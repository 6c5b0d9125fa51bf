//! What the tests of this tree share.

use std::time::Duration;

use restockd_mail::{
    Courier, DeliveryOutcome, DeliveryResult, DurabilityGate, FaultSource, Letter, MailOptions, Mailer,
    SmtpPhase,
};
use restockd_testkit::mail_server::Server;

pub fn letter(n: u32) -> Letter {
    Letter {
        message_id: format!("letter{n}.abc@shop.example"),
        to: format!("ann{n}@people.example"),
        from: "Corner Shop <shop@shop.example>".parse().unwrap(),
        reply_to: None,
        subject: "Studio chair is back in stock".to_owned(),
        text: "Hello,\nit is back.\n".to_owned(),
        html: "<p>Hello, it is back.</p>".to_owned(),
        list_id: Some("restock-chair-01.shop.example".to_owned()),
        unsubscribe_url: Some("https://shop.example/v1/email/unsubscribe?token=t1".to_owned()),
        date_ms: 1_767_225_600_000,
        envelope_from: None,
        feedback_id: None,
        complaints: None,
    }
}

pub fn open() -> DurabilityGate {
    Box::pin(std::future::ready(true))
}

pub fn shut() -> DurabilityGate {
    Box::pin(std::future::ready(false))
}

/// Timeouts that only a silent server runs into.
pub fn options() -> MailOptions {
    MailOptions {
        connect_timeout: Duration::from_secs(5),
        command_timeout: Duration::from_secs(5),
        dot_timeout: Duration::from_secs(5),
        ..MailOptions::default()
    }
}

/// For servers that never answer.
pub fn impatient() -> MailOptions {
    let short = Duration::from_millis(500);
    MailOptions { connect_timeout: short, command_timeout: short, dot_timeout: short, ..options() }
}

pub fn mailer(server: &Server, options: MailOptions) -> Mailer {
    Mailer::from_url(&server.url(), options).unwrap()
}

/// One letter, over a connection that is brought about first.
pub async fn send(courier: &mut Courier, letter: &Letter, gate: DurabilityGate) -> DeliveryOutcome {
    match courier.ready().await {
        Ok(()) => courier.deliver(letter, gate).await,
        Err(outcome) => outcome,
    }
}

/// One letter by a courier of its own.
pub async fn send_by(mailer: &Mailer, letter: &Letter, gate: DurabilityGate) -> DeliveryOutcome {
    send(&mut mailer.courier(), letter, gate).await
}

/// How a try ended.
pub fn name(outcome: &DeliveryOutcome) -> &'static str {
    match outcome.end {
        DeliveryResult::Sent => "sent",
        DeliveryResult::Deferred => "deferred",
        DeliveryResult::Throttled => "throttled",
        DeliveryResult::Failed => "failed",
        DeliveryResult::Unknown => "unknown",
    }
}

/// The same with the last step that was answered, and at whose door it lies if not the letter's.
pub fn course(outcome: &DeliveryOutcome) -> String {
    let phase = match outcome.phase {
        SmtpPhase::Connection => "connection",
        SmtpPhase::Mail => "mail",
        SmtpPhase::Rcpt => "rcpt",
        SmtpPhase::Data => "data",
        SmtpPhase::Dot => "dot",
    };
    let fault = match outcome.diagnostic.fault {
        FaultSource::Letter => "",
        FaultSource::Shop => ", the shop's",
        FaultSource::TestInbox => ", the test inbox's",
    };
    format!("{} at {phase}{fault}", name(outcome))
}
