//! Prints the result: the median of the rounds with the least and the most, peer by peer.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use crate::Peer;
use crate::load::Stretch;

/// Prints a row for each peer; `rounds` hold the peers in the same order.
pub fn print(peers: &[Peer], rounds: &[Vec<Stretch>], syncs: &[f64]) {
    let (syncs, spread) = median(syncs.to_vec());
    println!("the disk, 4 KiB appended and synced: {syncs:.0} ({spread}) syncs/s\n");
    println!(
        "| peer | new joins/s | all requests/s | p50 ms | p99 ms | server CPU µs | client CPU µs | restockd : peer |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let ours = peers.iter().position(|peer| *peer == Peer::Restockd);
    for (at, peer) in peers.iter().enumerate() {
        let of = |figure: fn(&Stretch) -> f64| median(rounds.iter().map(|row| figure(&row[at])).collect());
        let (joins, spread) = of(|it| it.joins);
        // Round by round, so that anything that slowed the machine down for a while slowed both.
        let ratio = ours.filter(|ours| *ours != at).map(|ours| {
            let (ratio, (low, high)) =
                median_of(rounds.iter().map(|row| row[ours].joins / row[at].joins).collect());
            format!("{ratio:.2} ({low:.2}-{high:.2})")
        });
        println!(
            "| {peer} | {joins:.0} ({spread}) | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {} |",
            of(|it| it.all).0,
            of(|it| it.p50).0,
            of(|it| it.p99).0,
            of(|it| it.server).0,
            of(|it| it.client).0,
            ratio.unwrap_or_default(),
        );
    }
}

/// Median, and the spread as text.
fn median(figures: Vec<f64>) -> (f64, String) {
    let (median, (low, high)) = median_of(figures);
    (median, format!("{low:.0}-{high:.0}"))
}

/// Median, least and most.
fn median_of(mut figures: Vec<f64>) -> (f64, (f64, f64)) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], (figures[0], *figures.last().unwrap()))
}
