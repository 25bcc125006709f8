//! `latchkey mail`, as an operator runs it.

use serde_json::{Value, json};

use crate::operator::{as_json, latchkey, refused, told};
use crate::support::smtp::{Mode, Smtp};
use crate::support::{App, wait_until};

/// The list of the kept mails, as soon as there are so many.
pub async fn wait_for_kept(app: &App, count: usize) -> Value {
    let listed = || as_json(app, &["mail", "list"])["kept"].clone();
    wait_until("the mails are kept", async || {
        listed().as_array().unwrap().len() == count
    })
    .await;
    listed()
}

#[tokio::test]
async fn kept_mails_are_listed_without_their_links_and_shown_with_them() {
    let app = App::with(&["--app-name=Notes"]).await;
    assert_eq!(told(&app, &["mail", "list"]), "No mails.\n");
    let nothing = json!({"waiting": [], "kept": []});
    assert_eq!(as_json(&app, &["mail", "list"]), nothing);
    app.registered("susan").await;
    app.registered("miguel").await;
    let kept = wait_for_kept(&app, 2).await;
    let subject = "Confirm your email address for Notes";
    let mut to: Vec<_> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| &mail["to"])
        .collect();
    to.sort_by_key(|to| to.to_string());
    assert_eq!(to, ["miguel@example.com", "susan@example.com"]);
    let first = &kept[0];
    let (date, address) = (&first["date"], &first["to"]);
    let expected = json!({"number": 1, "date": date, "to": address, "subject": subject});
    assert_eq!(*first, expected);
    let (date, address) = (date.as_str().unwrap(), address.as_str().unwrap());

    let list = told(&app, &["mail", "list"]);
    let folder = app.database.mail_folder();
    let heading = format!(
        "Kept in {}:\n     1  {date}  {address}  {subject}\n     2  ",
        folder.display()
    );
    assert!(
        list.starts_with(&heading) && !list.contains("#token="),
        "{list}"
    );
    assert_shown(&app, first);
    refused(
        &latchkey(&app, &["mail", "show", "3"], ""),
        "latchkey: no mail 3; latchkey mail list shows which there are\n",
    );
}

/// The first mail, with its link.
fn assert_shown(app: &App, listed: &Value) {
    let field = |name: &str| listed[name].as_str().unwrap();
    let shown = told(app, &["mail", "show", "1"]);
    let (to, date, subject) = (field("to"), field("date"), field("subject"));
    let head = format!("To: {to}\nDate: {date}\nSubject: {subject}\n\n");
    let is_link = |line: &&str| line.starts_with("http://localhost:8080/verify#token=");
    assert_eq!(shown.lines().filter(is_link).count(), 1, "{shown}");
    let text = shown.strip_prefix(&head).unwrap();
    let mut expected = listed.clone();
    expected["text"] = text.into();
    assert_eq!(as_json(app, &["mail", "show", "1"]), expected);
}

/// A server whose mails wait, because the mail server puts them off: one of each user, due in an hour.
async fn putting_off(users: &[&str]) -> (App, Smtp) {
    let smtp = Smtp::start().await;
    smtp.set(Mode::Greylist);
    let app = App::with(&[&format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port)]).await;
    for user in users {
        app.registered(user).await;
    }
    let tried = "select count(*) from mails where last_error is not null";
    let count = i64::try_from(users.len()).unwrap();
    wait_until("they were tried", async || app.count(tried).await == count).await;
    app.sql("update mails set due_at = now() + interval '1 hour'")
        .await;
    (app, smtp)
}

#[tokio::test]
async fn waiting_mails_are_listed_with_the_reason() {
    let (app, _smtp) = putting_off(&["susan", "miguel"]).await;
    let listed = as_json(&app, &["mail", "list"]);
    assert_eq!(listed["kept"], json!([]));
    let waiting = listed["waiting"].as_array().unwrap();
    let users = app
        .sql("select id from users where username = 'susan'")
        .await;
    let first = &waiting[0];
    let expected = json!({
        "id": first["id"],
        "kind": "verify_email",
        "user_id": users[0][0],
        "address": "susan@example.com",
        "created_at": first["created_at"],
        "due_at": first["due_at"],
        "tries": 1,
        "last_error": "451 4.7.1 Try again later",
    });
    assert_eq!((waiting.len(), first), (2, &expected));
    let list = told(&app, &["mail", "list"]);
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (3, "Waiting to be sent:"),
        "{list}"
    );
    for (line, mail) in lines[1..].iter().zip(waiting) {
        let due = mail["due_at"].as_str().unwrap()[..19].replace('T', " ");
        let (id, address) = (
            mail["id"].as_str().unwrap(),
            mail["address"].as_str().unwrap(),
        );
        let expected = format!(
            "{id}  verify_email      due {due}  tries 1  {address}  451 4.7.1 Try again later"
        );
        assert_eq!(*line, expected);
    }
}

#[tokio::test]
async fn a_waiting_mail_is_sent_now_or_dropped() {
    let (app, smtp) = putting_off(&["susan", "miguel", "david"]).await;
    let listed = as_json(&app, &["mail", "list"]);
    let id = |n: usize| listed["waiting"][n]["id"].as_str().unwrap().to_owned();
    smtp.set(Mode::Normal);
    assert_eq!(told(&app, &["mail", "retry", &id(0)]), "Due now: 1.\n");
    smtp.mail_to("susan@example.com").await;
    assert_eq!(
        told(&app, &["mail", "drop", &id(1)]),
        "Dropped. Nobody gets this mail.\n"
    );
    wait_until("one is left", async || {
        app.count("select count(*) from mails").await == 1
    })
    .await;
    assert_eq!(as_json(&app, &["mail", "retry"]), json!({"retried": 1}));
    smtp.mail_to("david@example.com").await;
    wait_until("none is left", async || {
        app.count("select count(*) from mails").await == 0
    })
    .await;
    assert_eq!(smtp.mails().len(), 2, "miguel's mail was dropped");
    assert_eq!(told(&app, &["mail", "list"]), "No mails.\n");
    assert_eq!(told(&app, &["mail", "retry"]), "Due now: 0.\n");
}

#[tokio::test]
async fn programs_retry_and_drop_mails_by_their_id() {
    let (app, smtp) = putting_off(&["susan", "miguel"]).await;
    let listed = as_json(&app, &["mail", "list"]);
    let id = |n: usize| listed["waiting"][n]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        as_json(&app, &["mail", "drop", &id(0)]),
        json!({"dropped": 1})
    );
    smtp.set(Mode::Normal);
    assert_eq!(
        as_json(&app, &["mail", "retry", &id(1)]),
        json!({"retried": 1})
    );
    smtp.mail_to("miguel@example.com").await;
    for command in ["drop", "retry"] {
        let gone = id(0);
        let why = format!("latchkey: no mail {gone} is waiting\n");
        refused(&latchkey(&app, &["mail", command, &gone], ""), &why);
        refused(
            &latchkey(&app, &["mail", "--json", command, &gone], ""),
            &why,
        );
    }
    for nonsense in [
        &["mail", "drop"][..],
        &["mail", "drop", "1"],
        &["mail", "show", "x"],
    ] {
        assert_eq!(
            latchkey(&app, nonsense, "").status.code(),
            Some(2),
            "{nonsense:?}"
        );
    }
}
