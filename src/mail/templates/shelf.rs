//! Where the templates are kept, compiled, and how one is filled in.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value};

use super::error::Problem;
use super::escape::write_value;
use super::values::Values;
use crate::mail::kind::MailKind;

/// Templates under their names, such as `reset_password.en.txt`.
pub(super) struct Shelf(Environment<'static>);

impl Shelf {
    pub(super) fn new() -> Self {
        // An empty environment has no filters, so no `safe` either.
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(minijinja::default_auto_escape_callback);
        environment.set_formatter(write_value);
        Self(environment)
    }

    /// Adds a template, or replaces the one of that name.
    pub(super) fn put(&mut self, name: &str, source: String) -> Result<(), Problem> {
        Ok(self.0.add_template_owned(name.to_owned(), source)?)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get_template(name).is_ok()
    }

    /// The first name, by the alphabet, that a template uses and that is not among `known`.
    pub(super) fn unknown(&self, name: &str, known: &[&str]) -> Result<Option<String>, Problem> {
        let used = self.0.get_template(name)?.undeclared_variables(false);
        Ok(used
            .into_iter()
            .filter(|name| !known.contains(&&**name))
            .min())
    }

    /// Fills a template in with the placeholders that its kind offers, and no others.
    pub(super) fn fill(
        &self,
        name: &str,
        kind: MailKind,
        values: &Values,
    ) -> Result<String, Problem> {
        let offered = kind.offers().iter();
        let context = offered.map(|&placeholder| (placeholder.name(), values.text(placeholder)));
        self.render(name, context.collect::<BTreeMap<_, _>>().into())
    }

    pub(super) fn render(&self, name: &str, context: Value) -> Result<String, Problem> {
        Ok(self.0.get_template(name)?.render(context)?)
    }
}
