//! The mails that are sent, and what the text of each may and must contain.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A kind of mail, under its name in the outbox and in the names of template files.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum MailKind {
    /// Asks a new user to confirm their address.
    VerifyEmail,
    /// Tells the owner of an address that somebody wanted to use it for another account.
    AccountExists,
    ResetPassword,
    /// Asks for confirmation; goes to the new address.
    ChangeEmail,
    /// For a user whom an operator created.
    Invitation,
    PasswordChanged,
    /// Goes to the old address.
    EmailChanged,
    NewSignIn,
    /// Somebody keeps entering wrong passwords.
    PasswordTried,
}

/// What a template writes as `{{ name }}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Placeholder {
    AppName,
    AppUrl,
    Username,
    Link,
    At,
    Browser,
}

impl MailKind {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it only tells of something that has happened. Such mails go to disabled users too. `PasswordTried` does
    /// more: its link opens the account.
    pub fn is_notice(self) -> bool {
        matches!(
            self,
            Self::PasswordChanged | Self::EmailChanged | Self::NewSignIn
        )
    }

    /// The placeholders that a template of this kind may use.
    pub fn offers(self) -> &'static [Placeholder] {
        use Placeholder::{AppName, AppUrl, At, Browser, Link, Username};
        match self {
            Self::VerifyEmail
            | Self::AccountExists
            | Self::ResetPassword
            | Self::ChangeEmail
            | Self::Invitation
            | Self::PasswordTried => &[AppName, AppUrl, Username, Link],
            Self::PasswordChanged | Self::EmailChanged => &[AppName, AppUrl, Username, Link, At],
            Self::NewSignIn => &[AppName, AppUrl, Username, Link, At, Browser],
        }
    }

    /// The placeholders without which the text would be of no use.
    pub fn requires(self) -> &'static [Placeholder] {
        match self {
            // Whoever has an account knows where to log in.
            Self::AccountExists => &[],
            Self::VerifyEmail
            | Self::ResetPassword
            | Self::ChangeEmail
            | Self::Invitation
            | Self::PasswordChanged
            | Self::EmailChanged
            | Self::NewSignIn
            | Self::PasswordTried => &[Placeholder::Link],
        }
    }
}

impl Placeholder {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_offers_what_it_requires() {
        for kind in MailKind::VARIANTS {
            let offered = |placeholder| kind.offers().contains(placeholder);
            assert!(kind.requires().iter().all(offered), "{kind:?}");
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
    }
}
