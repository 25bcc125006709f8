//! `latchkey users import`: users of another system, from a file or a database.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::auth::import::columns::Column;
use crate::auth::import::{Options, Reading, Report};
use crate::auth::services::Services;
use crate::cli::done::Done;
use intake::Intake;
use mapping::Mapping;
use presets::Preset;
use progress::Progress;

mod csv;
mod intake;
mod jsonl;
mod mapping;
mod postgres;
mod presets;
mod progress;
mod shown;
mod sqlite;

#[derive(Args)]
pub struct ImportArgs {
    /// CSV with a header, or JSON lines; - is standard input. Columns: username, email, password_hash, and where known
    /// id, created_at, email_verified, disabled, roles, last_login_at
    #[arg(required_unless_present_any = ["from_sqlite", "from_postgres"])]
    file: Option<PathBuf>,
    /// Format of the file, if its extension does not tell
    #[arg(long, requires = "file")]
    format: Option<Format>,
    /// Read a table of this SQLite database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "from_postgres"])]
    from_sqlite: Option<PathBuf>,
    /// Read a table of this PostgreSQL database
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    from_postgres: Option<String>,
    /// Whose tables and columns these are [default: flask for SQLite, django for PostgreSQL]
    #[arg(long)]
    preset: Option<Preset>,
    /// The table to read, such as users or auth.users
    #[arg(long, conflicts_with = "file")]
    table: Option<String>,
    /// What the source calls a column, such as password_hash=pw
    #[arg(long, value_name = "OURS=THEIRS", value_parser = mapping::parse_column)]
    column: Vec<(Column, String)>,
    /// Make usernames for those who have none or one that Latchkey refuses
    #[arg(long)]
    rename: bool,
    /// Write nothing if anybody cannot come
    #[arg(long)]
    strict: bool,
    /// Import. Without it, this is a dry run
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

pub async fn run(services: &Services, args: &ImportArgs, json: bool) -> anyhow::Result<Done> {
    let options = Options {
        write: args.yes,
        strict: args.strict,
        rename: args.rename,
        unit: if args.file.is_some() { "line" } else { "row" },
    };
    let report = import(services, args, &options).await?;
    let done = Done {
        text: shown::text(&report, args.strict),
        json: serde_json::to_value(&report)?,
    };
    if args.yes && !report.written {
        done.print(json)?;
        let cannot = report.cannot_come;
        bail!("nothing is written: {cannot} cannot come, and --strict wants all of them");
    }
    Ok(done)
}

async fn import(
    services: &Services,
    args: &ImportArgs,
    options: &Options,
) -> anyhow::Result<Report> {
    let default = match args.from_postgres {
        Some(_) => Preset::Django,
        None => Preset::Flask,
    };
    let preset = args.preset.unwrap_or(default);
    let table = args.table.as_deref().unwrap_or(preset.table());
    let source = presets::source(preset, table);
    let reading = async |bytes| {
        anyhow::Ok(Intake {
            reading: Reading::begin(&services.db).await?,
            mapping: Mapping::new(preset, &args.column),
            progress: Progress::begin(bytes),
        })
    };
    let (intake, unused) = match (&args.file, &args.from_sqlite, &args.from_postgres) {
        (Some(file), ..) => {
            let (input, size) = open(file)?;
            let format = format(args.format, file)?;
            let mut intake = reading(size).await?;
            let unused = read(input, format, &mut intake).await;
            (intake, unused.with_context(|| file.display().to_string())?)
        }
        (None, Some(path), _) => {
            let mut intake = reading(None).await?;
            let unused = sqlite::read(path, &source, &mut intake).await?;
            (intake, unused)
        }
        (None, None, Some(url)) => {
            let mut intake = reading(None).await?;
            let unused = postgres::read(url, &source, &mut intake).await?;
            (intake, unused)
        }
        (None, None, None) => bail!("there is nothing to import from"),
    };
    intake.progress.sorting();
    let report = intake.reading.finish(options).await;
    intake.progress.clear();
    let mut report = report?;
    report.unused_columns = unused;
    Ok(report)
}

/// The file, and its size where that is known.
fn open(file: &Path) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(stdin().lock()), None));
    }
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    let about = opened.metadata()?;
    if about.is_dir() {
        bail!("{}: this is a directory", file.display());
    }
    let size = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::new(opened)), size))
}

fn format(asked: Option<Format>, file: &Path) -> anyhow::Result<Format> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match (asked, extension.map(str::to_ascii_lowercase).as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("csv")) => Ok(Format::Csv),
        (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
        (None, _) => bail!(
            "{}: the name does not tell the format. Add --format csv or --format jsonl",
            file.display()
        ),
    }
}

async fn read(
    input: Box<dyn BufRead>,
    format: Format,
    intake: &mut Intake,
) -> anyhow::Result<Vec<String>> {
    let input = BufReader::with_capacity(64 * 1024, intake.progress.watch(input));
    match format {
        Format::Csv => csv::read(input, intake).await,
        Format::Jsonl => jsonl::read(input, intake).await,
    }
}
