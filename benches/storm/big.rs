//! The storms of one big thing: a list with a million waiters, and a million lists.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::drive::Load;
use super::loads::{BatchLoad, Facts, Press, restock};
use super::mails::{self, Sums};
use super::report::Check;
use super::shoppers::Shoppers;
use super::storm::Storm;
use super::verify::Walk;
use super::wire::{Call, HttpReply, Wire};

/// Events in one request while the engine is filled.
const FILL: u64 = 1000;
/// A list rests after 30 s without messages; the sweep comes within a few more.
const REST_WAIT: Duration = Duration::from_secs(40);
/// Presses on resting lists that are measured.
const WOKEN: u64 = 10_000;

/// A restock of a list with many waiters (`hype`), or a campaign made by hand on such a list (`broadcast`).
pub(super) fn hype(storm: &mut Storm, broadcast: bool) -> anyhow::Result<()> {
    let people = storm.args.people;
    let shop = Arc::new(Shoppers::even(&storm.tag, 1));
    let facts = Facts::new(people);
    let load = BatchLoad { shop: Arc::clone(&shop), facts: Arc::clone(&facts), size: FILL };
    storm.fill("fill the list", Arc::new(load), people.div_ceil(FILL), FILL)?;
    let people = people.div_ceil(FILL) * FILL;
    // A snapshot first: work left over from the filling would be counted as the letters' memory.
    storm.environment.client.post("/v1/admin/snapshot", &json!({}))?;
    let before = storm.environment.look();
    let begin = Instant::now();
    let list = shop.list(0);
    let id = if broadcast {
        let body = json!({ "list": list, "template": "ecommerce/back-in-stock", "idempotencyKey": storm.tag,
            "props": { "sku": shop.sku_name(0), "product_name": "Studio chair" } });
        let answer = storm.environment.client.post("/v1/campaigns", &body)?;
        answer["campaignId"].as_str().context("no campaign was made")?.to_owned()
    } else {
        let client = &storm.environment.client;
        let answer = client.restock(&format!("{}-0", storm.tag), &shop.sku_name(0), "Studio chair", 5)?;
        ensure!(answer["ok"] == true, "the restock was answered {answer}");
        let detail = client.get(&format!("/v1/lists/{list}"))?;
        let running = detail["running"][0].as_str().map(str::to_owned);
        running.context("the restock opened no campaign")?
    };
    let bar = storm.bar(people, "letters");
    let flow = mails::follow(
        &storm.environment.client,
        &id,
        begin,
        || storm.environment.look().rss_mib,
        |sent| bar.set_position(sent),
    )?;
    bar.finish_and_clear();
    let after = storm.environment.look();
    let first = storm.sink.as_ref().and_then(|sink| sink.look(|seen| seen.first));
    let first = first.map_or(flow.first, |at| at.duration_since(begin));
    storm.figure("first letter, ms after the request", first.as_secs_f64() * 1000.0);
    storm.figure("letters a second", flow.letters_per_second);
    storm.figure("cpu microseconds a letter", (after.cpu_s - before.cpu_s) * 1e6 / flow.sent.max(1) as f64);
    storm.figure("memory before the letters, MiB", before.rss_mib);
    storm.figure("memory growth at most, MiB", flow.peak_mib - before.rss_mib);
    storm.figure(
        "written to disk, bytes a letter",
        (after.written_mib - before.written_mib) * 1048576.0 / flow.sent.max(1) as f64,
    );
    storm.check(Check::same("recipients", people, flow.total));
    storm.check(Check::same("letters sent", people, flow.sent));
    let (_, checks) = Sums::at_rest(&storm.environment.client, storm.sink.as_ref())?;
    checks.into_iter().for_each(|check| storm.check(check));
    storm.verify_memberships(&shop, &facts, people)
}

/// As many lists as people, each person on three of them.
struct Tail {
    shop: Arc<Shoppers>,
    facts: Arc<Facts>,
}

/// The three lists of a shopper.
fn of_three(skus: u64, person: u64) -> [u64; 3] {
    [person % skus, (person + skus / 3 + 1) % skus, (person + 2 * (skus / 3) + 1) % skus]
}

impl Load for Tail {
    fn call(&self, n: u64) -> Call {
        let mut body = String::with_capacity(FILL as usize * 300);
        body.push_str("{\"events\":[");
        for person in n * FILL..(n + 1) * FILL {
            let [a, b, c] = of_three(self.shop.skus, person).map(|sku| self.shop.list(sku));
            let comma = if person == n * FILL { "" } else { "," };
            let address = self.shop.address(person);
            // Writing into a string cannot fail.
            let _ = write!(
                body,
                "{comma}{{\"name\":\"product.waitlisted\",\"email\":\"{address}\",\
                 \"lists\":{{\"{a}\":true,\"{b}\":true,\"{c}\":true}}}}"
            );
        }
        body.push_str("]}");
        Call::post("/v1/events/batch", body)
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if answer.count("\"stored\":true") != FILL {
            return Err("a batch of new people was not stored whole");
        }
        (n * FILL..(n + 1) * FILL).for_each(|person| self.facts.joined.set(person));
        Ok(())
    }
}

