//! A table of another PostgreSQL database, which is only read, as it is at one moment.

use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use tokio_postgres::{Client, Row};

use super::intake::{Fields, Intake};
use super::mapping::Columns;
use super::presets::quoted;
use crate::auth::import::columns::Raw;
use crate::store::db::connection::Connector;

const BEGIN: &str = "
    begin isolation level repeatable read, read only;
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local timezone = 'UTC';
    set local datestyle = 'ISO, YMD'";

/// `source` is what to select from. Returns the columns that mean nothing here.
pub async fn read(url: &str, source: &str, intake: &mut Intake) -> anyhow::Result<Vec<String>> {
    let connector = Connector::from_url(url).context("--from-postgres")?;
    let opened = connector.connect_plainly().await;
    let (client, _driver) = opened.context("--from-postgres")?;
    client.batch_execute(BEGIN).await.map_err(|e| failed(&e))?;
    let names = names(&client, source).await?;
    let columns = intake.mapping.resolve(&names);
    let columns = columns.with_context(|| source.to_owned())?;
    // Texts, so that every type of a column comes as people write it.
    let wanted = names.iter().zip(&columns.ours).map(|(name, column)| {
        let name = quoted(name);
        match column {
            Some(_) => format!("{name}::text"),
            None => "null".to_owned(),
        }
    });
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    let query = format!("select {wanted} from {source}");
    let rows = client.query_typed_raw::<&str, _>(&query, []).await;
    let mut rows = std::pin::pin!(rows.map_err(|e| failed(&e))?);
    let mut number = 0;
    while let Some(row) = rows.next().await {
        number += 1;
        let row = row.map_err(|e| failed(&e));
        let row = row.with_context(|| format!("row {number}"))?;
        intake.take(number, raw(&row, &columns)).await?;
    }
    Ok(columns.unused)
}

async fn names(client: &Client, source: &str) -> anyhow::Result<Vec<String>> {
    let query = format!("select * from {source} limit 0");
    let statement = client.prepare(&query).await.map_err(|e| failed(&e))?;
    let columns = statement.columns().iter();
    Ok(columns.map(|column| column.name().to_owned()).collect())
}

fn raw(row: &Row, columns: &Columns) -> Result<Raw, String> {
    let mut fields = Fields::default();
    for (index, column) in columns.ours.iter().enumerate() {
        let Some(column) = column else {
            continue;
        };
        let text = row.try_get::<_, Option<&str>>(index);
        let text = text.map_err(|error| format!("{}: {error}", column.name()))?;
        fields.add(*column, text.unwrap_or_default())?;
    }
    Ok(fields.raw)
}

/// tokio-postgres hides what the server said.
fn failed(error: &tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(told) => anyhow!("the source: {}", told.message()),
        None => anyhow!("the source: {error}"),
    }
}
