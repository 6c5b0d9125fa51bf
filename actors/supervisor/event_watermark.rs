//! The newest of the directory's events that lists were told of.

use super::ListMessage;

/// A webhook's restock reaches a list past the directory. Its record carries this number, so that a start knows which
/// events the list had been told of by then and does not send them again after it.
#[derive(Debug, Default)]
pub struct EventWatermark(u64);

impl EventWatermark {
    /// Notes a message on its way to a list; a restock gets the watermark.
    pub fn pass(&mut self, message: &mut ListMessage) {
        match message {
            ListMessage::Task { event, .. } => self.0 = self.0.max(*event),
            ListMessage::Restock { event, .. } => *event = self.0,
            _ => {}
        }
    }
}
