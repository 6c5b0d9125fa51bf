//! The load harness itself: every scenario in a short form, against an engine of its own; and that it says so when
//! an engine loses what it acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs a real process"
)]

use std::path::Path;
use std::process::{Command, Output};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// A storm of half a second; what it said, and its report.
fn blow(dir: &Path, args: &[&str]) -> (Output, Value) {
    let json = dir.join("report.json");
    let out = Command::new(env!("CARGO_BIN_EXE_restockd-storm"))
        .args(args)
        .args(["--seconds", "0.4", "--skus", "20", "--connections", "8", "--json"])
        .arg(&json)
        .env_remove("RESTOCKD_API_KEY")
        .env_remove("INVENTORY_WEBHOOK_SECRET")
        .env("TMPDIR", dir)
        .output()
        .unwrap();
    let report = std::fs::read(&json).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
    (out, report)
}

/// A storm on an engine of its own must find everything; its report.
fn good(args: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let (out, report) = blow(dir.path(), args);
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["good"], true, "{said}");
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["report.json"], "nothing is left behind");
    report
}

fn done(report: &Value, row: &str) -> u64 {
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|it| it["what"] == row).unwrap_or_else(|| panic!("no row {row}: {rows:?}"));
    row["done"].as_u64().unwrap()
}

#[test]
fn presses_are_measured_against_the_ceiling_and_asked_back() {
    let report = good(&["press", "--against", "ceiling", "--repeats", "3"]);
    assert!(done(&report, "engine 1") > 0 && done(&report, "ceiling 3") > 0);
    assert_eq!(report["ratio"]["each"].as_array().unwrap().len(), 3);
    let asked = &report["checks"][0];
    assert!(asked["wanted"].as_u64().unwrap() >= done(&report, "engine 1"), "the warm-up is asked back too");
    assert_eq!(asked["wanted"], asked["found"]);
}

#[test]
fn repeats_and_batches_are_no_new_presses() {
    assert!(done(&good(&["batch"]), "engine 1") > 0);
    let report = good(&["repeat"]);
    assert_eq!(report["checks"][0]["found"], 200_000, "{report}");
}

#[test]
fn redelivered_webhooks_are_known_and_their_campaigns_are_sent() {
    let report = good(&["webhooks", "--against", "ceiling"]);
    assert!(report["figures"]["campaigns"].as_f64().unwrap() <= 20.0, "one a list and day: {report}");
    assert!(report["checks"][0]["found"].as_u64().unwrap() > 0);
}

#[test]
fn a_flapping_product_and_a_shops_day_mail_nobody_twice() {
    let flap = good(&["flap"]);
    assert!(flap["figures"]["letters sent"].as_f64().unwrap() > 0.0, "{flap}");
    let mixed = good(&["mixed", "--rate", "2000"]);
    assert!(mixed["figures"]["letters sent"].as_f64().unwrap() > 0.0, "{mixed}");
}

#[test]
fn a_list_of_thousands_is_mailed_whole_by_restock_and_by_hand() {
    for args in [
        ["hype", "--people", "3000", "--mail", "sink"],
        ["hype", "--people", "3000", "--mail", "unmade"],
        ["broadcast", "--people", "3000", "--mail", "discard"],
    ] {
        let report = good(&args);
        let checks = report["checks"].as_array().unwrap();
        assert!(
            checks.iter().any(|check| check["what"] == "letters sent" && check["found"] == 3000),
            "{report}"
        );
    }
}

#[test]
fn without_an_engine_it_says_how_to_build_one() {
    let dir = tempfile::tempdir().unwrap();
    let alone = dir.path().join("release");
    std::fs::create_dir(&alone).unwrap();
    let program = alone.join("restockd-storm");
    std::fs::copy(env!("CARGO_BIN_EXE_restockd-storm"), &program).unwrap();
    for (args, says) in [
        (vec!["press"], "build it with `cargo build --release -p restockd`"),
        (vec!["press", "--engine", "/nowhere"], "/nowhere is no file"),
    ] {
        let out = Command::new(&program).args(args).env("TMPDIR", dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
    }
}

/// Says yes to everything and keeps nothing.
async fn forgetful(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = match &*path {
        "/v1/ready" => r#"{"ready":true}"#,
        "/v1/events" => r#"{"stored":true,"exits":[],"contactKey":"ct_1"}"#,
        _ if path.ends_with("/members") => r#"{"members":[],"cursor":null,"total":0}"#,
        _ => "{}",
    };
    (StatusCode::OK, body).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_loses_what_it_acknowledged_is_found_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(forgetful)).await });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let args = ["press", "--url", &url, "--key", "k", "--secret", "s"].map(str::to_owned);
    let blown = tokio::task::spawn_blocking(move || blow(&path, &args.each_ref().map(|arg| &**arg)));
    let (out, report) = blown.await.unwrap();
    assert_eq!(out.status.code(), Some(1), "{report}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("WRONG  acknowledged presses asked back"));
    assert_eq!(report["checks"][0]["found"], 0);
}
