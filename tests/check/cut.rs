//! Repairs at every frame of a log: what remains is a prefix that fits together, and the engine goes on from it.

use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::place::{Case, flip, frames, full};

/// Everybody who pressed, in order.
fn pressed() -> Vec<String> {
    ["a", "b", "c"].iter().flat_map(|round| (0..4).map(move |n| format!("{round}{n}@shop.example"))).collect()
}

/// The members of the list, in order.
async fn members(app: &App) -> Vec<String> {
    let answer = app.get("/v1/lists/restock-chair/members?limit=1000").await;
    let all = answer["members"].as_array().unwrap();
    all.iter().map(|member| member["email"].as_str().unwrap().to_owned()).collect()
}

/// After a repair: a prefix of the presses is there, new ones count, and all of it is there after a crash.
async fn goes_on(case: &Case, pressed: &[String], name: &str) -> usize {
    let app = case.start().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let kept = members(&app).await;
    assert_eq!(kept, pressed[..kept.len()], "{name}");
    for email in ["new1@shop.example", "new2@shop.example"] {
        app.press(email, "chair").await;
    }
    let now = members(&app).await;
    assert_eq!(now.len(), kept.len() + 2, "{name}: a press was not counted");
    app.crash().await;
    let app = case.start().await.unwrap_or_else(|error| panic!("{name}, again: {error}"));
    assert_eq!(members(&app).await, now, "{name}");
    app.post("/v1/admin/snapshot", json!({})).await;
    app.crash().await;
    kept.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_at_any_frame_keeps_a_prefix_that_fits_together() {
    let plan = full("flat").await;
    let whole = Case::of(&plan);
    let newest = whole.json()["snapshots"]["generations"][0]["replay_from"].as_u64().unwrap();
    let (mut free, mut cut, mut missing) = (0, 0, 0);
    for (place, segment) in whole.segments().iter().enumerate() {
        let first: u64 = segment.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        for (at, _) in frames(segment) {
            let name = format!("segment {first}, offset {at}");
            let case = Case::of(&plan);
            flip(&case.segments()[place], at + 33);
            assert_eq!(case.check().code, 1, "{name}");
            let done = case.run(&["--repair"]);
            assert_eq!(done.code, 0, "{name}: {}", done.out);
            let kept = goes_on(&case, &pressed(), &name).await;
            if first < newest {
                // The newest snapshot holds it all: damage below it costs nothing.
                assert!(done.out.contains("nothing is lost"), "{name}: {}", done.out);
                assert_eq!(kept, 12, "{name}");
                free += 1;
            } else {
                assert!(done.out.contains("LOST        records"), "{name}: {}", done.out);
                // An event whose list's own record is lost is sent again: then nobody is missing.
                assert!((8..=12).contains(&kept), "{name}: {kept}");
                cut += 1;
                missing += usize::from(kept < 12);
            }
        }
    }
    assert!(free >= 4 && cut >= 4 && missing >= 3, "{free} {cut} {missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_damages_one_below_and_one_above_cost_only_the_one_above() {
    let case = Case::of(&full("flat").await);
    flip(&case.segments()[0], frames(&case.segments()[0])[0].0 + 40);
    let last = case.last_used();
    flip(&last, frames(&last)[2].0 + 40);
    let done = case.run(&["--repair"]);
    assert_eq!(done.code, 0, "{}", done.out);
    let kept = goes_on(&case, &pressed(), "two damages").await;
    assert!((8..=12).contains(&kept), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_newest_snapshot_bad_the_older_one_and_its_log_are_repaired() {
    let plan = full("flat").await;
    for place in [0, 1] {
        let case = Case::of(&plan);
        flip(&case.generations()[0].join("pages.flat"), 70);
        let segment = case.segments()[place].clone();
        let last = *frames(&segment).last().unwrap();
        flip(&segment, last.0 + 40);
        let done = case.run(&["--repair"]);
        assert_eq!(done.code, 0, "{}", done.out);
        assert!(done.out.contains("LOST"), "{}", done.out);
        goes_on(&case, &pressed(), "older").await;
    }
}

/// A directory whose newest snapshot was made under load: records lie between its start and its end.
async fn under_load() -> (Plan, u64, u64) {
    let app = App::fresh().await;
    app.post("/v1/admin/snapshot", json!({})).await;
    for n in 0..4 {
        app.press(&format!("a{n}@shop.example"), "chair").await;
    }
    for round in 0..40 {
        let presses = async {
            for n in 0..60 {
                app.press(&format!("r{round}n{n}@shop.example"), "chair").await;
            }
        };
        let snapshot = app.post("/v1/admin/snapshot", json!({}));
        tokio::join!(presses, snapshot);
        let newest = Case::of(&app.plan).json()["snapshots"]["generations"][0].clone();
        let number = |field: &str| newest[field].as_u64().unwrap();
        let (from, durable) = (number("replay_from"), number("durable"));
        if durable >= from + 2 {
            return (app.crash().await, from, durable);
        }
    }
    panic!("no snapshot was made while records were written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_inside_the_span_of_a_snapshot_falls_back_to_the_older_one() {
    let (plan, from, durable) = under_load().await;
    let whole = Case::of(&plan);
    let place = whole
        .segments()
        .iter()
        .rposition(|path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap() <= from)
        .unwrap();
    let first_frame = frames(&whole.segments()[place])[0].0;
    let case = Case::of(&plan);
    flip(&case.segments()[place], first_frame + 33);
    let refused: Value = case.json();
    assert_eq!(refused["log"]["damage"]["expected"].as_u64().unwrap(), from, "{refused}");
    assert!(from <= durable);
    let done = case.run(&["--repair"]);
    assert_eq!(done.code, 0, "{}", done.out);
    assert!(done.out.contains("set aside   snapshot"), "{}", done.out);
    let app = case.start().await.unwrap();
    let before = members(&app).await.len();
    app.press("new1@shop.example", "chair").await;
    assert_eq!(members(&app).await.len(), before + 1, "a press was not counted");
    app.crash().await;
}
