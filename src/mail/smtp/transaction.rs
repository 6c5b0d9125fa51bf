//! One mail transaction, phase by phase: what each reply, or none, means for the letter.
//!
//! | phase | 4xx | 5xx | anything else | loss, silence |
//! |---|---|---|---|---|
//! | MAIL FROM | deferred | deferred, the shop's fault: our sender | deferred | deferred: no start at a receiver |
//! | RCPT TO, DATA | deferred | failed | deferred | deferred |
//! | body | deferred | failed | deferred | deferred |
//! | the dot | deferred | failed | **unknown** | **unknown** |
//!
//! An outcome names the last phase that the server answered; before the reply to MAIL there is none. A 4xx that asks for a
//! lower rate is *throttled*. "421 idle too long" in reply to MAIL on a connection that was used before is about that
//! connection, not about the letter.
//!
//! With PIPELINING the three commands leave in one write and their replies are read in order; the body is never part of it.
//! When a server says 354 in a transaction that it has refused, we hang up: no empty mail can come of it.

use super::super::letter::Packed;
use super::super::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};
use super::body::DOT;
use super::connect::Connection;
use super::reply::Reply;
use super::wire::WireError;

/// The server's answer to MAIL, RCPT and DATA.
pub(super) enum DataResponse {
    /// It said 354.
    Ready,
    /// The letter goes no further now.
    Refused {
        outcome: DeliveryOutcome,
        /// Whether the connection can be used again after RSET.
        healthy: bool,
    },
}

/// The phases before the body, in order.
const STEPS: [SmtpPhase; 3] = [SmtpPhase::Mail, SmtpPhase::Rcpt, SmtpPhase::Data];

fn accepts(step: SmtpPhase, reply: &Reply) -> bool {
    if step == SmtpPhase::Data { reply.code == 354 } else { reply.is_positive() }
}

/// Sends MAIL, RCPT and DATA.
pub(super) async fn open(connection: &mut Connection, packed: &Packed) -> DataResponse {
    if packed.needs_utf8() && !connection.utf8 {
        return DataResponse::Refused { outcome: not_in_ascii(packed), healthy: true };
    }
    let utf8 = if packed.needs_utf8() { " SMTPUTF8" } else { "" };
    let lines = [
        format!("MAIL FROM:<{}>{utf8}\r\n", packed.sender),
        format!("RCPT TO:<{}>\r\n", packed.recipient),
        "DATA\r\n".to_owned(),
    ];
    let limit = connection.command_timeout;
    let before = std::mem::replace(&mut connection.used, true);
    let mut answered = SmtpPhase::Connection;
    if connection.pipelining
        && let Err(error) = connection.wire.send(lines.concat().as_bytes(), limit).await
    {
        return lost(answered, &error);
    }
    for (step, line) in STEPS.into_iter().zip(&lines) {
        if !connection.pipelining
            && let Err(error) = connection.wire.send(line.as_bytes(), limit).await
        {
            return lost(answered, &error);
        }
        let reply = match connection.wire.reply(limit).await {
            Ok(reply) => reply,
            Err(error) => return lost(answered, &error),
        };
        if before && step == SmtpPhase::Mail && reply.closes_connection() && !reply.text().starts_with("4.7.")
        {
            return ended(&reply);
        }
        answered = step;
        if !accepts(step, &reply) {
            return refused(connection, step, &reply).await;
        }
    }
    DataResponse::Ready
}

/// The outcome when an address has non-ASCII letters and the server does not support them.
fn not_in_ascii(packed: &Packed) -> DeliveryOutcome {
    let words = "the mail server does not take addresses with letters outside ASCII";
    let (end, fault) = match packed.recipient.is_ascii() {
        true => (DeliveryResult::Deferred, FaultSource::Shop),
        false => (DeliveryResult::Failed, FaultSource::Letter),
    };
    DeliveryOutcome::new(end, SmtpPhase::Connection, Diagnostic::own(words, fault))
}

/// The connection is dead, or the server does not speak SMTP.
fn lost(answered: SmtpPhase, error: &WireError) -> DataResponse {
    let fault = if answered == SmtpPhase::Connection { FaultSource::Shop } else { FaultSource::Letter };
    let said = Diagnostic::own(format!("before the letter: {error}"), fault);
    DataResponse::Refused {
        outcome: DeliveryOutcome::new(DeliveryResult::Deferred, answered, said),
        healthy: false,
    }
}

/// The server had closed the connection before it was asked to take the letter.
fn ended(reply: &Reply) -> DataResponse {
    let said = reply.diagnostic().within("the connection had come to its end").at(FaultSource::Shop);
    DataResponse::Refused {
        outcome: DeliveryOutcome::new(DeliveryResult::Deferred, SmtpPhase::Connection, said),
        healthy: false,
    }
}

