//! What somebody reads who sets something wrong: each setting with a value that cannot work, its name and the fix.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::SECRET_KEY;
use crate::support::process::{TempDir, command, ended};

/// A setting, a wrong value, and what the message says besides the setting's name.
const WRONG: &str = "
LATCHKEY_LISTEN=:8080 # write 127.0.0.1:8080 for this machine only, or 0.0.0.0:8080 to let others in
LATCHKEY_LISTEN=0.0.0.0 # add a port: 0.0.0.0:8080
LATCHKEY_LISTEN=::1 # add a port: [::1]:8080
LATCHKEY_LISTEN=localhost # such as 127.0.0.1:8080
LATCHKEY_LISTEN=http://localhost:8080 # such as 127.0.0.1:8080
LATCHKEY_LISTEN=127.0.0.1:80800 # a port up to 65535
LATCHKEY_LISTEN=192.0.2.1:8080 # this machine has no such address
LATCHKEY_METRICS_LISTEN=:9090 # write 127.0.0.1:9090 for this machine only
LATCHKEY_PUBLIC_URL=localhost:8080 # such as http://localhost:8080
LATCHKEY_PUBLIC_URL=login.example # such as https://login.example
LATCHKEY_PUBLIC_URL=http://localhost:8080/app # such as http://localhost:8080
LATCHKEY_WORKERS=0 # 1..=256
DATABASE_URL= # expected postgres://user:password@host/database
DATABASE_URL=mysql://susan:river-42@localhost/x # expected postgres://user:password@host/database
DATABASE_URL=host=localhost password=river-42 # expected postgres://user:password@host/database
DATABASE_URL=postgres:///x # names no host
DATABASE_URL=postgres://susan:river-42@localhost:99999/x # the port must be a number up to 65535
DATABASE_URL=postgres://susan:river/42@localhost/x # / as %2F
DATABASE_URL=postgres://susan:x@river-42@localhost/x # @ as %40
DATABASE_URL=postgres://susan:river?42=1@localhost/x # ? as %3F
DATABASE_URL=postgres://susan:river-42@localhost/x?ssl=true # sslmode=require
DATABASE_URL=postgres://susan:river-42@localhost/x?pool=3 # has a wrong value: pool
DATABASE_URL=postgres://susan:river-42@127.0.0.1:1/x # no connection to the database at 127.0.0.1:1
DATABASE_URL_FILE=/nowhere # No such file
LATCHKEY_DATA_DIR=/proc/x # LATCHKEY_DATA_DIR
LATCHKEY_INSTALL_POSTGRES=yes # possible values: on, off, ask
LATCHKEY_DB_POOL=0 # 1..=1000
LATCHKEY_SECRET_KEY=river-42 # openssl rand -hex 32
LATCHKEY_SECRET_KEY_FILE=/nowhere # cannot be used with
LATCHKEY_SECRET_KEY_OLD=river-42 # openssl rand -hex 32
LATCHKEY_TRUSTED_ORIGINS=localhost:5173 # such as http://localhost:5173
LATCHKEY_TRUSTED_ORIGINS=app.example # such as https://app.example
LATCHKEY_TRUSTED_ORIGINS=http://localhost:5173/app # such as http://localhost:5173
LATCHKEY_TRUSTED_ORIGINS=http://localhost:5173 http://localhost:3000 # with commas
LATCHKEY_TRUSTED_ORIGINS=http://localhost:5173, # a comma too many
LATCHKEY_TRUSTED_ORIGINS=null # a page in a file, or in a sandbox
LATCHKEY_TRUSTED_PROXIES=nginx # such as 10.0.0.0/8
LATCHKEY_APP_URL=localhost:5173 # such as http://localhost:5173
LATCHKEY_APP_NAME= # write 1 to 64 characters
LATCHKEY_REGISTRATION=no # possible values: open, closed
LATCHKEY_REQUIRE_VERIFIED_EMAIL=true # possible values: on, off
LATCHKEY_ADMIN_SECOND_FACTOR=1 # possible values: on, off
LATCHKEY_PAGES=signin=/x # these can be set: login,
LATCHKEY_PASSKEYS=yes # possible values: on, off
LATCHKEY_PASSKEY_RP_ID=https://login.example # write a domain alone, such as login.example
LATCHKEY_PASSKEY_RP_ID=127.0.0.1 # this is an IP address
LATCHKEY_PASSKEY_RP_ID=login.example # is neither at this domain nor below it
LATCHKEY_OIDC_PROVIDERS=/nowhere # No such file
LATCHKEY_OIDC_PROVIDERS=/etc/passwd # line 1
LATCHKEY_DEMO=yes # possible values: on, off, auto
LATCHKEY_SPA_DIR=/nowhere # build your app first (npm run build)
LATCHKEY_SPA_CSP= # write a policy on one line, in plain ASCII, or off
LATCHKEY_SMTP_URL=mail.example # write smtps://user:password@host
LATCHKEY_SMTP_URL=smtp://susan:river-42@mail.example?tls=yes # tls is required or opportunistic
LATCHKEY_MAIL_FROM=nobody # write noreply@app.example
LATCHKEY_MAIL_TEMPLATES=/nowhere # No such file
LATCHKEY_SIGN_IN_NOTICE=yes # possible values: on, off
LATCHKEY_SESSION_IDLE=12 # write 30m, 12h or 30days
LATCHKEY_SESSION_MAX=forever # write 30m, 12h or 30days
LATCHKEY_REMEMBER_FOR=0s # more than zero
LATCHKEY_REAUTH_FOR=11years # at most ten years
LATCHKEY_TRUST_DEVICE_FOR=never # or 0 for never
LATCHKEY_ARGON2=fast # write m=19456,t=2,p=1
LATCHKEY_HASH_WORKERS=many # many
LATCHKEY_PASSWORD_MIN_LENGTH=4 # 8..=64
LATCHKEY_PASSWORD_MIN_SCORE=5 # 0..=4
LATCHKEY_RATE_LIMITS=false # possible values: on, off
LATCHKEY_LOG_FORMAT=xml # possible values: text, json
LATCHKEY_LOG=a=b=c # write a level (error, warn, info, debug, trace)
LATCHKEY_ACCESS_LOG=yes # possible values: on, off";

fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    WRONG.trim().lines().map(|line| {
        let (setting, expected) = line.split_once(" # ").unwrap();
        let (name, value) = setting.split_once('=').unwrap();
        (name, value, expected)
    })
}

#[test]
fn a_wrong_value_is_refused_with_the_name_that_was_set_and_the_fix_but_no_password() {
    let data = TempDir::new();
    for (name, value, expected) in rows() {
        let mut command = command(&data.0);
        command.env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        let refused = ended(command.env(name, value));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{name}={value}: {told}");
        let is_named = told.contains(name) || expected.starts_with("no connection");
        assert!(
            is_named && told.contains(expected),
            "{name}={value}: {told}"
        );
        assert!(!told.contains("river"), "{name}={value}: {told}");
    }
}

#[test]
fn each_setting_has_a_row() {
    let help = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    // Some lines break before the name.
    let help = String::from_utf8(help.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let variables = help.split("[env: ").skip(1).map(|rest| {
        let end = rest.find(['=', ']']).unwrap();
        rest[..end].to_owned()
    });
    let variables: BTreeSet<String> = variables.collect();
    let with_rows: BTreeSet<String> = rows().map(|(name, _, _)| name.to_owned()).collect();
    assert!(variables.len() > 30, "{variables:?}");
    assert_eq!(variables, with_rows);
}
