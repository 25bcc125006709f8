//! The texts that come with the program.
//!
//! Strangers choose usernames, and mail programs turn `www.evil.example` into a link. So the only built-in text with a
//! username is the invitation, where an operator chose it.

use strum::VariantArray;

use super::check::{self, Part, Place};
use super::error::{Problem, TemplateError};
use super::shelf::Shelf;
use crate::mail::kind::MailKind;

macro_rules! texts {
    ($kind:literal) => {
        [
            ("en", include_str!(concat!("text/", $kind, ".en.txt"))),
            ("de", include_str!(concat!("text/", $kind, ".de.txt"))),
        ]
    };
}

/// By locale: a line with the subject, an empty line, and the text.
fn texts(kind: MailKind) -> [(&'static str, &'static str); 2] {
    match kind {
        MailKind::VerifyEmail => texts!("verify_email"),
        MailKind::AccountExists => texts!("account_exists"),
        MailKind::ResetPassword => texts!("reset_password"),
        MailKind::ChangeEmail => texts!("change_email"),
        MailKind::Invitation => texts!("invitation"),
        MailKind::PasswordChanged => texts!("password_changed"),
        MailKind::EmailChanged => texts!("email_changed"),
        MailKind::NewSignIn => texts!("new_sign_in"),
        MailKind::PasskeyAdded => texts!("passkey_added"),
        MailKind::PasskeyRemoved => texts!("passkey_removed"),
        MailKind::PasskeyCopied => texts!("passkey_copied"),
        MailKind::IdentityLinked => texts!("identity_linked"),
        MailKind::IdentityUnlinked => texts!("identity_unlinked"),
        MailKind::PasswordTried => texts!("password_tried"),
        MailKind::TotpEnabled => texts!("totp_enabled"),
        MailKind::TotpDisabled => texts!("totp_disabled"),
        MailKind::SecondFactorEnabled => texts!("second_factor_enabled"),
        MailKind::SecondFactorDisabled => texts!("second_factor_disabled"),
        MailKind::SecondFactorReset => texts!("second_factor_reset"),
        MailKind::RecoveryCodesRenewed => texts!("recovery_codes_renewed"),
        MailKind::RecoveryCodeUsed => texts!("recovery_code_used"),
        MailKind::SecondFactorFailed => texts!("second_factor_failed"),
    }
}

pub(super) fn add(shelf: &mut Shelf) -> Result<(), TemplateError> {
    for &kind in MailKind::VARIANTS {
        for (locale, letter) in texts(kind) {
            let subject = letter.strip_prefix("Subject: ");
            let (subject, text) = subject
                .and_then(|letter| letter.split_once("\n\n"))
                .ok_or_else(|| Problem::NoSubject.with(kind.name()))?;
            for (part, source) in [(Part::Subject, subject), (Part::Txt, text)] {
                let locale = locale.to_owned();
                let place = Place { kind, locale, part };
                check::add(shelf, &place, &place.name(), source.to_owned())?;
            }
        }
    }
    Ok(())
}
