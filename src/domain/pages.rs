//! The pages of the app that people are sent to.

use std::collections::BTreeMap;
use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantArray};
use url::Url;

use super::next::{is_reserved, safe_next};

/// A page, under its name in `LATCHKEY_PAGES`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Page {
    Login,
    Register,
    Account,
    Reset,
    Verify,
    Change,
    NotMe,
}

/// The location of each page: a path, perhaps with a query, below the app's origin.
#[derive(Debug, Clone, Default)]
pub struct Pages(BTreeMap<Page, String>);

impl Page {
    fn usual_path(self) -> &'static str {
        match self {
            Self::Login => "/login",
            Self::Register => "/register",
            Self::Account => "/account",
            Self::Reset => "/reset",
            Self::Verify => "/verify",
            Self::Change => "/change-email",
            Self::NotMe => "/not-me",
        }
    }
}

impl Pages {
    pub fn path(&self, page: Page) -> &str {
        self.0.get(&page).map_or(page.usual_path(), String::as_str)
    }
}

impl std::fmt::Display for Pages {
    /// In the format that [`FromStr`] parses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, page) in Page::VARIANTS.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            write!(f, "{separator}{}={}", <&str>::from(*page), self.path(*page))?;
        }
        Ok(())
    }
}

impl FromStr for Pages {
    type Err = String;

    /// Parses `login=/sign-in,account=/me`. A page that is not listed keeps its default path.
    fn from_str(text: &str) -> Result<Self, String> {
        let anywhere = Url::parse("http://localhost").map_err(|error| error.to_string())?;
        let mut pages = BTreeMap::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, path) = part.split_once('=').ok_or("write NAME=/path")?;
            let page = Page::from_str(name.trim()).map_err(|_| {
                let names: Vec<&str> = Page::VARIANTS.iter().map(|page| (*page).into()).collect();
                format!(
                    "there is no page {name}; these can be set: {}",
                    names.join(", ")
                )
            })?;
            let path = safe_next(&anywhere, path.trim()).filter(|path| !is_reserved(path));
            let path = path.ok_or_else(|| {
                format!(
                    "the page {name} must be a path of your app such as /login, outside of /api/, /dev/, /health/ and \
                     /swagger-ui"
                )
            })?;
            pages.insert(page, path);
        }
        Ok(Self(pages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_paths_of_the_app_and_have_defaults() {
        let pages: Pages = "login=/app?view=login, not-me=/oops".parse().unwrap();
        assert_eq!(pages.path(Page::Login), "/app?view=login");
        assert_eq!(pages.path(Page::NotMe), "/oops");
        assert_eq!(pages.path(Page::Change), "/change-email");
        let again: Pages = pages.to_string().parse().unwrap();
        assert_eq!(again.to_string(), pages.to_string());
        for bad in [
            "login",
            "logn=/login",
            "login=login",
            "login=//evil.example",
            "login=https://evil.example/",
            "login=/\\evil.example",
            "login=/api/login",
            "login=/dev/login",
            "login=/swagger-ui/",
            "login=/health?x",
            "login=/%61pi/login",
        ] {
            assert!(bad.parse::<Pages>().is_err(), "{bad}");
        }
    }
}
