//! Throttles as a snapshot takes them.

use super::super::pace::Pace;
use super::super::time::Millis;
use super::{ProviderThrottle, RateCut, Shaping};

/// One throttle in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleImage {
    /// The provider's name, or the domain.
    pub name: String,
    /// How its rate is used up.
    pub pace: Pace,
    /// The day that `today` counts, in days since 1970 (UTC).
    pub day: u32,
    /// Letters started on that day.
    pub today: u32,
    /// The day on which its warm-up began, in days since 1970 (UTC).
    pub first_day: Option<u32>,
    pub cut: Option<RateCut>,
    /// The server's last reply that asked for less, and when it came.
    pub last: Option<(Millis, String)>,
    /// When a record last used it.
    pub used: Millis,
}

impl Shaping {
    /// All throttles that hold anything a restart must know.
    #[must_use]
    pub fn image(&self) -> Vec<ThrottleImage> {
        let image = |throttle: &ProviderThrottle| ThrottleImage {
            name: throttle.name.to_string(),
            pace: throttle.pace,
            day: throttle.day,
            today: throttle.today,
            first_day: throttle.first_day,
            cut: throttle.cut,
            last: throttle.last.as_ref().map(|(at, words)| (*at, words.to_string())),
            used: throttle.used,
        };
        self.known().filter(|throttle| throttle.lasts()).map(image).collect()
    }

    /// Takes throttles back from a snapshot.
    pub(crate) fn restore(&mut self, throttles: Vec<ThrottleImage>) {
        for image in throttles {
            let throttle = self.of_record(&image.name, image.used);
            (throttle.pace, throttle.day, throttle.today) = (image.pace, image.day, image.today);
            (throttle.first_day, throttle.cut, throttle.used) = (image.first_day, image.cut, image.used);
            throttle.last = image.last.map(|(at, words)| (at, words.into()));
        }
    }
}
