//! What other systems call their tables and columns.

use clap::ValueEnum;

use crate::auth::import::columns::Column;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The Flask tutorial: table user
    Flask,
    /// Table auth_user
    Django,
    /// Table users: name, email, password
    Laravel,
    /// Devise: table users, without usernames
    Rails,
    /// Tables user and account
    BetterAuth,
    /// Table auth.users
    Supabase,
}

impl Preset {
    pub fn table(self) -> &'static str {
        match self {
            Self::Flask | Self::BetterAuth => "user",
            Self::Django => "auth_user",
            Self::Laravel | Self::Rails => "users",
            Self::Supabase => "auth.users",
        }
    }

    /// Columns that are not called as ours. What a table lacks is left out.
    pub fn columns(self) -> &'static [(Column, &'static str)] {
        match self {
            Self::Flask => &[],
            Self::Django => &[
                (Column::PasswordHash, "password"),
                (Column::CreatedAt, "date_joined"),
                (Column::Active, "is_active"),
                (Column::LastLoginAt, "last_login"),
            ],
            Self::Laravel => &[
                (Column::Username, "name"),
                (Column::PasswordHash, "password"),
                (Column::EmailVerified, "email_verified_at"),
            ],
            Self::Rails => &[
                (Column::PasswordHash, "encrypted_password"),
                (Column::EmailVerified, "confirmed_at"),
                (Column::LastLoginAt, "current_sign_in_at"),
            ],
            Self::BetterAuth => &[
                (Column::PasswordHash, "password"),
                (Column::EmailVerified, "emailVerified"),
                (Column::CreatedAt, "createdAt"),
                (Column::Disabled, "banned"),
            ],
            Self::Supabase => &[
                (Column::PasswordHash, "encrypted_password"),
                (Column::EmailVerified, "email_confirmed_at"),
                (Column::LastLoginAt, "last_sign_in_at"),
            ],
        }
    }
}

/// What to select from, in SQL that SQLite and PostgreSQL both know. A dot in the table's name follows a schema.
pub fn source(preset: Preset, table: &str) -> String {
    let parts = table.split('.').map(quoted).collect::<Vec<_>>();
    let table = parts.join(".");
    match preset {
        Preset::BetterAuth => format!(
            "(select people.*, account.\"password\" from {table} as people left join \"account\" as account \
             on account.\"userId\" = people.\"id\" and account.\"providerId\" = 'credential') as source"
        ),
        _ => table,
    }
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
