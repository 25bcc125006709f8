//! Settings: read once from flags and the environment, checked, and passed down as one value.

mod app;
mod checks;
mod database;
pub mod dotenv;
mod mail;
mod pages;
mod passkeys;
mod passwords;
mod providers;
mod secret_key;
mod server;
mod settings;
mod values;

pub use app::AppSettings;
pub use database::{DatabaseSettings, InstallPostgres};
pub use mail::MailSettings;
pub use pages::PageSettings;
pub use passkeys::{NoPasskeys, PasskeySettings};
pub use passwords::PasswordSettings;
pub use providers::ProviderSettings;
pub use secret_key::{SecretKeySettings, stored_secret_key};
pub use server::{DEFAULT_LISTEN, ServerSettings};
pub use settings::{
    AccessLogSettings, LimitSettings, LogFormat, LogSettings, SessionSettings, Settings,
    TrustSettings,
};
pub use values::{Switch, Unrepeated, parse_listen, parse_page};
