//! Settings: read once from flags and the environment, checked, and passed down as one value.

mod app;
mod checks;
mod mail;
mod passwords;
mod secret_key;
mod settings;
mod values;

pub use app::AppSettings;
pub use mail::MailSettings;
pub use passwords::PasswordSettings;
pub use secret_key::{SecretKeySettings, stored_secret_key};
pub use settings::{
    AccessLogSettings, DatabaseSettings, LimitSettings, LogFormat, LogSettings, ServerSettings,
    SessionSettings, Settings, TrustSettings,
};
pub use values::{Switch, Unrepeated, parse_site};
