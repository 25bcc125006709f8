//! Registration.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::Charge;
use super::limits::table::REGISTER;
use super::outbox;
use super::password;
use super::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::locale::Locale;
use crate::domain::password::NewPassword;
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::addresses;
use crate::store::db::error::DbError;
use crate::store::outbox as mails;
use crate::store::users::{self, NewUser, Taken, User};

/// A registration form: its valid fields, and the errors of the others.
pub struct Registration {
    pub username: Option<Username>,
    pub email: Option<Email>,
    /// As typed, because it is judged together with the name and the address.
    pub password: Option<String>,
    /// The language of the mails; else the one that the browser prefers.
    pub locale: Option<Locale>,
    /// The address counts as proven, and no mail goes there: the doctor's trial user has no mailbox.
    pub vouched_for: bool,
    pub errors: FieldErrors,
}

impl Registration {
    pub fn of(username: &str, email: &str, password: String) -> Self {
        let mut errors = FieldErrors::default();
        Self {
            username: errors.take("username", Username::parse(username)),
            email: errors.take("email", Email::parse(email)),
            password: Some(password),
            locale: None,
            vouched_for: false,
            errors,
        }
    }
}

/// Registers a user, or returns every error at once.
pub async fn register(services: &Services, form: Registration, client: &Client) -> Result<User> {
    if !services.policy.registration_open {
        return Err(AuthError::RegistrationClosed);
    }
    let charge = Charge::new(REGISTER, client.network());
    services.limits.take(&[charge], client).await?;
    let Registration {
        username,
        email,
        password,
        locale,
        vouched_for,
        mut errors,
    } = form;
    let password = match password {
        Some(text) => {
            let name = username.iter().map(|name| name.as_str().to_owned());
            let address = email.iter().map(|email| email.as_str().to_owned());
            let chosen = password::choose(services, &text, name.chain(address).collect());
            errors.take("password", chosen.await?)
        }
        None => None,
    };
    match (username, email, password) {
        (Some(username), Some(email), Some(password)) if errors.is_empty() => {
            let locale = locale.or_else(|| client.locale.clone());
            let new = Newcomer {
                username: &username,
                email: &email,
                locale: locale.as_ref(),
                vouched_for,
            };
            let user = insert(services, &new, password, client).await?;
            services
                .events
                .record(Kind::Registered, Some(user.id), client)
                .await;
            Ok(user)
        }
        (username, email, _) => {
            let email = email.filter(|_| !services.policy.require_verified_email);
            add_taken(services, username.as_ref(), email.as_ref(), &mut errors).await?;
            Err(errors.into())
        }
    }
}

/// Somebody who registers.
struct Newcomer<'a> {
    username: &'a Username,
    email: &'a Email,
    locale: Option<&'a Locale>,
    vouched_for: bool,
}

/// Inserts the user, and asks for proof of the address. The database decides who was first; the violated constraint
/// names the field.
///
/// Where addresses must be proven, nobody holds one before that. So a taken address costs the same statements as a free
/// one, and its owner learns by mail that somebody tried.
async fn insert(
    services: &Services,
    new: &Newcomer<'_>,
    password: NewPassword,
    client: &Client,
) -> Result<User> {
    let Newcomer {
        username, email, ..
    } = *new;
    let unproven = services.policy.require_verified_email;
    let has_room = outbox::has_room(services, email, client).await?;
    let password_hash = services.hasher.hash(password).await?;
    let user = NewUser {
        username,
        email: Some(email).filter(|_| !unproven),
        pending_email: Some(email).filter(|_| unproven),
        password_hash: Some(&password_hash),
        locale: new.locale.map(Locale::as_str),
    };
    let inserted = services.db.transaction(async |conn| {
        let inserted = users::insert(conn, &user).await?;
        if new.vouched_for {
            addresses::prove(conn, inserted.id, email.as_str()).await?;
        } else if has_room {
            let kind = MailKind::VerifyEmail;
            let mail = outbox::to_user(kind, inserted.id, email.as_str(), user.locale);
            mails::insert(conn, &mail).await?;
        }
        Ok(inserted)
    });
    match inserted.await {
        Ok(user) => {
            services.mailbox.wake();
            // As the person typed it, free or taken.
            let email = Some(email.as_str().to_owned());
            Ok(User { email, ..user })
        }
        Err(error) => Err(why_refused(services, error, username, user.email).await?),
    }
}

/// Why the database refused a new user: the names that are taken.
pub async fn why_refused(
    services: &Services,
    error: DbError,
    username: &Username,
    email: Option<&Email>,
) -> Result<AuthError> {
    let DbError::Constraint(name) = error else {
        return Ok(error.into());
    };
    let refused = Taken {
        username: name == "users_username_key",
        email: name == "users_email_key",
    };
    let mut errors = FieldErrors::default();
    note_taken(refused, &mut errors);
    add_taken(services, Some(username), email, &mut errors).await?;
    if errors.is_empty() {
        return Ok(AuthError::Internal(format!("constraint {name}")));
    }
    Ok(errors.into())
}

/// Adds every taken field to a refusal, not only the one that the database found first.
async fn add_taken(
    services: &Services,
    username: Option<&Username>,
    email: Option<&Email>,
    errors: &mut FieldErrors,
) -> Result<()> {
    let taken = services
        .db
        .run(async |conn| users::taken(conn, username, email).await)
        .await?;
    note_taken(taken, errors);
    Ok(())
}

fn note_taken(taken: Taken, errors: &mut FieldErrors) {
    if taken.username && !errors.has("username") {
        errors.add(
            "username",
            FieldError::new(FieldCode::Taken, "Please use a different username."),
        );
    }
    if taken.email && !errors.has("email") {
        errors.add(
            "email",
            FieldError::new(FieldCode::Taken, "Please use a different email address."),
        );
    }
}