async fn refused(connection: &mut Connection, step: SmtpPhase, reply: &Reply) -> DataResponse {
    let sensible = reply.is_temporary() || reply.is_permanent();
    let outcome = if !sensible {
        out_of_turn(step, reply)
    } else if step == SmtpPhase::Mail && reply.is_permanent() {
        reply.own_fault(step)
    } else {
        reply.refusal(step)
    };
    let healthy = sensible && !reply.closes_connection() && settled(connection, step).await;
    DataResponse::Refused { outcome, healthy }
}

/// Reads the remaining replies of a pipeline after a refusal; `false` if the server would now take a body.
async fn settled(connection: &mut Connection, refused: SmtpPhase) -> bool {
    let left = match refused {
        _ if !connection.pipelining => 0,
        SmtpPhase::Mail => 2,
        SmtpPhase::Rcpt => 1,
        _ => 0,
    };
    for _ in 0..left {
        match connection.wire.reply(connection.command_timeout).await {
            Ok(reply) if reply.code != 354 && !reply.closes_connection() => {}
            _ => return false,
        }
    }
    true
}

/// Sends a message that ends in [`DOT`], and reads the one reply that decides. Returns the outcome, and whether the
/// connection can carry another letter.
///
/// When the system takes all of it in one write, it leaves in one write. Otherwise the dot waits until the rest has left
/// and the server has said nothing.
pub(super) async fn finish(connection: &mut Connection, message: &[u8]) -> (DeliveryOutcome, bool) {
    let limit = connection.command_timeout;
    let body = message.len().saturating_sub(DOT.len());
    let first = match connection.wire.is_quiet().await {
        true => connection.wire.send_some(message, limit).await,
        false => Err(WireError::Closed),
    };
    let left = match first {
        Ok(left) if left > body => left,
        Ok(left) => match send_body(connection, message.get(left..body).unwrap_or_default()).await {
            Ok(()) => body,
            Err(error) => return (cut_short(connection, error).await, false),
        },
        Err(error) => return (cut_short(connection, Some(error)).await, false),
    };
    let limit = connection.dot_timeout;
    let reply = match connection.wire.send(message.get(left..).unwrap_or_default(), limit).await {
        Ok(()) => connection.wire.reply(limit).await,
        Err(error) => Err(error),
    };
    match reply {
        Ok(reply) if reply.is_positive() => {
            (DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, reply.diagnostic()), true)
        }
        Ok(reply) if reply.is_temporary() || reply.is_permanent() => {
            (reply.refusal(SmtpPhase::Dot), !reply.closes_connection())
        }
        Ok(reply) => {
            let said = reply.diagnostic().within("after the letter");
            (DeliveryOutcome::new(DeliveryResult::Unknown, SmtpPhase::Dot, said), false)
        }
        Err(error) => {
            let said = Diagnostic::own(format!("after the letter: {error}"), FaultSource::Letter);
            (DeliveryOutcome::new(DeliveryResult::Unknown, SmtpPhase::Data, said), false)
        }
    }
}

/// Sends the rest of a body. A server that speaks meanwhile gives the letter up: it cannot have seen its end.
async fn send_body(connection: &mut Connection, rest: &[u8]) -> Result<(), Option<WireError>> {
    let limit = connection.command_timeout;
    connection.wire.send(rest, limit).await.map_err(Some)?;
    if connection.wire.is_quiet().await { Ok(()) } else { Err(None) }
}

/// The outcome of a letter whose end was never sent, with the server's last reply if there was one.
async fn cut_short(connection: &mut Connection, error: Option<WireError>) -> DeliveryOutcome {
    let limit = connection.command_timeout.min(std::time::Duration::from_secs(5));
    let why = match connection.wire.reply(limit).await {
        Ok(reply) if reply.is_temporary() || reply.is_permanent() => return reply.refusal(SmtpPhase::Data),
        Ok(reply) => return out_of_turn(SmtpPhase::Data, &reply),
        Err(read) => error.unwrap_or(read),
    };
    let said = Diagnostic::own(format!("within the letter: {why}"), FaultSource::Letter);
    DeliveryOutcome::new(DeliveryResult::Deferred, SmtpPhase::Data, said)
}

fn out_of_turn(step: SmtpPhase, reply: &Reply) -> DeliveryOutcome {
    let said = reply.diagnostic().within("the mail server spoke out of turn");
    DeliveryOutcome::new(DeliveryResult::Deferred, step, said)
}
