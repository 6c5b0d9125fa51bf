//! One mail transaction, phase by phase: what each reply, and each silence, means for the letter.
//!
//! | phase | 4xx | 5xx | anything else, loss, silence |
//! |---|---|---|---|
//! | MAIL FROM | deferred | deferred, *not reached*: our sender | deferred |
//! | RCPT TO, DATA | deferred | failed | deferred |
//! | body | deferred | failed | deferred |
//! | the dot | deferred | failed | **in doubt** |
//!
//! With PIPELINING the three commands leave in one write and their replies are read in order; the body is never
//! part of it. A server that says 354 to a transaction it has refused is hung up on: no empty mail can come of it.

use super::super::Verdict;
use super::super::letter::Packed;
use super::body::DOT;
use super::connect::Connection;
use super::reply::Reply;
use super::wire::WireError;

/// The server is ready for the body, or it is not.
pub(super) enum Open {
    /// It said 354.
    Ready,
    /// The letter goes no further now.
    Refused {
        /// What that means.
        refusal: Refusal,
        /// Whether the connection can be used again after RSET.
        healthy: bool,
    },
}

/// The end of a letter before its body.
pub(super) struct Refusal {
    pub(super) verdict: Verdict,
    /// The connection was dead before the server said a word about this letter.
    pub(super) stale: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Mail,
    Rcpt,
    Data,
}

impl Phase {
    const ALL: [Phase; 3] = [Phase::Mail, Phase::Rcpt, Phase::Data];

    fn accepts(self, reply: &Reply) -> bool {
        if self == Phase::Data { reply.code == 354 } else { reply.is_positive() }
    }
}

/// Names sender and recipient and asks to send.
pub(super) async fn open(connection: &mut Connection, packed: &Packed) -> Open {
    if packed.needs_utf8() && !connection.utf8 {
        let reply = "the mail server does not take addresses with letters outside ASCII".to_owned();
        let verdict = if packed.recipient.is_ascii() {
            Verdict::Deferred { reply, throttled: false, reached: false }
        } else {
            Verdict::Failed { reply }
        };
        return Open::Refused { refusal: Refusal { verdict, stale: false }, healthy: true };
    }
    let utf8 = if packed.needs_utf8() { " SMTPUTF8" } else { "" };
    let lines = [
        format!("MAIL FROM:<{}>{utf8}\r\n", packed.sender),
        format!("RCPT TO:<{}>\r\n", packed.recipient),
        "DATA\r\n".to_owned(),
    ];
    let limit = connection.command_timeout;
    if connection.pipelining
        && let Err(error) = connection.wire.send(lines.concat().as_bytes(), limit).await
    {
        return lost(Phase::Mail, &error);
    }
    for (phase, line) in Phase::ALL.into_iter().zip(&lines) {
        if !connection.pipelining
            && let Err(error) = connection.wire.send(line.as_bytes(), limit).await
        {
            return lost(phase, &error);
        }
        let reply = match connection.wire.reply(limit).await {
            Ok(reply) => reply,
            Err(error) => return lost(phase, &error),
        };
        if !phase.accepts(&reply) {
            return refused(connection, phase, &reply).await;
        }
    }
    Open::Ready
}

fn lost(phase: Phase, error: &WireError) -> Open {
    let answered = phase != Phase::Mail;
    let stale = !answered && matches!(error, WireError::Closed | WireError::Lost(_));
    let verdict = Verdict::Deferred {
        reply: format!("before the letter: {error}"),
        throttled: false,
        reached: answered,
    };
    Open::Refused { refusal: Refusal { verdict, stale }, healthy: false }
}

async fn refused(connection: &mut Connection, phase: Phase, reply: &Reply) -> Open {
    let sensible = reply.is_temporary() || reply.is_permanent();
    let verdict = if !sensible {
        out_of_turn(reply)
    } else if phase == Phase::Mail && reply.is_permanent() {
        reply.own_fault()
    } else {
        reply.refusal()
    };
    // "421 idle too long" waits in a kept connection; "421 4.7.x" is meant for us.
    let stale = phase == Phase::Mail && reply.is_farewell() && !reply.text().starts_with("4.7.");
    let healthy = sensible && !reply.is_farewell() && settled(connection, phase).await;
    Open::Refused { refusal: Refusal { verdict, stale }, healthy }
}

/// Reads the replies to what was pipelined after a refusal; `false` if the server would now take a body.
async fn settled(connection: &mut Connection, refused: Phase) -> bool {
    let left = match refused {
        _ if !connection.pipelining => 0,
        Phase::Mail => 2,
        Phase::Rcpt => 1,
        Phase::Data => 0,
    };
    for _ in 0..left {
        match connection.wire.reply(connection.command_timeout).await {
            Ok(reply) if reply.code != 354 && !reply.is_farewell() => {}
            _ => return false,
        }
    }
    true
}

/// Sends a message that ends in [`DOT`], and reads the one reply that counts. Answers the verdict and whether the
/// connection can carry another letter.
///
/// Where the system takes all of it at once, it leaves at once. Where it does not, the dot waits until the rest has
/// left and the server has nothing to say.
pub(super) async fn finish(connection: &mut Connection, message: &[u8]) -> (Verdict, bool) {
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
        Ok(reply) if reply.is_positive() => (Verdict::Sent { reply: reply.shown() }, true),
        Ok(reply) if reply.is_temporary() || reply.is_permanent() => (reply.refusal(), !reply.is_farewell()),
        Ok(reply) => (Verdict::Doubt { reply: format!("after the letter: {}", reply.shown()) }, false),
        Err(error) => (Verdict::Doubt { reply: format!("after the letter: {error}") }, false),
    }
}

/// Sends what is left of a body. The server may give up while that takes its time: whatever it has to say then, it
/// has not seen the end of the letter.
async fn send_body(connection: &mut Connection, rest: &[u8]) -> Result<(), Option<WireError>> {
    let limit = connection.command_timeout;
    connection.wire.send(rest, limit).await.map_err(Some)?;
    if connection.wire.is_quiet().await { Ok(()) } else { Err(None) }
}

/// The verdict for a letter whose end was never sent: the server's last words, if it left any.
async fn cut_short(connection: &mut Connection, error: Option<WireError>) -> Verdict {
    let limit = connection.command_timeout.min(std::time::Duration::from_secs(5));
    let why = match connection.wire.reply(limit).await {
        Ok(reply) if reply.is_temporary() || reply.is_permanent() => return reply.refusal(),
        Ok(reply) => return out_of_turn(&reply),
        Err(read) => error.unwrap_or(read),
    };
    Verdict::Deferred { reply: format!("within the letter: {why}"), throttled: false, reached: true }
}

fn out_of_turn(reply: &Reply) -> Verdict {
    let reply = format!("the mail server spoke out of turn: {}", reply.shown());
    Verdict::Deferred { reply, throttled: false, reached: true }
}
