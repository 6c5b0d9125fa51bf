//! `restockd demo`: the whole story in one go, with the real binary over real HTTP.
//!
//! ```text
//! shoppers press ▶ buyers leave ▶ phantom restock ▶ signed restock ▶ redelivery
//!    ▶ mails at a visible pace ▶ kill -9 in the middle ▶ restart ▶ the rest ▶ the account
//! ```
//!
//! It succeeds only when the account is right: everybody who waited has exactly one mail or is listed in doubt, and nobody
//! else has any.

mod account;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::child::{Child, Client};

/// The arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// An empty or new directory for data and mails; a temporary one otherwise.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// How many shoppers press the button.
    #[arg(long, default_value_t = 3000)]
    pub shoppers: usize,
    /// Mails a second.
    #[arg(long, default_value_t = 400)]
    pub rate: u32,
}

/// The products, and the percentage of shoppers who wait for each.
const PRODUCTS: [(&str, &str, usize); 3] =
    [("chair-01", "Studio chair", 80), ("lamp-02", "Desk lamp", 15), ("mug-03", "Grey mug", 5)];
/// Every twentieth shopper buys the chair elsewhere before it is back.
const BUYER_EVERY: usize = 20;
/// Threads that press for the shoppers.
const THREADS: usize = 16;

