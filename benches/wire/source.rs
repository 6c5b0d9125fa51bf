//! Postfix's `smtp-source`: it sends the same bytes again and again, over connections that it keeps.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Stretch, engine, postfix};

/// Sends; returns how many letters, and how long it took.
pub fn send(stretch: Stretch) -> (usize, Duration) {
    let program = postfix("smtp-source").expect("it comes with smtp-sink");
    let begin = Instant::now();
    let status = Command::new(program)
        .args(["-d", "-s", &stretch.connections.to_string(), "-m", &stretch.letters.to_string()])
        .args([
            "-l",
            &engine::letter_bytes().to_string(),
            "-f",
            "shop@shop.example",
            "-t",
            "ann@people.example",
        ])
        .arg(format!("{}", stretch.to))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "smtp-source ended with {status}");
    (stretch.letters, begin.elapsed())
}
