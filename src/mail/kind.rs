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
    PasskeyAdded,
    PasskeyRemoved,
    /// A passkey counted backwards: somebody may have a copy.
    PasskeyCopied,
    /// An account at a provider became a way in.
    IdentityLinked,
    IdentityUnlinked,
    /// Somebody keeps entering wrong passwords.
    PasswordTried,
    TotpEnabled,
    /// Passkeys take its place.
    TotpDisabled,
    SecondFactorEnabled,
    SecondFactorDisabled,
    /// An administrator or an operator did it.
    SecondFactorReset,
    RecoveryCodesRenewed,
    RecoveryCodeUsed,
    /// Somebody knows the password, and keeps entering wrong codes.
    SecondFactorFailed,
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
        match self {
            Self::PasswordChanged
            | Self::EmailChanged
            | Self::NewSignIn
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::PasskeyCopied
            | Self::IdentityLinked
            | Self::IdentityUnlinked
            | Self::TotpEnabled
            | Self::TotpDisabled
            | Self::SecondFactorEnabled
            | Self::SecondFactorDisabled
            | Self::SecondFactorReset
            | Self::RecoveryCodesRenewed
            | Self::RecoveryCodeUsed
            | Self::SecondFactorFailed => true,
            Self::VerifyEmail
            | Self::AccountExists
            | Self::ResetPassword
            | Self::ChangeEmail
            | Self::Invitation
            | Self::PasswordTried => false,
        }
    }

    /// The placeholders that a template of this kind may use.
    pub fn offers(self) -> &'static [Placeholder] {
        use Placeholder::{AppName, AppUrl, At, Browser, Link, Username};
        match self {
            Self::PasswordChanged | Self::EmailChanged | Self::SecondFactorReset => {
                &[AppName, AppUrl, Username, Link, At]
            }
            notice if notice.is_notice() => &[AppName, AppUrl, Username, Link, At, Browser],
            _ => &[AppName, AppUrl, Username, Link],
        }
    }

    /// The placeholders without which the text would be of no use.
    pub fn requires(self) -> &'static [Placeholder] {
        match self {
            // Whoever has an account knows where to log in.
            Self::AccountExists => &[],
            _ => &[Placeholder::Link],
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
