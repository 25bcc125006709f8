//! Passwords: what is accepted, and giving, changing and proving one.

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

use super::Services;
use super::client::Client;
use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::field::{FieldCode, FieldError, FieldErrors};
use super::key::SessionKey;
use super::limits::{self, Claim};
use super::session::{self, Visit};
use crate::store::sessions;
use crate::store::users::{self, Account};

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

    /// Each code point counts as one character.
    fn length(&self) -> usize {
        self.0.chars().count()
    }
}

impl PartialEq for PlainPassword {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// What a new password must reach.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    /// In code points.
    pub min_length: usize,
    /// zxcvbn's estimate, 0 to 4.
    pub min_score: u8,
}

impl Strength {
    /// Parses a new password. Cheap: how hard it is to guess is for [`Strength::judge`].
    pub fn parse(self, text: &str) -> std::result::Result<PlainPassword, FieldError> {
        let password = PlainPassword::parse(text)?;
        if password.length() < self.min_length {
            let message = format!("Use at least {} characters.", self.min_length);
            return Err(FieldError::new(FieldCode::TooShort, message));
        }
        if password.0.chars().any(char::is_control) {
            return Err(FieldError::new(
                FieldCode::Invalid,
                "Control characters cannot be used.",
            ));
        }
        Ok(password)
    }

    /// Refuses what is easy to guess, with the reason; `context` are words an attacker would try first.
    /// Takes milliseconds for a long password, so it runs beside the async threads.
    pub async fn judge(
        self,
        password: &PlainPassword,
        context: Vec<String>,
    ) -> Result<Option<FieldError>> {
        let password = password.clone();
        tokio::task::spawn_blocking(move || self.estimate(&password, &context))
            .await
            .map_err(|e| AuthError::Internal(format!("zxcvbn: {e}")))
    }

    fn estimate(self, password: &PlainPassword, context: &[String]) -> Option<FieldError> {
        let mut words: Vec<&str> = context.iter().map(String::as_str).collect();
        words.push("latchkey");
        let entropy = zxcvbn(&password.0, &words);
        if u8::from(entropy.score()) >= self.min_score || entropy.score() == Score::Four {
            return None;
        }
        let feedback = entropy.feedback();
        let reasons = feedback
            .and_then(|f| f.warning())
            .map(|w| w.to_string())
            .into_iter();
        let advice = feedback
            .map(|f| f.suggestions())
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string);
        let mut message = String::from("This password is too easy to guess.");
        for sentence in reasons.chain(advice) {
            message.push(' ');
            message.push_str(&sentence);
        }
        Some(FieldError::new(FieldCode::TooWeak, message))
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
    record(services, Kind::Reauthenticated, Some(visit.user.id), client);
    Ok(noted.ok_or(AuthError::NotAuthenticated)?.authenticated_at)
}

/// A password was changed: the session goes on under this key.
pub struct Changed {
    pub key: SessionKey,
    /// Seconds for which the browser keeps the cookie, if the session is remembered.
    pub keep_for: Option<u64>,
    pub revoked: usize,
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
    if let Some(new) = &new {
        let context = vec![visit.user.username.clone(), visit.user.email.clone()];
        if let Some(error) = strength.judge(new, context).await? {
            errors.add("new_password", error);
        }
    }
    let (Some(current), Some(new), true) = (current, new, errors.is_empty()) else {
        return Err(errors.into());
    };
    let account = prove(services, visit, current, client).await?;
    let hash = services.hasher.hash(new).await?;
    let changed = replace(services, visit, &account, &hash).await?;
    record(services, Kind::PasswordChanged, Some(visit.user.id), client);
    Ok(changed)
}

/// In one transaction: the hash, unless it was changed meanwhile; the sessions, by the trigger; ours, made anew.
async fn replace(
    services: &Services,
    visit: &Visit,
    account: &Account,
    hash: &str,
) -> Result<Changed> {
    let key = SessionKey::generate()?;
    let (session, key_hash) = (visit.session(), key.hash());
    let done = services.db.transaction(async |conn| {
        users::lock(conn, session.user_id).await?;
        let others = sessions::keys_of_others(conn, session.user_id, session.id).await?;
        let Some(kept) = sessions::kept(conn, session.id).await? else {
            return Ok(Err(AuthError::NotAuthenticated));
        };
        if users::replace_password(conn, session.user_id, &account.password_hash, hash).await? == 0
        {
            return Ok(Err(AuthError::InvalidCredentials));
        }
        sessions::insert_kept(conn, key_hash.as_bytes(), kept).await?;
        Ok(Ok(others))
    });
    let others = done.await??;
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
    })
}

/// Verifies the password of the user who is logged in.
async fn prove(
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
    let claims = [Claim::new(limits::PROOF, id)];
    limits::take(services, &claims, client).await?;
    let verdict = services
        .hasher
        .verify(password, Some(&account.password_hash))
        .await?;
    if verdict.right {
        limits::put_back(services, &claims).await?;
        return Ok(account);
    }
    record(services, Kind::ReauthenticationFailed, Some(id), client);
    Err(AuthError::InvalidCredentials)
}
