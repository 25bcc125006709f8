//! Users as `latchkey users` prints them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli::done::Done;
use crate::store::users::User;

/// What has become of a user.
pub fn done_to(user: &User, text: impl Into<String>) -> Done {
    Done {
        text: text.into(),
        json: json!({"id": user.id, "username": user.username}),
    }
}

/// One line per user.
pub fn listed(users: &[User]) -> Done {
    let lines = users.iter().map(|user| {
        let disabled = user.disabled_at.is_some();
        let state = if disabled { "disabled" } else { "active" };
        let (id, name, email) = (user.id, &user.username, address(user));
        format!("{id}  {state:<8}  {name:<32}  {email}")
    });
    Done {
        text: lines.collect::<Vec<_>>().join("\n"),
        json: users.iter().map(fields).collect(),
    }
}

pub fn shown(user: &User) -> Done {
    Done {
        text: describe(user),
        json: fields(user),
    }
}

/// Everything about a user but the hash.
fn fields(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
        "disabled_at": user.disabled_at,
        "second_factor_required": user.second_factor_required,
        "roles": user.roles,
    })
}

fn describe(user: &User) -> String {
    let shown =
        |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    [
        format!("id          {}", user.id),
        format!("username    {}", user.username),
        format!("email       {}", address(user)),
        format!("verified    {}", shown(user.email_verified_at)),
        format!("created     {}", user.created_at.to_rfc3339()),
        format!("last login  {}", shown(user.last_login_at)),
        format!("disabled    {}", shown(user.disabled_at)),
        format!(
            "two factors {}",
            if user.second_factor_required {
                "on"
            } else {
                "off"
            }
        ),
        format!("roles       {}", user.roles.join(" ")),
    ]
    .join("\n")
}

pub fn address(user: &User) -> &str {
    user.email.as_deref().unwrap_or("not verified yet")
}
