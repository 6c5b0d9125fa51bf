//! A test door (feature `testing`): the courier on a stream that is already there, without names and TCP.

use std::sync::Arc;

use super::connect::Connection;
use super::wire::Stream;
use super::{SmtpClient, SmtpCourier};
use crate::{DeliveryOutcome, Letter};

/// Carries letters over a stream that is already there, until the connection is of no more use: what each came to.
/// A connection that is never ready gives one outcome.
pub(crate) async fn converse(
    post: &Arc<SmtpClient>,
    stream: Box<dyn Stream>,
    letters: &[Letter],
) -> Vec<DeliveryOutcome> {
    let mut courier = SmtpCourier::new(Arc::clone(post));
    match Connection::greet(post, stream, "[127.0.0.1]").await {
        Ok(connection) => courier.kept = Some(connection),
        Err(outcome) => return vec![outcome],
    }
    let mut outcomes = Vec::new();
    for packed in letters.iter().filter_map(|letter| letter.pack().ok()) {
        courier.kept = courier.still_good().await;
        if courier.kept.is_none() {
            break;
        }
        outcomes.push(courier.deliver(packed, Box::pin(async { true })).await);
    }
    courier.close().await;
    outcomes
}
