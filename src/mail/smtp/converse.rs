//! An entry point for tests (feature `testing`): the courier on an open stream, without name look-up and TCP.

use std::sync::Arc;

use super::connect::Connection;
use super::wire::Stream;
use super::{SmtpClient, SmtpCourier};
use crate::{DeliveryOutcome, Letter};

/// Sends letters over an open stream until the connection can no longer be used; one outcome for each letter tried. A
/// connection that never gets ready gives one outcome.
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
