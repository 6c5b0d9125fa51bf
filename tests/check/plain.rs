//! The plain truth: counts, JSON, copies, a running engine, an empty directory.

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::place::{Case, full, young};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_would_bring_back_is_counted() {
    for backend in ["flat", "sled"] {
        let case = Case::of(&full(backend).await);
        let found = case.json();
        let start = &found["start"];
        assert_eq!((&start["refused"], &start["from"]), (&json!(null), &json!("snapshot 2")), "{found}");
        let back = &start["brings_back"];
        assert_eq!(
            (&back["lists"], &back["members"], &back["people"]),
            (&json!(1), &json!(12), &json!(12)),
            "{found}"
        );
        assert_eq!((&back["campaigns"]["sent"], &back["letters"]["sent"]), (&json!(1), &json!(4)), "{found}");
        assert_eq!((&back["in_doubt"], &back["unbalanced"]), (&json!(0), &json!([])), "{found}");
        let app = case.start().await.unwrap();
        let report = &app.running().report;
        assert_eq!(back["replayed"], report.records);
        assert_eq!((report.lists, report.people, report.campaigns), (1, 12, 1));
        app.crash().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_engine_it_looks_and_a_repair_is_refused() {
    let app = App::fresh().await;
    app.press("ann@shop.example", "chair").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let data = app.plan.data();
    let check = |more: &[&str]| {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_restockd"));
        let out = run.args(["check", "--data"]).arg(&data).args(more).env_clear().output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let (code, said) = check(&[]);
    assert!(code == Some(0) && said.contains("an engine is running"), "{said}");
    assert!(said.contains("1, with 1 members"), "{said}");
    let (code, said) = check(&["--repair"]);
    assert!(code == Some(1) && said.contains("another restockd is running"), "{said}");
    let plan = app.stop().await;
    let (code, said) = check(&[]);
    assert!(code == Some(0) && said.contains("not running"), "{said}");
    drop(plan);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_listed_with_their_age() {
    let case = Case::of(&young().await);
    let wal = case.data().join("wal");
    let day = 24 * 3_600_000;
    let now = restockd_engine::clock::Clock::real().now().0;
    std::fs::write(wal.join("00000000000000000001.wal.broken-1"), b"x").unwrap();
    std::fs::write(wal.join(format!("00000000000000000001.wal.broken-2.seen-{}", now - 3 * day)), b"x")
        .unwrap();
    let said = case.check();
    assert!(said.out.contains(".broken-1 (new;"), "{}", said.out);
    assert!(said.out.contains("(3 days old;"), "{}", said.out);
    assert_eq!(said.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_the_future_refuses_unless_it_is_accepted() {
    let now = restockd_engine::clock::Clock::real().now();
    let mut plan = Plan::new();
    plan.clock = restockd_engine::clock::Clock::manual(now.plus(24 * 3_600_000));
    let app = plan.start().await;
    app.press("ann@shop.example", "chair").await;
    let case = Case::of(&app.crash().await);
    let said = case.check();
    assert!(said.code == 1 && said.out.contains("ahead of this machine's clock"), "{}", said.out);
    assert!(!case.starts().await);
    assert_eq!(case.run(&["--accept-clock"]).code, 0);
    let done = case.run(&["--repair"]);
    assert!(done.code == 1 && done.out.contains("nothing is damaged"), "{}", done.out);
}

#[test]
fn an_empty_directory_is_a_first_start_and_none_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let run = |path: &std::path::Path| {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_restockd"));
        let out = run.args(["check", "--data"]).arg(path).env_clear().output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let (code, said) = run(dir.path());
    assert!(code == Some(0) && said.contains("never started here"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let (code, said) = run(&dir.path().join("nothing"));
    assert!(code == Some(1) && said.contains("is not a directory"), "{said}");
}
