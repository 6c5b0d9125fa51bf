//! The campaigns of a storm, followed to their end and added up.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use restockd::cli::child::Client;
use serde_json::Value;

use super::report::Check;
use super::sink::Sink;

/// Campaigns on a page.
const PAGE: u64 = 200;
/// The longest wait for the mails of a storm.
const MAILS_WAIT: Duration = Duration::from_secs(600);

/// The counters of all campaigns, added up.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) campaigns: u64,
    pub(super) total: u64,
    pub(super) sent: u64,
    pub(super) open: u64,
    pub(super) rest: u64,
    /// Campaigns whose own counters do not add up.
    pub(super) wrong: u64,
}

impl Sums {
    /// Reads every campaign of the engine.
    pub(super) fn read(client: &Client) -> anyhow::Result<Self> {
        let mut sums = Self::default();
        for page in 0..10_000 {
            let answer = client.get(&format!("/v1/campaigns?limit={PAGE}&offset={}", page * PAGE))?;
            answer["campaigns"].as_array().into_iter().flatten().for_each(|campaign| sums.add(campaign));
            if answer["hasMore"] != Value::Bool(true) {
                return Ok(sums);
            }
        }
        bail!("the campaigns have no end")
    }

    fn add(&mut self, campaign: &Value) {
        let of = |name: &str| campaign[name].as_u64().unwrap_or_default();
        let open = of("pendingCount") + of("startedCount") + of("deferredCount");
        let rest = of("skippedCount") + of("failedCount") + of("inDoubtCount");
        self.campaigns += 1;
        self.total += of("totalRecipients");
        self.sent += of("sentCount");
        self.open += open;
        self.rest += rest;
        self.wrong += u64::from(of("totalRecipients") != open + rest + of("sentCount"));
    }

    /// Waits until no letter is open; returns the sums, and the checks on them.
    pub(super) fn at_rest(client: &Client, sink: Option<&Sink>) -> anyhow::Result<(Self, Vec<Check>)> {
        until_at_rest(client)?;
        let sums = Self::read(client)?;
        ensure!(sums.open == 0, "{} letters are open in campaigns that are not", sums.open);
        let mut checks = vec![
            Check::same("campaigns whose counters do not add up", 0, sums.wrong),
            Check::same("letters sent, skipped, failed or in doubt", sums.total, sums.sent + sums.rest),
        ];
        if let Some(sink) = sink {
            let (letters, twice) = sink.look(|seen| (seen.letters, seen.twice));
            checks.push(Check::same("letters that the mail server counted", sums.sent, letters));
            checks.push(Check::same("letters that came twice", 0, twice));
        }
        Ok((sums, checks))
    }
}

/// Waits until no campaign runs; reads one campaign at a time, which costs the engine next to nothing.
pub(super) fn until_at_rest(client: &Client) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let open = client.get("/v1/campaigns?status=queued,sending,paused&limit=1")?;
        if open["campaigns"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        ensure!(begin.elapsed() < MAILS_WAIT, "a campaign still runs after ten minutes");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How fast the letters of one campaign went out.
#[derive(Debug)]
pub(super) struct Flow {
    /// The time from the request to the first letter that was sent.
    pub(super) first: Duration,
    /// From the first reading that showed a letter to the end.
    pub(super) letters_per_second: f64,
    pub(super) sent: u64,
    pub(super) total: u64,
    /// The most memory during the campaign, MiB.
    pub(super) peak_mib: f64,
}

/// Follows a campaign from `begin` to its end; `look` returns the engine's memory in MiB.
pub(super) fn follow(
    client: &Client,
    campaign: &str,
    begin: Instant,
    look: impl Fn() -> f64,
    on: impl Fn(u64),
) -> anyhow::Result<Flow> {
    let path = format!("/v1/campaigns/{campaign}");
    let (mut first, mut peak_mib) = (None, look());
    loop {
        let now = client.get(&path).context("the campaign is gone")?;
        let at = begin.elapsed();
        let of = |name: &str| now[name].as_u64().unwrap_or_default();
        let sent = of("sentCount");
        if sent > 0 && first.is_none() {
            first = Some((at, sent));
        }
        peak_mib = f64::max(peak_mib, look());
        on(sent);
        if now["status"] == "sent" {
            let (first, had) = first.unwrap_or((at, sent));
            let span = at.saturating_sub(first).as_secs_f64().max(1e-6);
            let letters_per_second = (sent - had) as f64 / span;
            return Ok(Flow { first, letters_per_second, sent, total: of("totalRecipients"), peak_mib });
        }
        if at > MAILS_WAIT {
            bail!("the campaign did not come to its end within ten minutes");
        }
        std::thread::sleep(Duration::from_millis(if first.is_none() { 1 } else { 50 }));
    }
}
