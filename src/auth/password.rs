//! Passwords: what is accepted, and giving, changing and proving one.

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization;

use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::limits::table::{PROOF, PROOF_TRIES, PROOFS};
use super::limits::{self, Claim};
use super::session::{self, Visit};
use super::{Services, to_the_end};
use crate::domain::client::{Client, Devices};
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::secret::SessionKey;
use crate::domain::strength::judge;
use crate::store::users::{self, Account};
use crate::store::{clock, known_networks, sessions};

/// In code points. Longer ones are refused, never cut; NIST SP 800-63B-4 3.1.1.2 asks for at least 64.
pub const MAX_LENGTH: usize = 256;

/// A password as typed, after NFC (NIST SP 800-63B-4 3.1.1.2). No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct PlainPassword(String);

impl PlainPassword {
    /// For verification: any length up to the cap.
    pub fn parse(text: &str) -> std::result::Result<Self, FieldError> {
        if text.is_empty() {
            return Err(FieldError::required());
        }
        let password = Self(text.nfc().collect());
        if password.length() > MAX_LENGTH {
            return Err(FieldError::new(
                FieldCode::TooLong,
                format!("Use at most {MAX_LENGTH} characters."),
            ));
        }
        Ok(password)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each code point counts as one character.
    pub fn length(&self) -> usize {
        self.0.chars().count()
    }
}

impl PartialEq for PlainPassword {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Passes if the password was given lately in this session.
pub fn require_recent(services: &Services, visit: &Visit) -> Result<()> {
    let max_age = services.policy.lifetimes.reauth;
    let recent = visit.recognized.now() < visit.session().authenticated_at + max_age;
    if recent {
        Ok(())
    } else {
        Err(AuthError::ReauthenticationRequired { max_age })
    }
}

/// Proves the password in a session that exists; returns when that was.
pub async fn reauthenticate(
    services: &Services,
    visit: &Visit,
    password: std::result::Result<String, FieldError>,
    client: &Client,
) -> Result<DateTime<Utc>> {
    let mut errors = FieldErrors::default();
    let parsed = errors.take(
        "password",
        password.and_then(|text| PlainPassword::parse(&text)),
    );
    let password = parsed.ok_or(AuthError::Invalid(errors))?;
    prove(services, visit, password, client).await?;
    let id = visit.session().id;
    let noted = services
        .db
        .run(async |conn| sessions::note_authentication(conn, id).await)
        .await?;
    services.sessions.forget_session(&visit.recognized.key_hash);
    record(services, Kind::Reauthenticated, Some(visit.user.id), client).await;
    Ok(noted.ok_or(AuthError::NotAuthenticated)?.authenticated_at)
}

/// A password was changed: the session goes on under this key.
pub struct Changed {
    pub key: SessionKey,
    /// Seconds for which the browser keeps the cookie, if the session is remembered.
    pub keep_for: Option<u64>,
    pub revoked: usize,
    /// What this browser is known by under the new password.
    pub devices: Devices,
}

/// Changes the password. Every other session ends; this one keeps its lifetimes under a new id and key.
pub async fn change(
    services: &Services,
    visit: &Visit,
    current: std::result::Result<String, FieldError>,
    new: std::result::Result<String, FieldError>,
    client: &Client,
) -> Result<Changed> {
    let mut errors = FieldErrors::default();
    let strength = services.policy.password;
    let current = errors.take(
        "current_password",
        current.and_then(|text| PlainPassword::parse(&text)),
    );
    let new = errors.take("new_password", new.and_then(|text| strength.parse(&text)));
    let (Some(current), Some(new)) = (current, new) else {
        return Err(errors.into());
    };
    // Only who proved to be the user may have us work on the new one.
    let account = prove(services, visit, current, client).await?;
    let context = vec![visit.user.username.clone(), visit.user.email.clone()];
    if let Some(error) = judge(services, &new, context).await? {
        return Err(FieldErrors::from(("new_password", error)).into());
    }
    let hash = services.hasher.hash(new).await?;
    let changed = replace(services, visit, &account, &hash, client).await?;
    record(services, Kind::PasswordChanged, Some(visit.user.id), client).await;
    Ok(changed)
}

/// In one transaction: the hash, unless it was changed meanwhile; the sessions, by the trigger; ours, made anew.
async fn replace(
    services: &Services,
    visit: &Visit,
    account: &Account,
    hash: &str,
    client: &Client,
) -> Result<Changed> {
    let key = SessionKey::generate()?;
    let (session, key_hash) = (visit.session(), key.hash());
    let done = services.db.transaction(async |conn| {
        users::lock(conn, session.user_id).await?;
        let others = sessions::keys_of_others(conn, session.user_id, session.id).await?;
        let Some(kept) = sessions::kept(conn, session.id).await? else {
            return Ok(Err(AuthError::NotAuthenticated));
        };
        let old = &account.password_hash;
        let Some(epoch) = users::replace_password(conn, session.user_id, old, hash).await? else {
            return Ok(Err(AuthError::InvalidCredentials));
        };
        sessions::insert_kept(conn, key_hash.as_bytes(), kept).await?;
        let home = limits::neighbourhood(client.ip);
        known_networks::insert(conn, session.user_id, home).await?;
        let now = clock::current_time(conn).await?;
        Ok(Ok((others, epoch, now)))
    });
    let (others, epoch, now) = done.await??;
    session::forget(services, &others);
    services.sessions.forget_session(&visit.recognized.key_hash);
    let keep_for = session.remembered.then(|| {
        let left = session.expires_at - visit.recognized.now();
        left.to_std().unwrap_or_default().as_secs()
    });
    Ok(Changed {
        key,
        keep_for,
        revoked: others.len(),
        devices: client.devices.clone().with(session.user_id, epoch, now)?,
    })
}

/// Verifies the password of the user who is logged in.
async fn prove(
    services: &Services,
    visit: &Visit,
    password: PlainPassword,
    client: &Client,
) -> Result<Account> {
    let (services, visit, client) = (services.clone(), visit.clone(), client.clone());
    to_the_end(async move { decide(&services, &visit, password, &client).await }).await
}

async fn decide(
    services: &Services,
    visit: &Visit,
    password: PlainPassword,
    client: &Client,
) -> Result<Account> {
    let id = visit.user.id;
    let account = services
        .db
        .run(async |conn| users::find(conn, id).await)
        .await?;
    let account = account.ok_or(AuthError::NotAuthenticated)?;
    let session = visit.session().id;
    let failures = [Claim::new(PROOF, session), Claim::new(PROOFS, id)];
    let all = [&failures[..], &[Claim::new(PROOF_TRIES, id)]].concat();
    limits::take(services, &all, client).await?;
    let stored = Some(account.password_hash.as_str());
    let verdict = services.hasher.verify(password, stored).await;
    if verdict.as_ref().map_or(true, |verdict| verdict.right) {
        limits::settle(services, &failures, &[]).await?;
    }
    if verdict?.right {
        return Ok(account);
    }
    record(services, Kind::ReauthenticationFailed, Some(id), client).await;
    Err(AuthError::InvalidCredentials)
}
