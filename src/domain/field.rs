//! Field errors: what is wrong with each field, collected for one response.

use std::collections::BTreeMap;

use strum::{IntoStaticStr, VariantNames};

/// What is wrong with a field, as a stable code for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum FieldCode {
    Required,
    Invalid,
    TooShort,
    TooLong,
    TooWeak,
    Incorrect,
    Mismatch,
    Reserved,
    Taken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub code: FieldCode,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    pub fn new(code: FieldCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn required() -> Self {
        Self::new(FieldCode::Required, "This field is required.")
    }
}

/// Errors by field name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<&'static str, Vec<FieldError>>);

impl FieldErrors {
    pub fn add(&mut self, field: &'static str, error: FieldError) {
        self.0.entry(field).or_default().push(error);
    }

    /// Returns the value, or records its error under `field`.
    pub fn take<T>(&mut self, field: &'static str, parsed: Result<T, FieldError>) -> Option<T> {
        parsed.map_err(|error| self.add(field, error)).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &[FieldError])> {
        self.0
            .iter()
            .map(|(field, errors)| (*field, errors.as_slice()))
    }
}

impl std::fmt::Display for FieldErrors {
    /// A line for each error.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let errors = self
            .iter()
            .flat_map(|(field, errors)| errors.iter().map(move |error| (field, error)));
        for (index, (field, error)) in errors.enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{field}: {}", error.message)?;
        }
        Ok(())
    }
}

impl From<(&'static str, FieldError)> for FieldErrors {
    fn from((field, error): (&'static str, FieldError)) -> Self {
        let mut errors = Self::default();
        errors.add(field, error);
        errors
    }
}
