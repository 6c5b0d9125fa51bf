//! What is answered about receiving providers.

use crate::domain::Millis;

/// A receiving provider as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderView {
    /// Its name, or the domain; `relay` is the lane of all letters, `others` that of domains beyond the table.
    pub name: String,
    /// The rate that holds now, as text (`30/m`); none is no limit.
    pub rate: Option<String>,
    /// The rate that is set.
    pub set: Option<String>,
    /// True while a throttle holds the rate below what is set.
    pub throttled: bool,
    /// Nothing starts before this, if that is not now.
    pub opens_at: Option<Millis>,
    /// Letters that may be in flight at once.
    pub connections: u32,
    /// Letters in flight.
    pub in_flight: u32,
    /// Letters that wait for this provider.
    pub set_aside: u64,
    /// Letters started today (UTC).
    pub today: u32,
    /// Letters that may start today.
    pub ceiling: Option<u32>,
    /// The words with which it last asked for less, without addresses.
    pub last_reply: Option<String>,
    /// When that was.
    pub last_at: Option<Millis>,
}
