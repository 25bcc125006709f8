//! `latchkey users export`: everybody as JSON lines, which `import` reads.

use std::fs::{OpenOptions, Permissions};
use std::io::{BufWriter, Write, stdout};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::one::explain;
use crate::auth::operator;
use crate::auth::services::Services;
use crate::cli::done::Done;
use crate::store::export::Leaving;

#[derive(Args)]
pub struct ExportArgs {
    /// Where to write them [default: standard output]
    file: Option<PathBuf>,
    /// Include password hashes. Without them, people who are imported choose new passwords
    #[arg(long)]
    with_hashes: bool,
}

pub async fn run(services: &Services, args: &ExportArgs) -> anyhow::Result<Done> {
    let Some(file) = args.file.as_deref().filter(|file| *file != Path::new("-")) else {
        write_all(services, args, stdout().lock()).await?;
        return Ok(Done {
            text: String::new(),
            json: Value::Null,
        });
    };
    let shown = || file.display().to_string();
    let written = write_all(services, args, create(file).with_context(shown)?).await;
    let users = written.with_context(shown)?;
    Ok(Done {
        text: format!("Exported {users} users to {}.", shown()),
        json: json!({"users": users}),
    })
}

/// Only its owner may read it: it names everybody.
fn create(file: &Path) -> std::io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let opened = options.open(file)?;
    if opened.metadata()?.is_file() {
        opened.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(opened)
}

async fn write_all(
    services: &Services,
    args: &ExportArgs,
    out: impl Write,
) -> anyhow::Result<usize> {
    let mut out = BufWriter::new(out);
    let (mut users, mut place) = (0, None);
    loop {
        let page = operator::export(services, place).await.map_err(explain)?;
        let Some(last) = page.last() else {
            break;
        };
        place = Some(last.moment());
        users += page.len();
        for user in &page {
            serde_json::to_writer(&mut out, &line(user, args.with_hashes))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(users)
}

/// In the columns of `import`.
fn line(leaving: &Leaving, with_hashes: bool) -> Value {
    let user = &leaving.account.user;
    let mut line = json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified_at,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
        "disabled": user.disabled_at,
        "roles": user.roles,
    });
    if user.email.is_none() {
        line["pending_email"] = json!(leaving.pending_email);
    }
    if with_hashes {
        let hash = leaving.account.password_hash.as_ref();
        line["password_hash"] = json!(hash.map(|hash| hash.as_str()));
    }
    line
}
