//! `latchkey users list`, for somebody in particular.

use serde_json::Value;

use crate::operator::{as_json, latchkey, text, told};
use crate::support::App;

async fn people() -> App {
    let app = App::start().await;
    app.sql(
        "insert into users (username, email, created_at, disabled_at, email_verified_at) values \
            ('susan', 'susan@example.com', '2026-01-01', null, now()), \
            ('Miguel', 'miguel@example.com', '2026-01-02', now(), null), \
            ('anna', 'sus.anna@example.com', '2026-01-03', null, null); \
         insert into user_roles (user_id, role) select id, 'editor' from users where username in ('Miguel', 'anna')",
    )
    .await;
    app
}

fn names(users: &Value) -> Vec<&str> {
    let users = users.as_array().unwrap().iter();
    users
        .map(|user| user["username"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn users_are_found_by_name_address_role_and_state() {
    let app = people().await;
    for (flags, expected) in [
        (&[][..], &["susan", "Miguel", "anna"][..]),
        (&["--search", "SUS"], &["susan", "anna"]),
        (&["--search", "s"], &["susan", "anna"]),
        (&["--search", "%"], &[]),
        (&["--role", "editor"], &["Miguel", "anna"]),
        (&["--role", "editor", "--state", "active"], &["anna"]),
        (&["--state", "disabled"], &["Miguel"]),
        (&["--state", "unverified"], &["Miguel", "anna"]),
    ] {
        let found = as_json(&app, &[&["users", "list"], flags].concat());
        assert_eq!(names(&found), expected, "{flags:?}");
    }
    let text = told(&app, &["users", "list", "--search", "mig"]);
    assert!(
        text.contains("disabled  Miguel") && !text.contains("susan"),
        "{text}"
    );
}

#[tokio::test]
async fn pages_follow_each_other() {
    let app = people().await;
    for search in [&[][..], &["--search", "s"]] {
        let all = as_json(&app, &[&["users", "list"], search].concat());
        let (mut after, mut found) = (None::<String>, Vec::new());
        loop {
            let mut flags = [&["users", "list", "--limit", "1"], search].concat();
            if let Some(after) = &after {
                flags.extend(["--after", after]);
            }
            let page = as_json(&app, &flags);
            assert_eq!(page["users"].as_array().unwrap().len(), 1);
            found.push(page["users"][0].clone());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = Some(next.to_owned());
        }
        assert_eq!(Value::from(found), all, "{search:?}");
    }
    let text = told(&app, &["users", "list", "--limit", "2"]);
    assert!(text.contains("There are more: --after "), "{text}");
    let all = told(&app, &["users", "list", "--limit", "3"]);
    assert_eq!((all.lines().count(), all.contains("more")), (3, false));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let app = people().await;
    for flags in [
        ["--after", "nonsense"],
        ["--state", "sleepy"],
        ["--role", "No!"],
        ["--limit", "0"],
    ] {
        let done = latchkey(&app, &[&["users", "list"], &flags[..]].concat(), "");
        assert_eq!(done.status.code(), Some(2), "{}", text(&done));
    }
}
