//! Registration.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::Charge;
use super::limits::table::REGISTER;
use super::password;
use super::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::password::NewPassword;
use crate::domain::username::Username;
use crate::store::db::error::DbError;
use crate::store::users::{self, NewUser, Taken, User};

/// A registration form: its valid fields, and the errors of the others.
pub struct Registration {
    pub username: Option<Username>,
    pub email: Option<Email>,
    /// As typed, because it is judged together with the name and the address.
    pub password: Option<String>,
    pub errors: FieldErrors,
}

impl Registration {
    pub fn of(username: &str, email: &str, password: String) -> Self {
        let mut errors = FieldErrors::default();
        Self {
            username: errors.take("username", Username::parse(username)),
            email: errors.take("email", Email::parse(email)),
            password: Some(password),
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
            let user = insert(services, &username, &email, password).await?;
            services
                .events
                .record(Kind::Registered, Some(user.id), client)
                .await;
            Ok(user)
        }
        (username, email, _) => {
            add_taken(services, username.as_ref(), email.as_ref(), &mut errors).await?;
            Err(errors.into())
        }
    }
}

/// Inserts the user. The database decides who was first; the violated constraint names the field.
async fn insert(
    services: &Services,
    username: &Username,
    email: &Email,
    password: NewPassword,
) -> Result<User> {
    let password_hash = services.hasher.hash(password).await?;
    let user = NewUser {
        username,
        email,
        password_hash: &password_hash,
    };
    match services
        .db
        .run(async |conn| users::insert(conn, &user).await)
        .await
    {
        Ok(user) => Ok(user),
        Err(DbError::Constraint(name)) => {
            let refused = Taken {
                username: name == "users_username_key",
                email: name == "users_email_key",
            };
            let mut errors = FieldErrors::default();
            note_taken(refused, &mut errors);
            add_taken(services, Some(username), Some(email), &mut errors).await?;
            if errors.is_empty() {
                Err(AuthError::Internal(format!("constraint {name}")))
            } else {
                Err(errors.into())
            }
        }
        Err(other) => Err(other.into()),
    }
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
