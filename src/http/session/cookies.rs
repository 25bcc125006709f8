//! Our cookies: names, attributes, and how long the browser keeps them.

use std::time::Duration;

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

use super::signed::{Signer, Verified};
use super::state::SessionChange;
use super::store::Keys;
use crate::domain::client::{DEVICE_DAYS, Devices};
use crate::domain::secret::{FLOW_LIFE, KeyHash, STEP_LIFE, SessionKey, derived};

/// Names and signers of our cookies.
#[derive(Clone)]
pub struct Cookies {
    session_name: String,
    device_name: String,
    step_name: String,
    provider_name: String,
    secure: bool,
    session: Signer,
    device: Signer,
}

impl Cookies {
    /// Over https the cookies get the `__Host-` prefix (RFC 6265bis 4.1.3.2) and `Secure`.
    pub fn new(secret_key: &str, https: bool) -> Self {
        Self::with_old_keys(secret_key, &[], https)
    }

    /// Cookies that one of the `old` keys signed stay valid.
    pub fn with_old_keys(secret_key: &str, old: &[String], https: bool) -> Self {
        let signer = |purpose| {
            let old: Vec<_> = old.iter().map(|old| derived(purpose, old)).collect();
            Signer::new(&derived(purpose, secret_key), &old)
        };
        let prefix = if https { "__Host-" } else { "" };
        Self {
            session_name: format!("{prefix}latchkey_session"),
            device_name: format!("{prefix}latchkey_device"),
            step_name: format!("{prefix}latchkey_step"),
            provider_name: format!("{prefix}latchkey_oidc"),
            secure: https,
            session: signer("session cookie"),
            device: signer("device cookie"),
        }
    }

    /// The key in a request's session cookie, if we signed it.
    pub fn session_key(&self, headers: &HeaderMap) -> Option<Verified> {
        self.session.verify(find(headers, &self.session_name)?)
    }

    /// The unfinished login of a request's browser. Its cookie is not signed: it holds nothing but a key.
    pub fn step(&self, headers: &HeaderMap) -> Option<KeyHash> {
        find(headers, &self.step_name).map(KeyHash::of)
    }

    pub fn begin_step(&self, headers: &mut HeaderMap, key: &SessionKey) {
        let mut cookie = self.cookie(self.step_name.clone(), key.cookie_value().to_owned());
        cookie.set_max_age(time::Duration::try_from(STEP_LIFE).ok());
        append(headers, &cookie);
    }

    pub fn end_step(&self, headers: &mut HeaderMap) {
        let mut cookie = self.cookie(self.step_name.clone(), String::new());
        cookie.make_removal();
        append(headers, &cookie);
    }

    /// The key of a browser that has left for a provider. Like that of a step it is not signed.
    pub fn provider_key(&self, headers: &HeaderMap) -> Option<SessionKey> {
        find(headers, &self.provider_name).and_then(SessionKey::parse)
    }

    /// Stays when the browser comes back: it may have left in two tabs.
    pub fn keep_provider_key(&self, headers: &mut HeaderMap, key: &SessionKey) {
        let mut cookie = self.cookie(self.provider_name.clone(), key.cookie_value().to_owned());
        cookie.set_max_age(time::Duration::try_from(FLOW_LIFE).ok());
        append(headers, &cookie);
    }

    /// Sets the session cookie again, signed with the current secret key.
    pub fn sign_again(&self, headers: &mut HeaderMap, key: &str, keep_for: Option<Duration>) {
        let mut cookie = self.cookie(self.session_name.clone(), key.to_owned());
        cookie.set_max_age(keep_for.and_then(|time| time::Duration::try_from(time).ok()));
        append(headers, &self.session.sign(cookie));
    }

    /// The accounts that know this browser, from its device cookie, if we signed it.
    pub fn devices(&self, headers: &HeaderMap) -> Devices {
        let cookie = find(headers, &self.device_name);
        let devices = cookie.and_then(|cookie| self.device.verify(cookie));
        devices.map_or_else(Devices::default, |devices| Devices::parse(&devices.value))
    }

    /// actix-session writes the cookie of a new session, with one lifetime for all; [`Self::complete`] sets the `Max-Age`.
    pub fn session_middleware(&self, store: Keys) -> SessionMiddleware<Keys> {
        SessionMiddleware::builder(store, self.session.key.clone())
            .cookie_name(self.session_name.clone())
            .cookie_secure(self.secure)
            .cookie_http_only(true)
            .cookie_same_site(SameSite::Lax)
            .cookie_path("/".to_owned())
            .cookie_content_security(CookieContentSecurity::Signed)
            .session_lifecycle(BrowserSession::default())
            .build()
    }

    /// Completes the cookies of a response after actix-session.
    pub fn complete(&self, headers: &mut HeaderMap, change: &SessionChange) {
        match change {
            SessionChange::LogIn { issued, .. } => {
                if let Some(time) = issued.keep_for {
                    keep_for(headers, time);
                }
                if let Some(devices) = &issued.devices {
                    append(headers, &self.signed_devices(devices));
                }
            }
            // Removes a cookie without a session, too.
            SessionChange::LogOut if !headers.contains_key(SET_COOKIE) => {
                let mut cookie = self.cookie(self.session_name.clone(), String::new());
                cookie.make_removal();
                append(headers, &cookie);
            }
            SessionChange::LogOut => {}
        }
    }

    /// The cookie that identifies a known browser at its next login.
    pub fn signed_devices(&self, devices: &Devices) -> Cookie<'static> {
        let mut cookie = self.cookie(self.device_name.clone(), devices.to_string());
        cookie.set_max_age(time::Duration::days(DEVICE_DAYS.into()));
        self.device.sign(cookie)
    }

    fn cookie(&self, name: String, value: String) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .finish()
    }

    /// The session cookie for a key, as a browser sends it: `name=value`.
    pub fn signed(&self, key: &str) -> String {
        let cookie = Cookie::new(self.session_name.clone(), key.to_owned());
        self.session.sign(cookie).encoded().to_string()
    }
}

/// The value of the first cookie with this name. Other cookies may contain any bytes.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lists = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
    let mut pairs = lists.flat_map(|list| list.split(|byte| *byte == b';'));
    let value = pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    });
    str::from_utf8(value?).ok()
}

/// Adds `Max-Age` to the session cookie being set.
fn keep_for(headers: &mut HeaderMap, time: Duration) {
    let set: Vec<HeaderValue> = headers.remove(SET_COOKIE).collect();
    let parsed = set.iter().filter_map(|cookie| cookie.to_str().ok());
    for mut cookie in parsed.filter_map(|text| Cookie::parse_encoded(text).ok()) {
        cookie.set_max_age(time::Duration::try_from(time).ok());
        append(headers, &cookie);
    }
}

fn append(headers: &mut HeaderMap, cookie: &Cookie<'_>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.encoded().to_string()) {
        headers.append(SET_COOKIE, value);
    }
}
