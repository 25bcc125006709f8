//! What goes over the wire: bodies, problems, timestamps.

pub mod answer;
pub mod body;
pub mod code;
pub mod cursor;
pub mod problem;
pub mod query;
pub mod refusals;
pub mod static_body;
pub mod timestamp;
pub mod words;
