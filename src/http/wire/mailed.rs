//! What a page sends of a mailed link.

use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Field, Sent};
use crate::domain::field::FieldErrors;
use crate::domain::secret::MailToken;

/// A link from a mail.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// What follows `#token=` in the mailed link.
    #[schema(value_type = String, required, example = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    token: Option<Sent<String>>,
}

impl TokenRequest {
    /// `None` if no mail can have carried it.
    pub fn token(self) -> Result<Option<MailToken>, FieldErrors> {
        let token = self.token.required();
        let token = token.map_err(|error| FieldErrors::from(("token", error)))?;
        Ok(MailToken::parse(&token))
    }
}
