//! A storm: its scenarios, what each measures, and what is verified afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use super::args::{Against, MailTo, Scenario, StormArgs};
use super::drive::{Load, Order, drive};
use super::environment::Environment;
use super::loads::{self, BatchLoad, Facts, Flap, Mixed, Press, Repeat, Webhooks};
use super::mails::Sums;
use super::report::{Check, ResultRow, Spread, StormReport};
use super::shoppers::Shoppers;
use super::sink::Sink;
use super::stats::NUMBERS_MAX;
use super::verify::Walk;
use super::{big, procstat};

pub(super) struct Storm<'a> {
    pub(super) args: &'a StormArgs,
    pub(super) tag: String,
    pub(super) runtime: Runtime,
    pub(super) environment: Environment,
    pub(super) sink: Option<Sink>,
    report: StormReport,
}

/// Load before a measured stretch, which is not counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// Time after a flood until memory is read again.
const AFTER_FLOOD: Duration = Duration::from_secs(10);
/// The longest time for filling an engine.
const FILL_SPAN: Duration = Duration::from_secs(900);

impl<'a> Storm<'a> {
    /// Prepares a storm on an engine that runs or is started here, with a mail server of its own where needed.
    pub(super) fn new(args: &'a StormArgs, runtime: Runtime) -> anyhow::Result<Self> {
        let mut random = [0; 3];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let [one, two, three] = random;
        let sink = (args.url.is_none() && args.mail == MailTo::Sink)
            .then(|| runtime.block_on(Sink::start()))
            .transpose()?;
        let environment = Environment::new(args, settings(args, sink.as_ref()))?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let scenario = format!("{:?}", args.scenario).to_lowercase();
        let report = StormReport { scenario, cores, ..StormReport::default() };
        Ok(Self { args, tag: format!("s{one:02x}{two:02x}{three:02x}"), runtime, environment, sink, report })
    }

    /// Runs the scenario and reports.
    pub(super) fn run_scenario(mut self) -> anyhow::Result<StormReport> {
        self.scenario()?;
        Ok(self.report)
    }

    fn scenario(&mut self) -> anyhow::Result<()> {
        let fresh = || Facts::new(NUMBERS_MAX);
        let even = Arc::new(Shoppers::even(&self.tag, self.args.skus));
        let secret = self.environment.client.secret().to_owned();
        match self.args.scenario {
            Scenario::Press => {
                let facts = fresh();
                let load = Press { shop: Arc::clone(&even), facts: Arc::clone(&facts) };
                let used = self.stretches(Arc::new(load), 1)?;
                self.verify_memberships(&even, &facts, used)
            }
            Scenario::Repeat => {
                let facts = fresh();
                let of = 200_000;
                let fill = BatchLoad { shop: Arc::clone(&even), facts: Arc::clone(&facts), size: 100 };
                self.fill("presses to repeat", Arc::new(fill), of / 100, 100)?;
                self.stretches(Arc::new(Repeat { shop: Arc::clone(&even), of }), 1)?;
                self.verify_memberships(&even, &facts, of)
            }
            Scenario::Batch => {
                let facts = fresh();
                let load = BatchLoad { shop: Arc::clone(&even), facts: Arc::clone(&facts), size: 100 };
                let used = self.stretches(Arc::new(load), 100)?;
                self.verify_memberships(&even, &facts, used * 100)
            }
            Scenario::Flood => {
                let facts = fresh();
                let load = Press { shop: Arc::clone(&even), facts: Arc::clone(&facts) };
                let used = self.stretches(Arc::new(load), 1)?;
                self.measure_recovery()?;
                self.verify_memberships(&even, &facts, used)
            }
            Scenario::Webhooks => {
                let fresh_every = 100 / (100 - self.args.redelivered);
                let facts = fresh();
                let load =
                    Webhooks { shop: Arc::clone(&even), facts: Arc::clone(&facts), secret, fresh_every };
                let used = self.stretches(Arc::new(load), 1)?;
                self.verify_deliveries(&even, &facts, used)?;
                self.mails()
            }
            Scenario::Flap => {
                let facts = fresh();
                let press = Press { shop: Arc::clone(&even), facts: Arc::clone(&facts) };
                let used = self.stretches(Arc::new(Flap { press, secret }), 1)?;
                self.mails()?;
                self.verify_memberships(&even, &facts, used)
            }
            Scenario::Mixed => {
                let facts = fresh();
                let shop = Arc::new(Shoppers::zipf(&self.tag, self.args.skus));
                let press = Press { shop: Arc::clone(&shop), facts: Arc::clone(&facts) };
                let used = self.stretches(Arc::new(Mixed { press, secret }), 1)?;
                self.mails()?;
                self.verify_memberships(&shop, &facts, used)
            }
            Scenario::Hype => big::hype(self, false),
            Scenario::Broadcast => big::hype(self, true),
            Scenario::Tail => big::tail(self),
            Scenario::Restocks => big::restocks_beside(self),
            Scenario::Ceiling => Ok(()),
        }
    }

