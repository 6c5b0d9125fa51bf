//! `restockd returns` as a mail server's pipe runs it: the message on standard input, the answer in the exit code.

use std::io::Write;
use std::process::{Command, Stdio};

use restockd_core::{CampaignId, PersonId};
use restockd_testkit::process::{KEY, Place};
use serde_json::json;

use super::{TOKEN, sample};

/// Runs the command: its exit code and what it said.
fn pipe(url: &str, key: Option<&str>, recipient: &str, message: &[u8]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restockd"));
    command.env_clear().args(["returns", "--url", url]).env("ORIGINAL_RECIPIENT", recipient);
    if let Some(key) = key {
        command.env("RESTOCKD_API_KEY", key);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The command may have given up before it has read all.
    let _ = child.stdin.take().unwrap().write_all(message);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn a_pipe_answers_in_codes_that_a_mail_server_understands() {
    let place = Place::new("memory:");
    let engine = place.start();
    let url = format!("http://{}", engine.client.host());
    engine.client.post("/v1/events", &restockd_testkit::process::press("victim@shop.example", "chair"));
    let found = engine.client.get("/v1/contacts/find?email=victim@shop.example");
    let number = found["contacts"][0]["id"].as_str().unwrap().trim_start_matches("ct_");
    let person = PersonId(u32::from_str_radix(number, 16).unwrap());
    let token = restockd::boot::secrets(place.data()).unwrap().bounce_token(CampaignId(9), person);
    let recipient = format!("bounce+{token}@bounces.shop.example");
    let bounce = sample("postfix_no_such_user").replace(TOKEN, "gone");

    let (code, said) = pipe(&url, Some(KEY), &recipient, sample("qmail").as_bytes());
    assert!(code == 0 && said.contains("not a report"), "{code} {said}");
    let (code, said) = pipe(&url, Some(KEY), "", bounce.as_bytes());
    assert!(code == 0 && said.contains("nothing in it proves"), "{code} {said}");
    let (code, said) = pipe(&url, Some(KEY), &recipient, &vec![b'a'; (1 << 20) + 200_000]);
    assert!(code == 0 && said.contains("too large"), "{code} {said}");
    for key in [None, Some("another key")] {
        let (code, said) = pipe(&url, key, &recipient, bounce.as_bytes());
        assert_eq!(code, 75, "{said}");
        assert!(!said.contains(&token) && !said.contains("another key"), "{said}");
    }
    let (code, said) = pipe(&url, Some(KEY), &recipient, bounce.as_bytes());
    assert!(code == 0 && said.contains("\"suppressed\":\"hard_bounce\""), "{code} {said}");
    let (code, said) = pipe(&url, Some(KEY), &recipient, bounce.as_bytes());
    assert!(code == 0 && said.contains("\"duplicate\":true"), "{code} {said}");

    engine.kill();
    let (code, said) = pipe(&url, Some(KEY), &recipient, bounce.as_bytes());
    assert!(code == 75 && said.contains("no engine answers"), "{code} {said}");
    let engine = place.start();
    let held = engine.client.get("/v1/contacts/export?email=victim@shop.example");
    assert_eq!(held["suppression"]["reason"], "hard_bounce", "{held}");
    assert_eq!(held["returns"].as_array().unwrap().len(), 1);
    let answer =
        engine.client.post("/v1/events", &restockd_testkit::process::press("victim@shop.example", "table"));
    assert_ne!(answer["listsError"], json!(null));
    drop(engine);
}
