//! `latchkey mail`: the mails that wait, and those that were kept because there is no mail server.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::done::Done;
use super::{database, log};
use crate::config::{DatabaseSettings, LogSettings};
use crate::mail::delivery::folder::{self, KeptMail};
use crate::store::db::{Db, migrations};
use crate::store::outbox::{self, Mail};

#[derive(Args)]
pub struct MailArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: MailCommand,
}

#[derive(Subcommand)]
enum MailCommand {
    /// List the mails that wait to be sent, and those that the server keeps because it has no mail server
    List,
    /// Show a mail that the server keeps, with its link
    Show {
        /// Number in the list
        number: u32,
    },
    /// Send a waiting mail now, or all of them
    Retry {
        /// Id in the list
        id: Option<Uuid>,
    },
    /// Drop a waiting mail: nobody gets it
    Drop {
        /// Id in the list
        id: Uuid,
    },
}

pub fn run(args: &MailArgs) -> anyhow::Result<()> {
    log::start(&args.log)?;
    let database = database::visit(&args.database)?;
    migrations::run(&database.connector)?;
    let db = Db::new(database.connector.clone(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(execute(&db, &database.mail_folder, &args.command))?;
    done.print(args.json)
}

async fn execute(db: &Db, folder: &Path, command: &MailCommand) -> anyhow::Result<Done> {
    match command {
        MailCommand::List => list(db, folder).await,
        MailCommand::Show { number } => show(folder, *number),
        MailCommand::Retry { id } => retry(db, *id).await,
        MailCommand::Drop { id } => drop(db, *id).await,
    }
}

async fn list(db: &Db, folder: &Path) -> anyhow::Result<Done> {
    let waiting = db.run(async |conn| outbox::list(conn).await).await?;
    let kept = folder::read_all(folder)?;
    let mut text = String::new();
    if !waiting.is_empty() {
        text.push_str("Waiting to be sent:\n");
    }
    for mail in &waiting {
        let (id, kind, address, tries) = (mail.id, &mail.kind, &mail.address, mail.tries);
        let due = mail.due_at.format("%F %T");
        write!(
            text,
            "{id}  {kind:<16}  due {due}  tries {tries}  {address}"
        )?;
        let error = mail.last_error.iter().map(|error| format!("  {error}"));
        text.extend(error.chain(["\n".to_owned()]));
    }
    if !kept.is_empty() {
        writeln!(text, "Kept in {}:", folder.display())?;
    }
    for mail in &kept {
        let (number, to, subject) = (mail.number, &mail.to, &mail.subject);
        writeln!(text, "{number:>6}  {}  {to}  {subject}", mail.date)?;
    }
    if text.is_empty() {
        text.push_str("No mails.");
    }
    let waiting: Vec<Value> = waiting.iter().map(waiting_fields).collect();
    let kept: Vec<Value> = kept.iter().map(kept_fields).collect();
    Ok(Done {
        text,
        json: json!({"waiting": waiting, "kept": kept}),
    })
}

fn waiting_fields(mail: &Mail) -> Value {
    json!({
        "id": mail.id,
        "kind": mail.kind,
        "user_id": mail.user_id,
        "address": mail.address,
        "created_at": mail.created_at,
        "due_at": mail.due_at,
        "tries": mail.tries,
        "last_error": mail.last_error,
    })
}

/// Without the text: a list is no place for links that open accounts.
fn kept_fields(mail: &KeptMail) -> Value {
    json!({
        "number": mail.number,
        "date": mail.date,
        "to": mail.to,
        "subject": mail.subject,
    })
}

fn show(folder: &Path, number: u32) -> anyhow::Result<Done> {
    let kept = folder::read_all(folder)?;
    let mail = kept.iter().find(|mail| mail.number == number);
    let mail = mail
        .with_context(|| format!("no mail {number}; latchkey mail list shows which there are"))?;
    let (to, subject, date, text) = (&mail.to, &mail.subject, &mail.date, &mail.text);
    Ok(Done {
        text: format!("To: {to}\nDate: {date}\nSubject: {subject}\n\n{text}"),
        json: kept_fields(mail),
    }
    .with("text", mail.text.clone()))
}

async fn retry(db: &Db, id: Option<Uuid>) -> anyhow::Result<Done> {
    let retried = db.run(async |conn| outbox::retry(conn, id).await).await?;
    if let (Some(id), 0) = (id, retried) {
        bail!("no mail {id} is waiting");
    }
    Ok(Done {
        text: format!("Due now: {retried}."),
        json: json!({"retried": retried}),
    })
}

async fn drop(db: &Db, id: Uuid) -> anyhow::Result<Done> {
    let dropped = db.run(async |conn| outbox::remove(conn, id).await).await?;
    if dropped == 0 {
        bail!("no mail {id} is waiting");
    }
    Ok(Done {
        text: "Dropped. Nobody gets this mail.".to_owned(),
        json: json!({"dropped": dropped}),
    })
}
