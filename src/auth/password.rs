//! Choosing, confirming and changing a password.

use std::result::Result as FieldResult;

use super::error::{AuthError, Result};
use super::events::Kind;
use super::hashing::worker::Verdict;
use super::limits::attempt::Attempt;
use super::outbox;
use super::recent::require_recent;
use super::services::Services;
use super::session::live::Visit;
use super::session::{self, Issued};
use crate::domain::client::Client;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::password::{NewPassword, PasswordHash, PlainPassword};
use crate::domain::secret::SessionKey;
use crate::mail::kind::MailKind;
use crate::store::users::{self, Account, User};
use crate::store::{addresses, clock, known_networks, sessions};

/// Parses a new password and judges it; `context` holds the words that an attacker would try first.
///
/// Judging costs about as much as hashing, so it runs in the same queue.
pub async fn choose(
    services: &Services,
    text: &str,
    context: Vec<String>,
) -> Result<FieldResult<NewPassword, FieldError>> {
    let strength = services.policy.password;
    match strength.parse(text) {
        Ok(password) => {
            let judged = move || strength.judge(password, &context);
            services.hasher.run_other(judged).await
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The words that an attacker would try first for this user.
pub fn context(user: &User) -> Vec<String> {
    let address = user.email.clone();
    [user.username.clone()].into_iter().chain(address).collect()
}

/// Compares a password with a stored hash, or with a dummy, and settles the attempt.
pub async fn check(
    services: &Services,
    attempt: Attempt,
    password: PlainPassword,
    stored: Option<&PasswordHash>,
) -> Result<Verdict> {
    let verdict = services.hasher.verify(password, stored).await;
    match &verdict {
        Ok(verdict) if verdict.right => attempt.succeeded().await?,
        Ok(_) => attempt.failed(),
        Err(_) => attempt.undecided().await?,
    }
    verdict
}

/// A form to change the password: its valid fields, and the errors of the others.
pub struct ChangeForm {
    pub current: Option<PlainPassword>,
    /// As typed, because it is judged together with the user's name and address.
    pub new: Option<String>,
    pub errors: FieldErrors,
}

/// The password has changed, and the session continues under another key.
pub struct Changed {
    pub issued: Issued,
    pub revoked: usize,
}

/// Changes the password. Every other session ends; this one keeps its lifetimes under a new id and key.
pub async fn change(
    services: &Services,
    visit: &Visit,
    form: ChangeForm,
    client: &Client,
) -> Result<Changed> {
    let mut errors = form.errors;
    let strength = services.policy.password;
    let has_form = |text: &String| errors.take("new_password", strength.parse(text)).is_some();
    let new = form.new.filter(has_form);
    let account = match (form.current, &new) {
        // Only someone who knows the current password may make us work on the new one.
        (Some(current), Some(_)) if errors.is_empty() => {
            prove(services, visit, "current_password", current, client).await?
        }
        (None, _) => without_password(services, visit, &mut errors).await?,
        _ => return Err(errors.into()),
    };
    let Some(new) = new.filter(|_| errors.is_empty()) else {
        return Err(errors.into());
    };
    let chosen = choose(services, &new, context(&visit.user)).await?;
    let chosen = chosen.map_err(|error| FieldErrors::from(("new_password", error)))?;
    let hash = services.hasher.hash(chosen).await?;
    let changed = replace(services, visit, &account, &hash, client).await?;
    services
        .events
        .record(Kind::PasswordChanged, Some(visit.user.id), client)
        .await;
    Ok(changed)
}

/// The account of someone who entered no current password: there must be none, and the login must be recent.
async fn without_password(
    services: &Services,
    visit: &Visit,
    errors: &mut FieldErrors,
) -> Result<Account> {
    let account = account_of(services, visit).await?;
    if account.password_hash.is_none() {
        require_recent(services, visit).await?;
    } else if !errors.has("current_password") {
        errors.add("current_password", FieldError::required());
    }
    Ok(account)
}

/// The user of a visit, with what it takes to check their password.
pub async fn account_of(services: &Services, visit: &Visit) -> Result<Account> {
    let id = visit.user.id;
    let account = services
        .db
        .run(async |conn| users::find(conn, id).await)
        .await?;
    account.ok_or(AuthError::NotAuthenticated)
}

/// Replaces the password in one transaction, unless it has changed meanwhile. A trigger ends all sessions, and this one
/// is recreated.
async fn replace(
    services: &Services,
    visit: &Visit,
    account: &Account,
    hash: &PasswordHash,
    client: &Client,
) -> Result<Changed> {
    let key = SessionKey::generate()?;
    let (session, key_hash) = (visit.session(), key.hash());
    let facts = outbox::facts_of(client);
    let may_tell = outbox::may_tell(services, &account.user, client).await?;
    let done = services.db.transaction(async |conn| {
        let user = addresses::lock(conn, session.user_id).await?;
        let others = sessions::keys_of_others(conn, session.user_id, session.id).await?;
        let Some(mut continued) = sessions::to_continue(conn, session.id).await? else {
            return Ok(None);
        };
        let now = clock::current_time(conn).await?;
        // The password alone makes no session of two factors fresh, and none of a user whose second factor is on.
        if !visit.user.second_factor_required && continued.factors < 2 {
            continued.authenticated_at = now;
        }
        let epoch = account.password_epoch;
        let Some(epoch) = users::replace_password(conn, session.user_id, epoch, hash).await? else {
            return Ok(None);
        };
        sessions::continue_under(conn, &key_hash, continued).await?;
        known_networks::insert(conn, session.user_id, client.neighbourhood()).await?;
        if let Some(user) = user.as_ref().filter(|_| may_tell) {
            outbox::tell(conn, MailKind::PasswordChanged, user, &facts).await?;
        }
        Ok(Some((others, epoch, now)))
    });
    // A concurrent password change has ended this session too.
    let (others, epoch, now) = done.await?.ok_or(AuthError::NotAuthenticated)?;
    services.mailbox.wake();
    session::forget(services, &others);
    session::forget(services, &[visit.live.key_hash]);
    let devices = client.devices.clone();
    Ok(Changed {
        issued: Issued {
            key,
            keep_for: visit.keep_for(),
            devices: Some(devices.with(session.user_id, epoch, now)?),
        },
        revoked: others.len(),
    })
}

/// Verifies the logged-in user's password. A wrong one is an error in `field`, and the session continues.
pub async fn prove(
    services: &Services,
    visit: &Visit,
    field: &'static str,
    password: PlainPassword,
    client: &Client,
) -> Result<Account> {
    let id = visit.user.id;
    let account = account_of(services, visit).await?;
    let attempt = Attempt::begin_proof(services, id, visit.session().id, client).await?;
    let stored = account.password_hash.as_ref();
    if check(services, attempt, password, stored).await?.right {
        return Ok(account);
    }
    services
        .events
        .record(Kind::ReauthenticationFailed, Some(id), client)
        .await;
    let wrong = FieldError::new(FieldCode::Incorrect, "This is not your password.");
    Err(FieldErrors::from((field, wrong)).into())
}
