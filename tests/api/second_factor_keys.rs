//! A change of the secret key, under which the secrets of authenticator apps are encrypted.

use latchkey::auth::second_factor::sealed::Sealer;
use uuid::Uuid;

use crate::operator::text;
use crate::outbox::add_users;
use crate::second_factor::{Authenticator, decoded, halfway, protected, show};
use crate::support::process::{Process, TempDir, command, ended};
use crate::support::{App, SECRET_KEY, Visitor, wait_until};

const OTHER_KEY: &str = "another-key-0123456789-abcdefghijklm";

fn sealer(key: &str) -> Sealer {
    Sealer::new(key, &[])
}

/// Seals the secret of a user under this key, as a server with that key would have.
async fn seal_under(app: &App, key: &str, app_of: &Authenticator) {
    let id = app.sql("select user_id from totp_secrets").await;
    let id: Uuid = id[0][0].as_ref().unwrap().parse().unwrap();
    let sealed = sealer(key).seal(id, &decoded(&app_of.secret)).unwrap();
    let sealed = hex::encode(sealed);
    app.sql(&format!("update totp_secrets set secret = '\\x{sealed}'"))
        .await;
}

/// How many secrets are sealed under this key, or say so.
async fn under(app: &App, key: &str) -> i64 {
    let prefix = hex::encode(sealer(key).current_prefix());
    let count = format!(
        "select count(*) from totp_secrets where encode(substr(secret, 1, 5), 'hex') = '{prefix}'"
    );
    app.count(&count).await
}

fn start(app: &App, data: &TempDir, key: &str, old: &str) -> std::process::Command {
    let mut command = command(&data.0);
    command
        .env("DATABASE_URL", app.database.url())
        .env("LATCHKEY_SECRET_KEY", key)
        .env("LATCHKEY_SECRET_KEY_OLD", old);
    if old.is_empty() {
        command.env_remove("LATCHKEY_SECRET_KEY_OLD");
    }
    command
}

/// G9.
#[tokio::test]
async fn with_a_key_that_opens_no_secret_the_start_is_refused() {
    let (app, data) = (App::start().await, TempDir::new());
    let (_, app_of) = protected(&app, "susan").await;
    let refused = ended(&mut start(&app, &data, OTHER_KEY, ""));
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused);
    assert!(
        told.contains("Add that key to LATCHKEY_SECRET_KEY_OLD"),
        "{told}"
    );
    assert!(!told.contains("Listening"), "{told}");

    let with_old = Process::spawn(&mut start(&app, &data, OTHER_KEY, SECRET_KEY));
    let browser = Visitor::new(with_old.address);
    browser
        .log_in("susan")
        .await
        .refused(401, "second_factor_required");
    show(&browser, &app_of.unused_code(&app).await)
        .await
        .expect(200);
    wait_until("the secret is sealed again", async || {
        under(&app, OTHER_KEY).await == 1
    })
    .await;
    drop(with_old);
    drop(Process::spawn(&mut start(&app, &data, OTHER_KEY, "")));
}

/// Nobody is asked for a code of it, and in ten minutes it is void.
#[tokio::test]
async fn a_secret_that_is_only_on_offer_keeps_no_server_from_starting() {
    let (app, data) = (App::start().await, TempDir::new());
    protected(&app, "susan").await;
    app.sql("update totp_secrets set confirmed_at = null").await;
    drop(Process::spawn(&mut start(&app, &data, OTHER_KEY, "")));
}

/// G9: a row of a layout that this release does not know, and one that is damaged.
#[tokio::test]
async fn a_secret_that_cannot_be_read_fails_its_login_and_not_the_start() {
    let (app, data) = (App::start().await, TempDir::new());
    let (_, app_of) = protected(&app, "susan").await;
    for damage in [
        "set_byte(secret, 0, 2)",
        "set_byte(secret, 20, 255 - get_byte(secret, 20))",
        "'\\x01'",
    ] {
        app.sql(&format!("update totp_secrets set secret = {damage}"))
            .await;
        let browser = halfway(&app, "susan").await;
        let right = show(&browser, &app_of.unused_code(&app).await).await;
        right.refused(401, "invalid_code");
        if damage.contains("secret") {
            drop(Process::spawn(&mut start(&app, &data, SECRET_KEY, "")));
        }
        seal_under(&app, SECRET_KEY, &app_of).await;
    }
    let browser = halfway(&app, "susan").await;
    show(&browser, &app_of.unused_code(&app).await)
        .await
        .expect(200);
}

/// L5.
#[tokio::test]
async fn secrets_under_an_old_key_are_sealed_again_and_open_all_the_while() {
    let app = App::start().await;
    let (_, app_of) = protected(&app, "susan").await;
    seal_under(&app, OTHER_KEY, &app_of).await;
    let browser = halfway(&app, "susan").await;
    let unknown = show(&browser, &app_of.unused_code(&app).await).await;
    unknown.refused(401, "invalid_code");

    let changed = app
        .sibling(&[&format!("--secret-key-old={OTHER_KEY}")])
        .await;
    let browser = halfway(&changed, "susan").await;
    show(&browser, &app_of.unused_code(&app).await)
        .await
        .expect(200);
    wait_until("it is sealed again", async || {
        under(&app, SECRET_KEY).await == 1
    })
    .await;
    drop(changed);
    let browser = halfway(&app, "susan").await;
    show(&browser, &app_of.unused_code(&app).await)
        .await
        .expect(200);
}

/// L5: more than a batch, and one that is damaged among them.
#[tokio::test]
async fn two_instances_seal_the_same_secrets_again_and_spoil_none() {
    let app = App::start().await;
    add_users(&app, 350).await;
    let ids = app.sql("select id from users order by id").await;
    let ids: Vec<Uuid> = ids
        .iter()
        .map(|row| row[0].as_ref().unwrap().parse().unwrap())
        .collect();
    let before = sealer(OTHER_KEY);
    let row = |id: &Uuid| {
        let sealed = before.seal(*id, id.as_bytes()).unwrap();
        format!("('{id}', '\\x{}', now())", hex::encode(sealed))
    };
    let rows: Vec<_> = ids.iter().map(row).collect();
    let insert = "insert into totp_secrets (user_id, secret, confirmed_at) values";
    app.sql(&format!("{insert} {}", rows.join(", "))).await;
    let damaged = ids[120];
    app.sql(&format!(
        "update totp_secrets set secret = substr(secret, 1, 40) where user_id = '{damaged}'"
    ))
    .await;

    let old = format!("--secret-key-old={OTHER_KEY}");
    let flags = [&*old];
    let (one, other) = tokio::join!(app.sibling(&flags), app.sibling(&flags));
    wait_until("all are sealed again", async || {
        under(&app, SECRET_KEY).await == 349
    })
    .await;
    drop((one, other));
    let now = sealer(SECRET_KEY);
    for row in app
        .sql("select user_id, encode(secret, 'hex') from totp_secrets")
        .await
    {
        let id: Uuid = row[0].as_ref().unwrap().parse().unwrap();
        let opened = now.open(id, &hex::decode(row[1].as_ref().unwrap()).unwrap());
        let plain = opened.map(|opened| opened.bytes);
        assert_eq!(plain, (id != damaged).then(|| id.as_bytes().to_vec()));
    }
}
