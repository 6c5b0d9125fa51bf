# What people do here all day; `just` alone lists it. Each recipe is one command that also works without just.

# list the recipes
default:
    @just --list --unsorted

# --- the inner loop

# check one layer: core, records, journal, mail, feedback, render, engine
check layer:
    cargo check -p restockd-{{layer}} --all-targets

# test one layer without the ones above it
test layer *filter:
    cargo test -p restockd-{{layer}} {{filter}}

# everything, in parallel and with a time-out for each test (needs cargo-nextest)
all *args:
    cargo nextest run --workspace {{args}}

# format, lints and documentation, as CI wants them
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --features root-tests -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# what CI does
ci:
    .ci/run

# --- run it

# the whole recipe, a kill -9 in the middle, and an account at the end
demo:
    cargo run --release -- demo

# the engine on ./data, mails in ./outbox
serve *args:
    cargo run --release -- serve {{args}}

# a storm: press, repeat, webhooks, batch, hype, mixed, tail, flood …
storm *args:
    cargo build --release -p restockd && cargo run --release -p restockd-storm -- {{args}}

# --- the ladder of proof: short forms are in `cargo test`, these are the long ones

# 10,000 seeds of the simulation, some three minutes
simulation seeds="10000":
    RESTOCKD_SEEDS={{seeds}} cargo test --release --test simulation -- --nocapture

# every bit of a log and every byte of snapshots, minutes
damage what="":
    RESTOCKD_DAMAGE=all cargo test --release --test damage {{what}} -- --nocapture

# kills under full load
kills count="1000":
    RESTOCKD_KILLS={{count}} cargo test --release --test ladder -- --nocapture kills

# power cuts on ext4 (root)
cuts count="1000":
    RESTOCKD_CUTS={{count}} cargo test --release --features root-tests --test ladder -- --nocapture outlives_every_power

# every system call killed, EIO, ENOSPC (root)
syscalls:
    RESTOCKD_POINTS=all cargo test --release --features root-tests --test ladder -- --nocapture whichever

# a full disk (root)
full-disk:
    cargo test --release --features root-tests --test ladder full::

# the log's threads in many orders
threads schedules="100000":
    RESTOCKD_SCHEDULES={{schedules}} cargo test --release -p restockd-journal --features shuttle --test concurrency

# the laws of one machine, longer
laws filter="scheduler" cases="4000":
    PROPTEST_CASES={{cases}} cargo test -p restockd-core --lib {{filter}}

# libFuzzer, seconds for each target
fuzz seconds="60":
    tests/fuzz/run.sh {{seconds}}

# plant the known bugs one by one; each must be caught
planted *which:
    bash tests/planted/run.sh {{which}}

# a real SMTP server program; a hundred signed letters before an independent verifier
real:
    bash tests/real_smtp.sh
    bash tests/dkim.sh

# --- bytes on disk

# keep a data directory of this version for every later one to open
golden version:
    RESTOCKD_GOLDEN={{version}} cargo test --test golden make

# --- figures

# one bench: parts, peers, wire, first_mail, million, recovery, snapshot_load
bench name *args:
    cargo bench --bench {{name}} {{args}}

# sizes by area, files, functions, public items nobody uses
measures:
    python3 tests/measures.py
