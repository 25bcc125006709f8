//! Somebody whom a provider knows and we do not chooses a name, and gets an account.

use serde_json::json;
use uuid::Uuid;

use super::stranger::{self, Stranger};
use crate::auth::account::why_refused;
use crate::auth::admission::Wish;
use crate::auth::door::{self, Login};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::{self, Kind};
use crate::auth::limits::Charge;
use crate::auth::limits::table::REGISTER;
use crate::auth::metrics::LoginMethod;
use crate::auth::outbox;
use crate::auth::second_factor::step::{self, Step};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::locale::Locale;
use crate::domain::proof::Proof;
use crate::domain::secret::KeyHash;
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::identities::{self, NewIdentity};
use crate::store::newcomers;
use crate::store::users::{self, NewUser, User};
use crate::store::{addresses, outbox as mails};

/// What a newcomer types.
pub struct Form {
    pub username: Option<Username>,
    /// Only if the provider has proven none.
    pub email: Option<Email>,
    pub errors: FieldErrors,
}

pub enum Chosen {
    LoggedIn(Box<Login>, Option<String>),
    /// A mail asks for proof of the address. Then they can log in, with the provider.
    Waits,
}

/// Makes the account. With a proven address it is logged in.
pub async fn choose(
    services: &Services,
    key: &KeyHash,
    form: Form,
    client: &Client,
) -> Result<Chosen> {
    let step = step::find(services, key).await?;
    let stranger = stranger::of(&step).ok_or(AuthError::StepExpired)?;
    let provider = services.providers.of_issuer(&stranger.issuer);
    let provider = provider.ok_or(AuthError::StepExpired)?;
    if !services.policy.registration_open || !provider.entry.registers {
        return Err(AuthError::RegistrationClosed);
    }
    let charge = Charge::new(REGISTER, client.network());
    services.limits.take(&[charge], client).await?;
    let proven = step
        .email
        .as_deref()
        .and_then(|text| Email::parse(text).ok());
    let (username, email) = agreed(form, proven.as_ref())?;
    let has_room = proven.is_some() || outbox::has_room(services, &email, client).await?;
    let newcomer = Newcomer {
        stranger: &stranger,
        username: &username,
        email: &email,
        is_proven: proven.is_some(),
        has_room,
        locale: client.locale.as_ref(),
    };
    let user = newcomer.insert(services, key).await?;
    let user = user.ok_or(AuthError::StepExpired)?;
    let mut event = events::made(Kind::Registered, Some(user.id), client);
    event.details = Some(json!({ "provider": stranger.provider }));
    services.events.record_made(event).await;
    if proven.is_none() {
        services.mailbox.wake();
        return Ok(Chosen::Waits);
    }
    let proof = Proof::by_provider(provider.entry.counts_as_two);
    let login = log_in(services, user.id, proof, &step, client).await;
    let error = login.as_ref().err();
    services.metrics.login(LoginMethod::Oidc, error);
    Ok(Chosen::LoggedIn(Box::new(login?), step.redirect_to))
}

async fn log_in(
    services: &Services,
    user_id: Uuid,
    proof: Proof,
    step: &Step,
    client: &Client,
) -> Result<Login> {
    let account = services
        .db
        .run(async |conn| users::find(conn, user_id).await);
    let account = account.await?.ok_or(AuthError::StepExpired)?;
    let wish = Wish {
        remembered: step.remembered,
        redirect_to: step.redirect_to.clone(),
    };
    door::admit(services, &account, proof, &wish, client).await
}

/// The name and the address, or every error at once.
fn agreed(form: Form, proven: Option<&Email>) -> Result<(Username, Email)> {
    let Form {
        username,
        email,
        mut errors,
    } = form;
    let email = match (proven, email) {
        (Some(proven), Some(typed)) if typed.as_str() != proven.as_str() => {
            let other = "Your provider has confirmed another address. You can change it later.";
            errors.add("email", FieldError::new(FieldCode::Invalid, other));
            None
        }
        (Some(proven), _) => Some(proven.clone()),
        (None, None) if !errors.has("email") => {
            errors.add("email", FieldError::required());
            None
        }
        (None, typed) => typed,
    };
    match (username, email) {
        (Some(username), Some(email)) if errors.is_empty() => Ok((username, email)),
        _ => Err(errors.into()),
    }
}

struct Newcomer<'a> {
    stranger: &'a Stranger,
    username: &'a Username,
    email: &'a Email,
    is_proven: bool,
    /// Whether the mailbox gets another mail.
    has_room: bool,
    locale: Option<&'a Locale>,
}

impl Newcomer<'_> {
    /// Uses the step up. `None` if it is over. An address that nobody has proven is held by nobody, so that a taken one
    /// looks like a free one.
    async fn insert(&self, services: &Services, key: &KeyHash) -> Result<Option<User>> {
        let held = Some(self.email).filter(|_| self.is_proven);
        let new = NewUser {
            username: self.username,
            email: held,
            pending_email: Some(self.email).filter(|_| !self.is_proven),
            password_hash: None,
            locale: self.locale.map(Locale::as_str),
        };
        let inserted = services
            .db
            .transaction(async |conn| self.insert_in(conn, key, &new).await);
        match inserted.await {
            Ok(user) => Ok(user),
            // In another tab they were faster.
            Err(DbError::Constraint(name)) if name == "identities_issuer_subject_key" => Ok(None),
            Err(error) => Err(why_refused(services, error, self.username, held).await?),
        }
    }

    async fn insert_in(
        &self,
        conn: &mut Connection,
        key: &KeyHash,
        new: &NewUser<'_>,
    ) -> QueryResult<Option<User>> {
        let Stranger {
            issuer, subject, ..
        } = self.stranger;
        let open = newcomers::hold_steps(conn, issuer, subject).await?;
        if !open.contains(key) {
            return Ok(None);
        }
        newcomers::forget_unproven(conn, issuer, subject).await?;
        // In another browser they have chosen already, or connected it to an account.
        if identities::find(conn, issuer, subject).await?.is_some() {
            return Ok(None);
        }
        let user = users::insert(conn, new).await?;
        let identity = NewIdentity {
            user_id: user.id,
            issuer,
            subject,
            provider: &self.stranger.provider,
            email: self.stranger.email.as_deref(),
            address_proven: self.is_proven,
        };
        identities::insert(conn, &identity).await?;
        if self.is_proven {
            addresses::prove(conn, user.id, self.email.as_str()).await?;
        } else if self.has_room {
            let kind = MailKind::VerifyEmail;
            let mail = outbox::to_user(kind, user.id, self.email.as_str(), new.locale);
            mails::insert(conn, &mail).await?;
        }
        newcomers::end_steps(conn, &open).await?;
        Ok(Some(user))
    }
}