/// Plays the story.
pub(super) fn demo(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    ensure!((100..=200_000).contains(&args.shoppers), "--shoppers must lie between 100 and 200000");
    ensure!((1..=100_000).contains(&args.rate), "--rate must lie between 1 and 100000");
    let dir = match &args.data {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("restockd-demo-{}", std::process::id())),
    };
    if dir.join("secrets").exists() || dir.join("outbox").exists() {
        bail!("{} holds data already; choose an empty directory", dir.display());
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    println!(
        "The engine runs on {} and writes its mails to {}.",
        dir.display(),
        dir.join("outbox").display()
    );
    let settings = [
        ("RESTOCKD_MAIL", format!("folder:{}", dir.join("outbox").display())),
        ("RESTOCKD_MAIL_RATE", format!("{}/s", args.rate)),
    ];
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut engine = Child::start(&program, &dir, None, &settings)?;
    let client = engine.client();

    press(&client, args.shoppers)?;
    let buyers = buy(&client, args.shoppers)?;
    phantom(&client)?;
    let campaign = restock(&client, "restock-1")?;
    redeliver(&client)?;
    let killed = broadcast_until(&client, &campaign, args.shoppers)?;
    engine.kill()?;
    println!("kill -9 with {killed} mails settled; starting again on the same directory …");
    engine = Child::start(&program, &dir, None, &settings)?;
    let client = engine.client();
    let last = broadcast(&client, &campaign)?;
    let chair = client.get("/v1/lists/restock-chair-01")?;
    engine.stop()?;

    let waited = waiting(args.shoppers).filter(|n| !buyers.contains(n)).map(address).collect();
    let right = account::give(&dir, &waited, &last, &chair)?;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn address(n: usize) -> String {
    format!("shopper-{n}@demo.example")
}

/// The product that a shopper waits for.
fn product(n: usize) -> (&'static str, &'static str) {
    let mut share = n % 100;
    for (sku, name, part) in PRODUCTS {
        if share < part {
            return (sku, name);
        }
        share -= part;
    }
    let [(sku, name, _), ..] = PRODUCTS;
    (sku, name)
}

/// The shoppers who wait for the chair.
fn waiting(shoppers: usize) -> impl Iterator<Item = usize> {
    (0..shoppers).filter(|n| product(*n).0 == "chair-01")
}

/// Every shopper presses "notify me".
fn press(client: &Client, shoppers: usize) -> anyhow::Result<()> {
    let bar = bar(shoppers as u64, "press notify me");
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for thread in 0..THREADS {
            let (client, bar) = (client.clone(), bar.clone());
            threads.push(scope.spawn(move || -> anyhow::Result<()> {
                for n in (thread..shoppers).step_by(THREADS) {
                    let (sku, name) = product(n);
                    let list = format!("restock-{sku}");
                    let event = json!({
                        "name": "product.waitlisted",
                        "email": address(n),
                        "eventProperties": { "sku": sku, "product_name": name },
                        "lists": { list: true },
                        "idempotencyKey": format!("waitlist-{n}-{sku}"),
                    });
                    let answer = client.post("/v1/events", &event)?;
                    ensure!(answer["stored"] == Value::Bool(true), "a press was not stored: {answer}");
                    bar.inc(1);
                }
                Ok(())
            }));
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread of shoppers died"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    bar.finish();
    Ok(())
}

/// Some shoppers buy the chair elsewhere and leave the list.
fn buy(client: &Client, shoppers: usize) -> anyhow::Result<Vec<usize>> {
    let buyers: Vec<usize> = waiting(shoppers).step_by(BUYER_EVERY).collect();
    for n in &buyers {
        let order = json!({
            "name": "order.completed",
            "email": address(*n),
            "lists": { "restock-chair-01": false },
            "idempotencyKey": format!("order-{n}"),
        });
        client.post("/v1/events", &order)?;
    }
    println!("{} shoppers bought it elsewhere and left the list.", buyers.len());
    Ok(buyers)
}

/// The warehouse reports no stock: nothing happens.
fn phantom(client: &Client) -> anyhow::Result<()> {
    let answer = client.restock("phantom-1", "chair-01", "Studio chair", 0)?;
    ensure!(answer["skipped"] == Value::Bool(true), "a phantom restock was not skipped: {answer}");
    println!("A restock of quantity 0 was skipped.");
    Ok(())
}

/// The warehouse reports stock.
fn restock(client: &Client, delivery: &str) -> anyhow::Result<String> {
    let answer = client.restock(delivery, "chair-01", "Studio chair", 40)?;
    ensure!(answer["event"] == "product.restocked", "the restock was not accepted: {answer}");
    let campaigns = client.get("/v1/campaigns")?;
    let id = campaigns["campaigns"][0]["id"].as_str().context("the restock opened no campaign")?;
    println!("A signed restock opened campaign {id}.");
    Ok(id.to_owned())
}

/// The warehouse repeats the delivery.
fn redeliver(client: &Client) -> anyhow::Result<()> {
    let answer = client.restock("restock-1", "chair-01", "Studio chair", 40)?;
    ensure!(answer["duplicate"] == Value::Bool(true), "a redelivery was not recognised: {answer}");
    println!("The same delivery again was a no-op.");
    Ok(())
}

/// Follows the campaign until a third of its mails are sent; returns how many.
fn broadcast_until(client: &Client, campaign: &str, shoppers: usize) -> anyhow::Result<u64> {
    let third = (shoppers as u64 * 80 / 100) / 3;
    follow(client, campaign, |now| now["sentCount"].as_u64().unwrap_or(0) >= third)
        .map(|now| now["sentCount"].as_u64().unwrap_or(0))
}

/// Follows the campaign to its end.
fn broadcast(client: &Client, campaign: &str) -> anyhow::Result<Value> {
    follow(client, campaign, |now| now["status"] == "sent")
}

/// Follows a campaign until `enough`, with a progress bar; at most ten minutes.
fn follow(client: &Client, campaign: &str, enough: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let path = format!("/v1/campaigns/{campaign}");
    let total = client.get(&path)?["totalRecipients"].as_u64().unwrap_or(0);
    let bar = bar(total, "mails");
    for _ in 0..6000 {
        let now = client.get(&path)?;
        bar.set_position(now["sentCount"].as_u64().unwrap_or(0) + now["inDoubtCount"].as_u64().unwrap_or(0));
        if enough(&now) {
            bar.abandon();
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("the campaign did not come to its end within ten minutes")
}

fn bar(total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>16} {wide_bar} {pos}/{len} {per_sec}");
    let bar = ProgressBar::new(total).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
