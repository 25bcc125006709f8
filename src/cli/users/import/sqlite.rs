//! A table of an SQLite database, which is only read.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, bail};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::intake::{Fields, Intake};
use super::mapping::Columns;
use crate::auth::import::columns::{Column, Raw};

/// `source` is what to select from. Returns the columns that mean nothing here.
pub async fn read(path: &Path, source: &str, intake: &mut Intake) -> anyhow::Result<Vec<String>> {
    let what = path.display().to_string();
    if !path.is_file() {
        bail!("{what}: there is no such file");
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).with_context(|| what.clone())?;
    let mut statement = match database.prepare(&format!("select * from {source}")) {
        Ok(statement) => statement,
        Err(error) => {
            return Err(explain(&database, error.into()).context(what));
        }
    };
    let names = statement.column_names();
    let names: Vec<_> = names.into_iter().map(ToOwned::to_owned).collect();
    let columns = intake.mapping.resolve(&names);
    let columns = columns.with_context(|| format!("{what}, {source}"))?;
    let mut rows = statement.query([]).with_context(|| what.clone())?;
    for number in 1.. {
        let row = rows.next();
        let row = row.with_context(|| format!("{what}, row {number}"))?;
        let Some(row) = row else {
            break;
        };
        intake.take(number, raw(row, &columns)).await?;
    }
    Ok(columns.unused)
}

/// SQLite says that a table is missing, but not which there are.
fn explain(database: &Connection, error: anyhow::Error) -> anyhow::Error {
    let tables = database
        .prepare("select name from sqlite_schema where type in ('table', 'view') order by name")
        .and_then(|mut statement| {
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            names.collect::<Result<Vec<_>, _>>()
        });
    match tables {
        Ok(tables) if tables.is_empty() => error.context("the database has no tables"),
        Ok(tables) => error.context(format!(
            "the tables are {}: name one with --table, and its columns with --column",
            tables.join(", ")
        )),
        Err(_) => error,
    }
}

fn raw(row: &Row<'_>, columns: &Columns) -> Result<Raw, String> {
    let mut fields = Fields::default();
    for (index, column) in columns.ours.iter().enumerate() {
        let Some(column) = column else {
            continue;
        };
        let wrong = |what: &str| Err(format!("{} is {what}", column.name()));
        let text: Cow<'_, str> = match row.get_ref(index) {
            Ok(ValueRef::Null) => continue,
            Ok(ValueRef::Integer(number)) => number.to_string().into(),
            Ok(ValueRef::Real(number)) => number.to_string().into(),
            Ok(ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(_) => return wrong("not UTF-8"),
            },
            // bcrypt.hashpw() of Python gives bytes, and SQLite keeps them so.
            Ok(ValueRef::Blob(bytes)) if *column == Column::PasswordHash && bytes.is_ascii() => {
                String::from_utf8_lossy(bytes)
            }
            Ok(ValueRef::Blob(_)) => return wrong("a blob"),
            Err(error) => return Err(error.to_string()),
        };
        fields.add(*column, &text)?;
    }
    Ok(fields.raw)
}
