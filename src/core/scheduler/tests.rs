//! What holds of the scheduler, by example and by law. Nothing but the machine runs here: lists, directory, workers and
//! the clock are a small world of their own that knows nothing of how it decides.

mod examples;
mod laws;
mod world;
