//! What the tests of this tree share.

use std::time::Duration;

use restockd::mail::{Gate, Letter, MailOptions, Mailer, Verdict};

use crate::server::Server;

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

pub fn open() -> Gate {
    Box::pin(std::future::ready(true))
}

pub fn shut() -> Gate {
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

pub fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Sent { .. } => "sent",
        Verdict::Deferred { throttled: false, reached: false, .. } => "deferred",
        Verdict::Deferred { throttled: true, reached: false, .. } => "deferred throttled",
        Verdict::Deferred { throttled: false, reached: true, .. } => "deferred reached",
        Verdict::Deferred { throttled: true, reached: true, .. } => "deferred throttled reached",
        Verdict::Failed { .. } => "failed",
        Verdict::Doubt { .. } => "doubt",
    }
}
