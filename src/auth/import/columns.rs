//! What a source may tell of a user.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

/// The columns, by the names that a header gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Column {
    Username,
    Email,
    PasswordHash,
    /// Kept if it is a UUID.
    Id,
    CreatedAt,
    EmailVerified,
    Disabled,
    Roles,
    LastLoginAt,
    /// The opposite of `disabled`, as Django has it.
    Active,
    /// `disabled` if it is in the future, as Supabase has it.
    BannedUntil,
    /// An address that the user has not proven yet.
    PendingEmail,
}

impl Column {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// One user as the source has them: a text for each column that says anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw([Option<String>; Column::COUNT]);

impl Raw {
    pub fn set(&mut self, column: Column, text: String) {
        self.0[column as usize] = Some(text).filter(|text| !text.is_empty());
    }

    pub fn get(&self, column: Column) -> Option<&str> {
        self.0[column as usize].as_deref()
    }
}
