//! Settings: read once from flags and the environment, checked, and passed down as one value.

mod checks;
mod passwords;
mod secret_key;
mod settings;
mod values;

pub use passwords::PasswordSettings;
pub use secret_key::{SecretKeySettings, stored_secret_key};
pub use settings::{
    AppSettings, DatabaseSettings, LimitSettings, LogFormat, LogSettings, ServerSettings,
    SessionSettings, Settings, Switch, TrustSettings,
};
pub use values::{Unrepeated, parse_site};
