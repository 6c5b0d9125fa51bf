//! The lanes as a snapshot takes them: what must not be granted twice, and the last words of a throttle.

use super::super::pace::Pace;
use super::super::time::Millis;
use super::{Cut, Lane, Shaping};

/// One lane in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneImage {
    /// The provider's name, or the domain.
    pub name: String,
    /// The memory of its rate.
    pub pace: Pace,
    /// The day that `today` counts, in days since 1970 (UTC).
    pub day: u32,
    /// Letters started on that day.
    pub today: u32,
    /// The day on which its warm-up began.
    pub first_day: Option<u32>,
    /// The rate that a throttle has left it.
    pub cut: Option<Cut>,
    /// The last words of a throttle, and when.
    pub last: Option<(Millis, String)>,
    /// When it was last used.
    pub used: Millis,
}

impl Shaping {
    /// All lanes that hold something a restart must know.
    #[must_use]
    pub fn image(&self) -> Vec<LaneImage> {
        let image = |lane: &Lane| LaneImage {
            name: lane.name.to_string(),
            pace: lane.pace,
            day: lane.day,
            today: lane.today,
            first_day: lane.first_day,
            cut: lane.cut,
            last: lane.last.as_ref().map(|(at, words)| (*at, words.to_string())),
            used: lane.used,
        };
        self.known().filter(|lane| lane.lasts()).map(image).collect()
    }

    /// Takes lanes back.
    pub fn restore(&mut self, lanes: Vec<LaneImage>) {
        for image in lanes {
            let lane = self.of_record(&image.name, image.used);
            (lane.pace, lane.day, lane.today) = (image.pace, image.day, image.today);
            (lane.first_day, lane.cut, lane.used) = (image.first_day, image.cut, image.used);
            lane.last = image.last.map(|(at, words)| (at, words.into()));
        }
    }
}