    /// The measured stretches, engine and ceiling in turn; returns how many numbers were used.
    fn stretches(&mut self, load: Arc<dyn Load>, facts: u64) -> anyhow::Result<u64> {
        let args = self.args;
        let order = Order {
            connections: args.connections,
            rate: args.rate,
            from: 0,
            count: None,
            span: Duration::from_secs_f64(args.seconds),
        };
        let endpoint = self.environment.endpoint()?;
        let ceiling = match args.against {
            Some(Against::Ceiling) => Some(self.environment.ceiling()?),
            None => None,
        };
        let bar = self.bar(0, "warm up");
        let warm = Order { span: WARM_UP, ..order };
        let (_, mut used) = self.runtime.block_on(drive(&endpoint, Arc::clone(&load), warm, &bar));
        if let Some((endpoint, _)) = &ceiling {
            self.runtime.block_on(drive(endpoint, unchecked(&load), warm, &bar));
        }
        bar.finish_and_clear();
        let mut ratios = Vec::new();
        for round in 1..=args.repeats {
            let bar = self.bar(0, "engine");
            let before = self.environment.look();
            let order = Order { from: used, ..order };
            let (tally, next) = self.runtime.block_on(drive(&endpoint, Arc::clone(&load), order, &bar));
            used = next;
            self.row(ResultRow::new(
                &format!("engine {round}"),
                &tally,
                facts,
                before,
                self.environment.look(),
            ));
            bar.finish_and_clear();
            if let Some((endpoint, pid)) = &ceiling {
                let bar = self.bar(0, "ceiling");
                let before = procstat::look(*pid);
                let (bare, _) = self.runtime.block_on(drive(endpoint, unchecked(&load), order, &bar));
                self.row(ResultRow::new(
                    &format!("ceiling {round}"),
                    &bare,
                    facts,
                    before,
                    procstat::look(*pid),
                ));
                bar.finish_and_clear();
                ratios.push(tally.per_second() / bare.per_second().max(1e-9));
            }
        }
        self.report.ratio = Spread::of(ratios);
        if let Some(dir) = self.environment.dir() {
            let disk = procstat::disk_mib(dir);
            self.figure("data directory, MiB", disk);
        }
        Ok(used)
    }

