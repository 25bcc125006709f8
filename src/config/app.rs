//! Settings that tell Latchkey about your app.

use clap::{Args, ValueEnum};
use url::Url;

use super::pages::PageSettings;
use super::passkeys::PasskeySettings;
use super::providers::ProviderSettings;
use super::values::{Switch, Unrepeated, parse_name, parse_site};
use crate::domain::pages::Pages;

#[derive(Args, Clone)]
#[command(next_help_heading = "Your app")]
pub struct AppSettings {
    /// URL of your app's pages, if it is not the public URL. Links in mails lead there. It must be a trusted origin.
    #[arg(long, env = "LATCHKEY_APP_URL", value_name = "URL", value_parser = Unrepeated(parse_site))]
    pub app_url: Option<Url>,

    /// Name of your app, as its pages and mails show it. The default is the host of its URL.
    #[arg(long, env = "LATCHKEY_APP_NAME", value_name = "NAME", value_parser = parse_name)]
    pub app_name: Option<String>,

    /// Whether people may register. While it is closed, you invite them with latchkey users invite.
    #[arg(
        long,
        env = "LATCHKEY_REGISTRATION",
        default_value = "open",
        value_name = "open|closed"
    )]
    pub registration: Registration,

    /// Whether people must verify their e-mail address, by a mailed link, before they can log in. Registering then does
    /// not reveal whether an address is taken.
    #[arg(
        long,
        env = "LATCHKEY_REQUIRE_VERIFIED_EMAIL",
        default_value = "off",
        value_name = "on|off"
    )]
    pub require_verified_email: Switch,

    /// Whether administrators need a login with two factors. The default is on under https.
    #[arg(long, env = "LATCHKEY_ADMIN_SECOND_FACTOR", value_name = "on|off")]
    pub admin_second_factor: Option<Switch>,

    /// Paths of your app's pages, to which answers and mails link, separated by commas. A page that you leave out keeps
    /// its default.
    #[arg(long, env = "LATCHKEY_PAGES", default_value_t, value_name = "PAGES")]
    pub pages: Pages,

    #[command(flatten)]
    pub passkeys: PasskeySettings,

    #[command(flatten)]
    pub providers: ProviderSettings,

    #[command(flatten)]
    pub front: PageSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    Open,
    Closed,
}

impl AppSettings {
    /// Falls back to the host that people see in their browser.
    pub fn name_at(&self, app_url: &Url) -> String {
        let host = || app_url.host_str().unwrap_or("Latchkey");
        self.app_name.as_deref().unwrap_or_else(host).to_owned()
    }
}
