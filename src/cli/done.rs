//! What a command prints when it is done, for people or for programs.

use std::io::{Write, stdout};

use serde_json::Value;

pub struct Done {
    pub text: String,
    pub json: Value,
}

impl Done {
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json[key] = value.into();
        self
    }

    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        if json && self.json.is_null() {
            // It has written its lines itself.
        } else if json {
            writeln!(stdout(), "{}", self.json)?;
        } else if !self.text.is_empty() {
            writeln!(stdout(), "{}", self.text.trim_end())?;
        }
        Ok(())
    }
}
