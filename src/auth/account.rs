//! Accounts: registering, and what an operator does to them.

use super::Services;
use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::limits::failures::of_account;
use super::limits::table::REGISTER;
use super::limits::{self, Claim};
use super::login::look_up;
use super::password::PlainPassword;
use super::session;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::strength::judge;
use crate::domain::username::Username;
use crate::store::db::error::DbError;
use crate::store::users::{self, Account, NewUser, Taken, User};

/// What a person types to register, each field with what is wrong with its form.
pub struct Registration {
    pub username: std::result::Result<String, FieldError>,
    pub email: std::result::Result<String, FieldError>,
    pub password: std::result::Result<String, FieldError>,
    /// The password once more, if the form asks for it.
    pub password2: Option<std::result::Result<String, FieldError>>,
}

/// Registers a user; all that is wrong comes back at once.
pub async fn register(services: &Services, form: Registration, client: &Client) -> Result<User> {
    limits::take(
        services,
        &[Claim::new(REGISTER, limits::network(client.ip))],
        client,
    )
    .await?;
    let mut errors = FieldErrors::default();
    let username = errors.take(
        "username",
        form.username.and_then(|text| Username::parse(&text)),
    );
    let email = errors.take("email", form.email.and_then(|text| Email::parse(&text)));
    if let Some(again) = form.password2 {
        let same = again.and_then(|again| match &form.password {
            Ok(password) if *password != again => Err(FieldError::new(
                FieldCode::Mismatch,
                "Field must be equal to password.",
            )),
            _ => Ok(()),
        });
        errors.take("password2", same);
    }
    let strength = services.policy.password;
    let password = errors.take(
        "password",
        form.password.and_then(|text| strength.parse(&text)),
    );
    if let Some(password) = &password {
        let names = username.iter().map(|name| name.as_str().to_owned());
        let context = names.chain(email.iter().map(|email| email.as_str().to_owned()));
        if let Some(error) = judge(services, password, context.collect()).await? {
            errors.add("password", error);
        }
    }
    match (username, email, password) {
        (Some(username), Some(email), Some(password)) if errors.is_empty() => {
            let user = insert(services, &username, &email, password).await?;
            record(services, Kind::Registered, Some(user.id), client).await;
            Ok(user)
        }
        (username, email, _) => {
            add_taken(services, username.as_ref(), email.as_ref(), &mut errors).await?;
            Err(errors.into())
        }
    }
}

/// The database decides who was first; the constraint that refused names the field.
async fn insert(
    services: &Services,
    username: &Username,
    email: &Email,
    password: PlainPassword,
) -> Result<User> {
    let password_hash = services.hasher.hash(password).await?;
    let user = NewUser {
        username: username.as_str(),
        email: email.as_str(),
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

/// Completes a refusal: the answer names every taken field, not only the one the database met first.
async fn add_taken(
    services: &Services,
    username: Option<&Username>,
    email: Option<&Email>,
    errors: &mut FieldErrors,
) -> Result<()> {
    let (username, email) = (
        username.map_or("", Username::as_str),
        email.map_or("", Email::as_str),
    );
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

/// By username or e-mail address, for the operator.
pub async fn find(services: &Services, name: &str, client: &Client) -> Result<Option<Account>> {
    let found = look_up(services, name, limits::neighbourhood(client.ip)).await?;
    Ok(found.account)
}

/// Everybody, for the operator.
pub async fn list(services: &Services) -> Result<Vec<User>> {
    Ok(services
        .db
        .run(async |conn| users::list(conn).await)
        .await?)
}

/// The operator sets a password; the user's sessions end.
pub async fn set_password(
    services: &Services,
    user: &User,
    text: &str,
    client: &Client,
) -> Result<()> {
    let strength = services.policy.password;
    let refused = |error| AuthError::from(FieldErrors::from(("password", error)));
    let password = strength.parse(text).map_err(refused)?;
    let context = vec![user.username.clone(), user.email.clone()];
    if let Some(error) = judge(services, &password, context).await? {
        return Err(refused(error));
    }
    let hash = services.hasher.hash(password).await?;
    services
        .db
        .run(async |conn| users::set_password(conn, user.id, &hash).await)
        .await?;
    limits::forgive(services, &of_account(user.id)).await?;
    record(services, Kind::PasswordChanged, Some(user.id), client).await;
    Ok(())
}

/// The operator keeps a user out, which ends their sessions, or lets them in again.
pub async fn set_disabled(
    services: &Services,
    user: &User,
    disabled: bool,
    client: &Client,
) -> Result<()> {
    services
        .db
        .run(async |conn| users::set_disabled(conn, user.id, disabled).await)
        .await?;
    let kind = if disabled {
        Kind::Disabled
    } else {
        Kind::Enabled
    };
    record(services, kind, Some(user.id), client).await;
    Ok(())
}

/// The operator ends all sessions of a user; returns how many there were.
pub async fn revoke_sessions(services: &Services, user: &User, client: &Client) -> Result<usize> {
    let ended = session::end_all(services, user.id, None).await?;
    record(services, Kind::SessionsRevoked, Some(user.id), client).await;
    Ok(ended)
}

/// The operator has failed logins count no more, so that strangers' tries keep the user out no longer.
pub async fn unlock(services: &Services, user: &User, client: &Client) -> Result<()> {
    limits::forgive(services, &of_account(user.id)).await?;
    record(services, Kind::Unlocked, Some(user.id), client).await;
    Ok(())
}

/// Removes a user with everything that is theirs, events too: only the log still tells of them.
pub async fn delete(services: &Services, user: &User) -> Result<()> {
    services
        .db
        .run(async |conn| users::delete(conn, user.id).await)
        .await?;
    services.sessions.forget_user(&user.id);
    limits::forgive(services, &of_account(user.id)).await?;
    tracing::info!(event = "deleted", user = %user.id);
    Ok(())
}
