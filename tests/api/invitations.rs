//! `latchkey users invite`, and what the mailed link is good for.

use serde_json::{Value, json};

use crate::mail_commands::wait_for_kept;
use crate::operator::{as_json, latchkey, text, told};
use crate::recovery::reset;
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD};

#[tokio::test]
async fn an_invited_user_chooses_a_password_once() {
    let smtp = Smtp::start().await;
    let url = format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port);
    let app = App::with(&[
        &url,
        "--app-name=Notes",
        "--registration=closed",
        "--require-verified-email=on",
    ])
    .await;
    let invited = told(&app, &["users", "invite", "susan", "susan@example.com"]);
    assert_eq!(
        invited,
        "Invited susan. The server mails the link, which works for 72 hours.\n"
    );
    let mail = smtp.mail_to("susan@example.com").await;
    let subject = mail.header("Subject").unwrap();
    assert!(
        subject.contains("Notes") && mail.text().contains("susan"),
        "{}",
        mail.raw
    );
    assert!(
        mail.link()
            .starts_with("http://localhost:8080/reset#token=")
    );
    app.visitor()
        .log_in("susan")
        .await
        .refused(401, "invalid_credentials");

    let weak = reset(&app.visitor(), &mail.token(), "susansusan").await;
    weak.refused(422, "validation_failed");
    reset(&app.visitor(), &mail.token(), PASSWORD)
        .await
        .expect(204);
    let susan = app.visitor();
    let user = susan.log_in("susan").await.expect(200).body;
    assert_eq!(user["user"]["email_verified"], true, "{user}");
    let again = reset(&app.visitor(), &mail.token(), "seven-Boats-under-9-moons").await;
    again.refused(410, "token_invalid_or_expired");
    assert!(susan.is_logged_in().await);
    susan.log_out().await.expect(204);
    susan.log_in("susan@example.com").await.expect(200);
}

#[tokio::test]
async fn an_invitation_is_an_event_and_tells_programs_whom_it_made() {
    let app = App::start().await;
    let invited = as_json(&app, &["users", "invite", "susan", "susan@example.com"]);
    let id = app.sql("select id from users").await[0][0].clone();
    assert_eq!(invited, json!({"id": id, "username": "susan"}));
    let kept = wait_for_kept(&app, 1).await;
    assert_eq!(kept[0]["to"], "susan@example.com");
    let invitations = "select count(*) from security_events where kind = 'invited'";
    assert_eq!(app.count(invitations).await, 1);
    let shown = as_json(&app, &["users", "show", "susan"]);
    assert_eq!(
        (&shown["id"], &shown["email_verified_at"]),
        (&json!(id), &Value::Null)
    );
}

#[tokio::test]
async fn nobody_is_invited_by_a_wrong_or_taken_name_or_address() {
    let app = App::start().await;
    app.registered("susan").await;
    let taken = "username: Please use a different username.";
    let taken_address = "email: Please use a different email address.";
    for (name, address, errors) in [
        ("Susan", "new@example.com", &[taken][..]),
        ("new", "SUSAN@example.com", &[taken_address]),
        ("susan", "susan@example.com", &[taken, taken_address]),
        ("a b", "new@example.com", &["username: "]),
        ("new", "example.com", &["email: "]),
        ("", "a@b@c", &["username: ", "email: "]),
    ] {
        for json in [&[][..], &["--json"]] {
            let arguments = [&["users"], json, &["invite", name, address]].concat();
            let done = latchkey(&app, &arguments, "");
            let said = text(&done);
            assert_eq!(done.status.code(), Some(1), "{name} {address}: {said}");
            assert!(
                said.starts_with("latchkey: not accepted:\n") && done.stdout.is_empty(),
                "{said}"
            );
            assert_eq!(said.lines().count(), 1 + errors.len(), "{said}");
            assert!(errors.iter().all(|error| said.contains(error)), "{said}");
        }
    }
    assert_eq!(app.count("select count(*) from users").await, 1);
    assert_eq!(wait_for_kept(&app, 1).await[0]["to"], "susan@example.com");
}
