//! The session cookie: its name, its attributes, and how long the browser keeps it.

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, CookieJar, Key, SameSite, time};
use actix_web::http::header::{HeaderMap, HeaderValue, SET_COOKIE};

use super::store::PgSessionStore;
use crate::domain::client::{DEVICE_DAYS, Devices};
use crate::domain::secret::derived;

/// Names and keys of our cookies.
#[derive(Clone)]
pub struct Cookies {
    pub session_name: String,
    device_name: String,
    secure: bool,
    session_key: Key,
    device_key: Key,
}

/// In a request's extensions: the browser shall keep the session cookie for so many seconds.
pub struct KeepFor(pub u64);

/// In a request's extensions: what the browser is known by from now on.
pub struct KnowAs(pub Devices);

impl Cookies {
    /// With https the names get the `__Host-` prefix (RFC 6265bis 4.1.3.2) and `Secure`.
    pub fn new(secret_key: &str, https: bool) -> Self {
        let prefix = if https { "__Host-" } else { "" };
        Self {
            session_name: format!("{prefix}latchkey_session"),
            device_name: format!("{prefix}latchkey_device"),
            secure: https,
            session_key: Key::from(&derived("session cookie", secret_key)),
            device_key: Key::from(&derived("device cookie", secret_key)),
        }
    }

    /// actix-session writes and checks the cookie. It has one lifetime for all, so [`Self::extend`] adds `Max-Age`.
    pub fn session_middleware(&self, store: PgSessionStore) -> SessionMiddleware<PgSessionStore> {
        SessionMiddleware::builder(store, self.session_key.clone())
            .cookie_name(self.session_name.clone())
            .cookie_secure(self.secure)
            .cookie_http_only(true)
            .cookie_same_site(SameSite::Lax)
            .cookie_path("/".to_owned())
            .cookie_content_security(CookieContentSecurity::Signed)
            .session_lifecycle(BrowserSession::default())
            .build()
    }

    /// `name=value` as a browser sends it, for a key that is in the table: what actix-session would have set.
    pub fn signed(&self, key: &str) -> String {
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.session_key)
            .add(Cookie::new(self.session_name.clone(), key.to_owned()));
        jar.delta()
            .next()
            .map(|cookie| cookie.encoded().to_string())
            .unwrap_or_default()
    }

    /// Gives the session cookie that is being set its `Max-Age`.
    pub fn extend(&self, headers: &mut HeaderMap, keep_for: &KeepFor) {
        let set: Vec<HeaderValue> = headers.remove(SET_COOKIE).collect();
        for cookie in set {
            let ours = cookie.to_str().ok().filter(|text| {
                text.strip_prefix(&self.session_name)
                    .is_some_and(|rest| rest.starts_with('='))
            });
            let extended =
                ours.and_then(|text| format!("{text}; Max-Age={}", keep_for.0).parse().ok());
            headers.append(SET_COOKIE, extended.unwrap_or(cookie));
        }
    }

    /// Sets the cookie by which a browser is known at the next login.
    pub fn set_devices(&self, headers: &mut HeaderMap, devices: &Devices) {
        let cookie = Cookie::build(self.device_name.clone(), devices.to_string())
            .path("/")
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(time::Duration::days(DEVICE_DAYS.into()))
            .finish();
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.device_key).add(cookie);
        let value = jar
            .delta()
            .next()
            .map(|cookie| cookie.encoded().to_string());
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            headers.append(SET_COOKIE, value);
        }
    }

    /// What a request's cookie says the browser is known by, if we signed it.
    pub fn devices(&self, request: &HttpRequest) -> Devices {
        let mut jar = CookieJar::new();
        if let Some(cookie) = request.cookie(&self.device_name) {
            jar.add_original(cookie);
        }
        let signed = jar.signed(&self.device_key).get(&self.device_name);
        signed.map_or_else(Devices::default, |cookie| Devices::parse(cookie.value()))
    }

    /// Makes the browser drop a session cookie that leads nowhere.
    pub fn removal(&self) -> Cookie<'static> {
        let mut cookie = Cookie::build(self.session_name.clone(), "")
            .path("/")
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .finish();
        cookie.make_removal();
        cookie
    }
}
