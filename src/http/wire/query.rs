//! The query of a request.

use url::form_urlencoded;

use super::body::{Field, Sent};
use crate::domain::field::{FieldError, FieldErrors};

/// The parameters. Of a name that is given twice, the first counts.
pub struct Query(Vec<(String, String)>);

/// There are two of one name.
pub struct Twice;

impl Query {
    pub fn of(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The parameter, unless there are two of this name.
    pub fn only(&self, name: &str) -> Result<Option<&str>, Twice> {
        let mut named = self.0.iter().filter(|(given, _)| given == name);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Twice),
            (found, None) => Ok(found.map(|(_, value)| value.as_str())),
        }
    }

    /// A field of the body, or else the parameter of its name: some intermediaries drop the body of a DELETE.
    pub fn complete(
        &self,
        name: &'static str,
        sent: Option<Sent<String>>,
    ) -> Result<String, FieldErrors> {
        let value = sent.optional().and_then(|sent| {
            let sent = sent.or_else(|| self.get(name).map(ToOwned::to_owned));
            sent.ok_or_else(FieldError::required)
        });
        value.map_err(|error| FieldErrors::from((name, error)))
    }
}
