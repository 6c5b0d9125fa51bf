//! `restockd serve`: runs the engine until a signal comes or until it cannot go on.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::ServeArgs;
use crate::boot::{self, FirstKey, Running};
use crate::config::{Config, Flags};
use crate::telemetry;
use restockd_engine::clock::Clock;

/// The exit code when the engine cannot go on and must be restarted.
const CANNOT_GO_ON: u8 = 70;

pub(super) fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    telemetry::start();
    let flags =
        Flags { data: args.data.clone(), listen: args.listen.clone(), accept_clock: args.accept_clock };
    let config = Config::load(args.config.as_deref(), |key| std::env::var(key).ok(), &flags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(until_the_end(config))?;
    // Tasks that wait on the network must not hold up the end of the process.
    runtime.shutdown_background();
    Ok(code)
}

const GIVE_BACK_EVERY: Duration = Duration::from_secs(1);
/// Larger than any block that mimalloc puts into a shared page: such a block has pages of its own, freed with it.
const OWN_PAGES_BYTES: usize = 1 << 20;

/// Makes mimalloc return free memory to the system. It does so whenever it frees pages, with pages that have been free for
/// a second by then; an idle engine may free none for hours. So a block is allocated at intervals (and never touched, so
/// that no memory stands behind it) and freed again.
async fn give_memory_back() {
    let mut ticks = tokio::time::interval(GIVE_BACK_EVERY);
    loop {
        ticks.tick().await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(OWN_PAGES_BYTES)));
    }
}

/// Boots the engine, and runs until a signal comes or until it cannot go on.
async fn until_the_end(config: Config) -> anyhow::Result<ExitCode> {
    let warnings = config.warnings.clone();
    let data = config.data.display().to_string();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = boot::boot(config, Clock::real()).await?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    greet(&running, &data);
    tokio::spawn(give_memory_back());
    let mut fatal = running.engine.fatal();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        why = ended(&mut fatal) => {
            eprintln!("restockd: the engine cannot go on: {why}; start it again, it recovers by itself");
            // At once: what was not durable must not be answered from memory any more.
            std::process::exit(i32::from(CANNOT_GO_ON));
        }
    }
    eprintln!("restockd: stopping (once more to stop at once)");
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        std::process::exit(130);
    });
    running.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the engine cannot go on, and returns the reason.
async fn ended(fatal: &mut watch::Receiver<Option<String>>) -> String {
    match fatal.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        Err(_) => "its actors are gone".to_owned(),
    }
}

/// Tells the operator how to reach the engine.
fn greet(running: &Running, data: &str) {
    let report = &running.report;
    eprintln!("restockd: listening on http://{}, data in {data}, mail by {}", running.addr, running.mail);
    eprintln!(
        "restockd: recovered {} lists, {} people, {} campaigns ({} records replayed)",
        report.lists, report.people, report.campaigns, report.records
    );
    if let Some(torn) = &report.torn {
        eprintln!("restockd: {torn}");
    }
    for problem in &report.problems {
        eprintln!("restockd: a snapshot was passed over: {problem}");
    }
    match &running.first_key {
        None => {}
        Some(FirstKey::Show(key)) => {
            println!("your API key (shown once): {key}");
        }
        Some(FirstKey::File(path)) => {
            eprintln!("restockd: a first API key was made; it is in {}", path.display());
        }
    }
}