    /// After a flood: measures the time until a press is accepted again, and what memory comes down to.
    fn measure_recovery(&mut self) -> anyhow::Result<()> {
        let sums = self.report.rows.iter().fold((0, 0, 0), |(offered, done, refused), row| {
            (offered + row.offered, done + row.done, refused + row.refused)
        });
        let (offered, accepted, refused) = sums;
        self.figure("offered", offered as f64);
        self.figure("accepted", accepted as f64);
        self.figure("refused", refused as f64);
        let begin = Instant::now();
        let again = Shoppers::even(&format!("{}again", self.tag), 1).press(0, 0, 0);
        let again = serde_json::from_str(&again)?;
        while self.environment.client.post("/v1/events", &again).is_err() {
            ensure!(begin.elapsed() < FILL_SPAN, "the engine does not come back after the flood");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.figure("itself again after, ms", begin.elapsed().as_secs_f64() * 1000.0);
        let peak = self.environment.look();
        std::thread::sleep(AFTER_FLOOD);
        self.figure("memory at most, MiB", peak.peak_mib);
        self.figure("memory ten seconds later, MiB", self.environment.look().rss_mib);
        Ok(())
    }

    /// Sends so many requests that prepare what follows: all must be accepted.
    pub(super) fn fill(
        &mut self,
        name: &'static str,
        load: Arc<dyn Load>,
        count: u64,
        facts: u64,
    ) -> anyhow::Result<()> {
        let row = self.counted(name, load, 0, count, facts, 8)?;
        ensure!(row.done == count, "{} of {count} requests to {name} were taken: {:?}", row.done, row.errors);
        Ok(())
    }

    /// Runs a closed loop of so many requests.
    pub(super) fn count(
        &mut self,
        name: &str,
        load: Arc<dyn Load>,
        from: u64,
        count: u64,
    ) -> anyhow::Result<ResultRow> {
        self.counted(name, load, from, count, 1, self.args.connections)
    }

    fn counted(
        &mut self,
        name: &str,
        load: Arc<dyn Load>,
        from: u64,
        count: u64,
        facts: u64,
        connections: usize,
    ) -> anyhow::Result<ResultRow> {
        let bar = self.bar(count, "fill");
        let before = self.environment.look();
        let order = Order { connections, rate: None, from, count: Some(count), span: FILL_SPAN };
        let (tally, _) = self.runtime.block_on(drive(&self.environment.endpoint()?, load, order, &bar));
        bar.finish_and_clear();
        let row = ResultRow::new(name, &tally, facts, before, self.environment.look());
        self.row(row.clone());
        Ok(row)
    }

    /// Verifies who is on which list.
    pub(super) fn verify_memberships(
        &mut self,
        shop: &Arc<Shoppers>,
        facts: &Arc<Facts>,
        numbers: u64,
    ) -> anyhow::Result<()> {
        let bar = self.bar(shop.skus, "ask back");
        let belongs = |shop: &Shoppers, person: u64, sku: u64| shop.sku(person) == sku;
        let endpoint = self.environment.endpoint()?;
        let walk = Walk::over(&endpoint, shop, numbers, false, Arc::new(belongs), &bar);
        let walk = self.runtime.block_on(walk)?;
        bar.finish_and_clear();
        walk.judge(facts, numbers, 0).into_iter().for_each(|check| self.check(check));
        Ok(())
    }

    /// Sends every acknowledged delivery again: each must be a duplicate.
    fn verify_deliveries(
        &mut self,
        shop: &Arc<Shoppers>,
        facts: &Arc<Facts>,
        used: u64,
    ) -> anyhow::Result<()> {
        let known: Vec<u64> = (0..=used).filter(|delivery| facts.delivered.has(*delivery)).collect();
        let again = Arc::new(loads::RepeatedRestock::new(
            Arc::clone(shop),
            self.environment.client.secret().to_owned(),
            known,
        ));
        let count = again.len();
        let order = Order { connections: 32, rate: None, from: 0, count: Some(count), span: FILL_SPAN };
        let bar = self.bar(count, "ask back");
        let (tally, _) = self.runtime.block_on(drive(&self.environment.endpoint()?, again, order, &bar));
        bar.finish_and_clear();
        self.check(Check::same("acknowledged deliveries known as duplicates", count, tally.done));
        Ok(())
    }

    /// Follows every campaign to its end and counts its mails.
    fn mails(&mut self) -> anyhow::Result<()> {
        let (sums, checks) = Sums::at_rest(&self.environment.client, self.sink.as_ref())?;
        self.figure("campaigns", sums.campaigns as f64);
        self.figure("letters sent", sums.sent as f64);
        checks.into_iter().for_each(|check| self.check(check));
        Ok(())
    }

    pub(super) fn row(&mut self, row: ResultRow) {
        self.report.rows.push(row);
    }

    pub(super) fn check(&mut self, check: Check) {
        self.report.checks.push(check);
    }

    pub(super) fn figure(&mut self, name: &str, figure: f64) {
        self.report.figures.insert(name.to_owned(), figure);
    }

    /// A progress bar; without an end where time decides.
    pub(super) fn bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let (bar, template) = match total {
            0 => (ProgressBar::new_spinner(), "{msg:>16} {pos} {per_sec}"),
            total => (ProgressBar::new(total), "{msg:>16} {wide_bar} {pos}/{len} {per_sec}"),
        };
        let bar = bar.with_message(what);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// The same requests, of which any 2xx answer is good.
fn unchecked(load: &Arc<dyn Load>) -> Arc<dyn Load> {
    Arc::new(loads::Unchecked(Arc::clone(load)))
}

/// The settings of the storm's own engine.
fn settings(args: &StormArgs, sink: Option<&Sink>) -> Vec<(&'static str, String)> {
    let mail = match (sink, args.mail) {
        (Some(sink), _) => sink.setting(),
        (None, MailTo::Unmade) => "discard:unmade".to_owned(),
        (None, _) => "discard:".to_owned(),
    };
    vec![
        ("RESTOCKD_MAIL", mail),
        ("RESTOCKD_MAIL_RATE", "unlimited".to_owned()),
        ("RESTOCKD_MAIL_CONNECTIONS", args.mail_connections.to_string()),
    ]
}
