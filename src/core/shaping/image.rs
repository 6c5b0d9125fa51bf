//! The lanes as a snapshot takes them: what must not be granted twice, and the last words of a throttle.

use serde::{Deserialize, Serialize};

use super::super::pace::Pace;
use super::super::time::Millis;
use super::{Cut, Lane, Shaping};

/// One lane in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneImage {
    name: String,
    pace: Pace,
    day: u32,
    today: u32,
    first_day: Option<u32>,
    cut: Option<Cut>,
    last: Option<(Millis, String)>,
    used: Millis,
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
