//! Which of the directory's events lists were told of: what a word that comes past the directory stands behind.

use super::ListMessage;

/// The newest of the directory's events that lists were told of. A webhook comes past the directory: what a list
/// records of it says which events the list had heard by then, or a start would send those again behind it.
#[derive(Debug, Default)]
pub struct EventWatermark(u64);

impl EventWatermark {
    /// Notes a message on its way to a list.
    pub fn pass(&mut self, message: &mut ListMessage) {
        match message {
            ListMessage::Task { event, .. } => self.0 = self.0.max(*event),
            ListMessage::Restock { event, .. } => *event = self.0,
            _ => {}
        }
    }
}
