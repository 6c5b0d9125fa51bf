//! The same through the whole start: a damaged snapshot falls back and replays the longer log, a damaged log
//! refuses with file and offset; nobody who was acknowledged is missing from an engine that runs.

use std::fs;
use std::path::{Path, PathBuf};

use restockd::boot::boot;
use restockd_testkit::app::{App, Plan};
use serde_json::json;

use super::cases::{Dice, Table, complete, seed};
use super::generations::copy_tree;

const MEMBERS: u64 = 260;

/// A data directory after a crash: two generations, and people who pressed before, between and after them.
async fn crashed(backend: &str) -> Plan {
    let mut plan = Plan::new();
    plan.toml = plan.toml.replace("flat", backend);
    let app = plan.start().await;
    press(&app, 0..100).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    press(&app, 100..200).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    press(&app, 200..MEMBERS).await;
    app.crash().await
}

async fn press(app: &App, range: std::ops::Range<u64>) {
    app.press_many(range.map(|n| format!("p{n}@shop.example")), "chair").await;
}

/// The same data in a directory of its own.
fn twin(plan: &Plan) -> Plan {
    let mut twin = Plan::new();
    (twin.toml, twin.clock) = (plan.toml.clone(), plan.clock.clone());
    copy_tree(&plan.data(), &twin.data());
    twin
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Starts what was damaged: the class, or a panic where somebody is missing.
async fn starts(plan: &Plan, what: &str) -> &'static str {
    match boot(plan.config(), plan.clock.clone()).await {
        Ok(running) => {
            let list = running.engine.list("restock-chair").await.unwrap();
            assert_eq!(list.view.members, MEMBERS, "SILENT LOSS: {what}");
            let named = !running.report.problems.is_empty();
            running.crash().await;
            if named { "starts with everybody, the damage named" } else { "starts with everybody" }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("offset") || text.contains("gen-"), "{what}: {text}");
            "refused, naming the place"
        }
    }
}

fn change(path: &Path, dice: &mut Dice) -> String {
    let mut bytes = fs::read(path).unwrap();
    // Zeros behind the frames say nothing: most damage should hit what says something.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match dice.below(4) {
        0 => {
            fs::remove_file(path).unwrap();
            format!("{} missing", path.display())
        }
        1 => {
            bytes.truncate(dice.below(used));
            fs::write(path, &bytes).unwrap();
            format!("{} cut to {}", path.display(), bytes.len())
        }
        _ => {
            let at = dice.below(used);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            fs::write(path, bytes).unwrap();
            format!("{} byte {at} flipped", path.display())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_over_any_damage_has_everybody_or_refuses() {
    let mut dice = Dice(seed());
    for backend in ["flat", "sled"] {
        let plan = crashed(backend).await;
        let mut table = Table::default();
        for _ in 0..if complete() { 500 } else { 40 } {
            let twin = twin(&plan);
            let places = ["snapshots", "wal"].map(|dir| files(&twin.data().join(dir)));
            let place = &places[usize::from(dice.below(3) == 0)];
            let what = change(&place[dice.below(place.len())], &mut dice);
            table.add(starts(&twin, &what).await);
        }
        table.print(&format!("a start over damage, {backend} snapshots"));
        assert!(table.count("starts with everybody, the damage named") > 5);
        assert!(table.count("refused, naming the place") > 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_generation_damaged_the_log_alone_serves_or_the_start_is_refused() {
    for backend in ["flat", "sled"] {
        let plan = crashed(backend).await;
        for path in files(&plan.data().join("snapshots")) {
            if path.ends_with("MANIFEST") {
                fs::write(path, b"nothing").unwrap();
            }
        }
        let class = starts(&twin(&plan), "both manifests gone").await;
        assert_ne!(class, "starts with everybody", "two bad generations are worth a word");
        let first = files(&plan.data().join("wal"))
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "wal"));
        fs::remove_file(first.unwrap()).unwrap();
        let error = boot(plan.config(), plan.clock.clone()).await.err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("gen-")), "never start empty");
    }
}
