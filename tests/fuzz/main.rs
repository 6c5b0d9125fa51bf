//! The bodies of the fuzz targets over inputs that a seed makes: the short form, which needs no fuzzer.
//!
//! `RESTOCKD_FUZZ_CASES=1000000 cargo test --release --test fuzz` runs more; `RESTOCKD_FUZZ_SEED=n` others. The long
//! form is `tests/fuzz/run.sh`.

mod bodies;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn drive(name: &str, usual: u64) {
    let target = bodies::target(name);
    let (cases, seed) = (number("RESTOCKD_FUZZ_CASES", usual), number("RESTOCKD_FUZZ_SEED", 20_260_302));
    let seeds = (target.seeds)();
    let mut dice = bodies::Dice(seed);
    let made = (0..cases).map(|_| dice.mutate(&seeds));
    for (at, data) in seeds.clone().into_iter().chain(made).enumerate() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.body)(&data))) {
            eprintln!("target {name}, seed {seed}, case {at}: \"{}\"", data.escape_ascii());
            resume_unwind(panic);
        }
    }
    println!("target {name}: {} inputs, seed {seed}", seeds.len() as u64 + cases);
}

#[test]
fn no_log_however_made_panics_hangs_or_loses_what_was_marked() {
    drive("log", 3_000);
}

#[test]
fn no_snapshot_however_made_panics_hangs_or_comes_in_part() {
    drive("snapshot", 3_000);
}

#[test]
fn no_delivery_is_let_in_without_a_signature_that_holds() {
    drive("webhook", 20_000);
}

#[test]
fn no_batch_panics_or_passes_the_limits() {
    drive("batch", 10_000);
}

#[test]
fn no_server_makes_the_courier_say_more_than_it_knows() {
    drive("smtp", 20_000);
}
