//! What holds of lanes, by example and by law.
