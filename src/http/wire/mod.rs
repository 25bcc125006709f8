//! What goes over the wire: bodies, problems, timestamps.

pub mod answer;
pub mod body;
pub mod code;
pub mod codes;
pub mod cursor;
pub mod end_others;
pub mod item;
pub mod mailed;
pub mod no_body;
pub mod page;
pub mod problem;
pub mod problem_body;
pub mod query;
pub mod refusals;
pub mod static_body;
pub mod timestamp;
pub mod words;