/// As many lists as people, three members each: measured at rest, when woken, in a snapshot, and after a crash.
pub(super) fn tail(storm: &mut Storm) -> anyhow::Result<()> {
    let people = storm.args.people.div_ceil(FILL) * FILL;
    let shop = Arc::new(Shoppers::even(&storm.tag, people));
    let facts = Facts::new(people);
    let load = Tail { shop: Arc::clone(&shop), facts: Arc::clone(&facts) };
    storm.fill("fill the lists", Arc::new(load), people / FILL, FILL)?;
    storm.figure("memory after the load, MiB", storm.environment.look().rss_mib);
    std::thread::sleep(REST_WAIT);
    storm.figure("memory at rest, MiB", storm.environment.look().rss_mib);
    let round = storm.environment.client.post("/v1/admin/snapshot", &json!({}))?;
    storm.figure("snapshot, ms", round["tookMs"].as_f64().unwrap_or_default());
    storm.figure("memory after the snapshot, MiB", storm.environment.look().rss_mib);
    if let Some(dir) = storm.environment.dir() {
        let disk = super::procstat::disk_mib(dir);
        storm.figure("data directory, MiB", disk);
    }
    restart(storm, "after a snapshot")?;
    wake(storm, &shop)?;
    restocks(storm, &shop)?;
    restart(storm, "after restocks")?;
    let belongs = |shop: &Shoppers, person: u64, sku: u64| of_three(shop.skus, person).contains(&sku);
    let bar = storm.bar(shop.skus, "ask back");
    let endpoint = storm.environment.endpoint()?;
    let walk = Walk::over(&endpoint, &shop, people, true, Arc::new(belongs), &bar);
    let walk = storm.runtime.block_on(walk)?;
    bar.finish_and_clear();
    storm.check(Check::same("memberships", people * 3, walk.seen()));
    walk.judge(&facts, people, 2 * WOKEN).into_iter().for_each(|check| storm.check(check));
    Ok(())
}

/// Restarts after `kill -9`, and measures the time until the engine is ready.
fn restart(storm: &mut Storm, when: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    if storm.environment.restart()? {
        storm.figure(&format!("restart {when}, s"), begin.elapsed().as_secs_f64());
        storm.figure(&format!("memory after the restart {when}, MiB"), storm.environment.look().rss_mib);
    }
    Ok(())
}

/// People who are on no list yet press for lists at rest, and then for lists that are awake.
fn wake(storm: &mut Storm, shop: &Arc<Shoppers>) -> anyhow::Result<()> {
    for (name, skus, from) in [("press on resting lists", shop.skus, 0), ("press on awake lists", 100, WOKEN)]
    {
        // The same lists, other people.
        let load = Press { shop: Arc::new(shop.strangers(skus)), facts: Facts::new(2 * WOKEN) };
        let row = storm.count(name, Arc::new(load), from, WOKEN)?;
        storm.figure(&format!("{name}, cpu microseconds each"), row.cpu_us);
    }
    Ok(())
}

/// Restocks of lists with three waiters who came just before, with many other lists at rest.
pub(super) fn restocks_beside(storm: &mut Storm) -> anyhow::Result<()> {
    let people = storm.args.skus.max(FILL).div_ceil(FILL) * FILL;
    let beside = Arc::new(Shoppers::even(&storm.tag, storm.args.skus));
    let load = Tail { shop: beside, facts: Facts::new(people) };
    storm.fill("fill the lists beside", Arc::new(load), people / FILL, FILL)?;
    let shop = Arc::new(Shoppers::even(&format!("{}r", storm.tag), WOKEN));
    let load = Tail { shop: Arc::clone(&shop), facts: Facts::new(WOKEN) };
    storm.fill("fill the lists", Arc::new(load), WOKEN / FILL, FILL)?;
    std::thread::sleep(REST_WAIT);
    restocks(storm, &shop)
}

/// Restocks of lists with three members: the cost of each, from the webhook to the last record of its letters.
fn restocks(storm: &mut Storm, shop: &Arc<Shoppers>) -> anyhow::Result<()> {
    let before = storm.environment.look();
    let endpoint = storm.environment.endpoint()?;
    let (count, secret) = (WOKEN.min(shop.skus), storm.environment.client.secret().to_owned());
    // A step that visits every product once before it visits one twice.
    let step = (shop.skus / count).max(1);
    let of = Arc::clone(shop);
    storm.runtime.block_on(async {
        let mut wire = Wire::new(&endpoint);
        for n in 0..count {
            let answer = wire.ask(restock(&of, &secret, n, n * step, 5)).await?;
            ensure!(answer.is_ok(), "a restock was answered {}", answer.status);
        }
        anyhow::Ok(())
    })?;
    mails::until_at_rest(&storm.environment.client)?;
    let after = storm.environment.look();
    let (sums, checks) = Sums::at_rest(&storm.environment.client, storm.sink.as_ref())?;
    storm
        .figure("restock of three, cpu microseconds each", (after.cpu_s - before.cpu_s) * 1e6 / count as f64);
    storm.figure("restock of three, letters each", sums.sent as f64 / sums.campaigns.max(1) as f64);
    storm.check(Check::same("campaigns of restocks", count, sums.campaigns));
    checks.into_iter().for_each(|check| storm.check(check));
    Ok(())
}
