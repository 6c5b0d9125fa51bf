//! The report of a storm: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::procstat::ProcessSample;
use super::stats::Tally;

/// One measured stretch.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ResultRow {
    /// `engine` or `ceiling`, with the part of the scenario.
    pub(super) what: String,
    pub(super) seconds: f64,
    pub(super) offered: u64,
    pub(super) done: u64,
    pub(super) refused: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) per_second: f64,
    /// Facts a second, where a request holds several.
    pub(super) facts_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
    /// Processor time of the server for each good answer, in microseconds.
    pub(super) cpu_us: f64,
    pub(super) rss_mib: f64,
    pub(super) peak_mib: f64,
    pub(super) written_mib: f64,
}

impl ResultRow {
    /// A row for the time between two readings.
    pub(super) fn new(
        what: &str,
        tally: &Tally,
        facts: u64,
        before: ProcessSample,
        after: ProcessSample,
    ) -> Self {
        let ms = |quantile: f64| tally.latency.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            what: what.to_owned(),
            seconds: tally.span.as_secs_f64(),
            offered: tally.offered,
            done: tally.done,
            refused: tally.refused,
            errors: tally.errors.clone(),
            per_second: tally.per_second(),
            facts_per_second: tally.per_second() * facts as f64,
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: tally.latency.max() as f64 / 1000.0,
            cpu_us: (after.cpu_s - before.cpu_s) * 1e6 / tally.done.max(1) as f64,
            rss_mib: after.rss_mib,
            peak_mib: after.peak_mib,
            written_mib: after.written_mib - before.written_mib,
        }
    }
}

/// The values of a figure over several repetitions.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) each: Vec<f64>,
}

impl Spread {
    /// `None` without any value.
    pub(super) fn of(each: Vec<f64>) -> Option<Self> {
        let mut sorted = each.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = if sorted.len() % 2 == 1 { upper } else { (upper + *sorted.get(middle - 1)?) / 2.0 };
        Some(Self { median, least, most, each })
    }
}

/// The comparison of what was acknowledged with what the engine has.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) what: String,
    /// How many there must be.
    pub(super) wanted: u64,
    /// How many there are.
    pub(super) found: u64,
    pub(super) good: bool,
}

impl Check {
    /// Good when both numbers are equal.
    pub(super) fn same(what: &str, wanted: u64, found: u64) -> Self {
        Self { what: what.to_owned(), wanted, found, good: wanted == found }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct StormReport {
    pub(super) scenario: String,
    pub(super) cores: usize,
    pub(super) rows: Vec<ResultRow>,
    /// The engine's requests a second divided by the ceiling's, of each repetition.
    pub(super) ratio: Option<Spread>,
    /// Named figures; each name includes the unit.
    pub(super) figures: BTreeMap<String, f64>,
    pub(super) checks: Vec<Check>,
}

impl StormReport {
    /// True when all checks are good and nothing went wrong.
    pub(super) fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.good) && self.rows.iter().all(|row| row.errors.is_empty())
    }

    /// The table for people.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        if !self.rows.is_empty() {
            let _ = writeln!(
                text,
                "{:<18} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9}",
                "",
                "done/s",
                "facts/s",
                "p50 ms",
                "p90 ms",
                "p99 ms",
                "p99.9",
                "max ms",
                "refused",
                "cpu us",
                "RSS MiB",
                "disk MiB"
            );
        }
        for row in &self.rows {
            let _ = writeln!(
                text,
                "{:<18} {:>10.0} {:>10.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.1} {:>9} {:>8.1} {:>8.0} {:>9.0}",
                row.what,
                row.per_second,
                row.facts_per_second,
                row.p50_ms,
                row.p90_ms,
                row.p99_ms,
                row.p999_ms,
                row.max_ms,
                row.refused,
                row.cpu_us,
                row.rss_mib,
                row.written_mib
            );
            for (kind, n) in &row.errors {
                let _ = writeln!(text, "  {n} x {kind}");
            }
        }
        if let Some(ratio) = &self.ratio {
            let _ = writeln!(
                text,
                "of the ceiling: {:.3} (median of {}, {:.3} to {:.3})",
                ratio.median,
                ratio.each.len(),
                ratio.least,
                ratio.most
            );
        }
        for (name, figure) in &self.figures {
            let _ = writeln!(text, "{name}: {figure:.3}");
        }
        for check in &self.checks {
            let word = if check.good { "ok" } else { "WRONG" };
            let _ = writeln!(text, "{word:>5}  {}: {} of {}", check.what, check.found, check.wanted);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_its_middle_and_its_ends() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.least, spread.most), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of(vec![1.0, 2.0]).unwrap().median, 1.5);
        assert!(Spread::of(Vec::new()).is_none());
    }

    #[test]
    fn a_missing_fact_makes_the_report_bad() {
        let mut report = StormReport::default();
        assert!(report.is_good());
        report.checks.push(Check::same("members", 3, 2));
        assert!(!report.is_good());
        assert!(report.table().contains("WRONG  members: 2 of 3"));
    }
}
