//! Which column of a source is which of ours.

use anyhow::{anyhow, bail};
use strum::VariantArray;

use super::presets::Preset;
use crate::auth::import::columns::Column;
use crate::auth::import::plain;

pub struct Mapping {
    /// Their name for each of our columns.
    names: Vec<(Column, String)>,
    /// Columns that must exist, because somebody named them.
    asked: Vec<Column>,
}

/// A source's columns: for each of them, which of ours it is.
#[derive(Debug)]
pub struct Columns {
    pub ours: Vec<Option<Column>>,
    pub unused: Vec<String>,
}

impl Mapping {
    /// `asked` overrides what the preset says.
    pub fn new(preset: Preset, asked: &[(Column, String)]) -> Self {
        let name = |column: Column| {
            let asked = asked.iter().find(|(ours, _)| *ours == column);
            let preset = preset.columns().iter().find(|(ours, _)| *ours == column);
            let name = asked.map(|(_, name)| &**name);
            let name = name.or_else(|| preset.map(|(_, name)| *name));
            (column, name.unwrap_or(column.name()).to_owned())
        };
        Self {
            names: Column::VARIANTS.iter().copied().map(name).collect(),
            asked: asked.iter().map(|(ours, _)| *ours).collect(),
        }
    }

    pub fn find(&self, theirs: &str) -> Option<Column> {
        let found = self.names.iter().find(|(_, name)| name == theirs);
        found.map(|(column, _)| *column)
    }

    fn theirs(&self, ours: Column) -> &str {
        let found = self.names.iter().find(|(column, _)| *column == ours);
        found.map_or("", |(_, name)| name)
    }

    /// Refuses columns that would leave everybody out, or mix them up.
    pub fn resolve(&self, available: &[String]) -> anyhow::Result<Columns> {
        let ours: Vec<_> = available.iter().map(|theirs| self.find(theirs)).collect();
        for (index, column) in ours.iter().enumerate() {
            if column.is_some() && ours[..index].contains(column) {
                bail!("the column {} is there twice", available[index]);
            }
        }
        let missing = |column: &Column| !ours.contains(&Some(*column));
        let asked = self.asked.iter().find(|column| missing(column));
        let no_address = missing(&Column::Email) && missing(&Column::PendingEmail);
        if let Some(column) = asked.or(no_address.then_some(&Column::Email)) {
            let there = match available {
                [] => "none".to_owned(),
                // They may be those of a user, where there is no header.
                _ => available
                    .iter()
                    .map(|name| plain(name))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            return Err(anyhow!(
                "there is no column {}. There are: {there}. Name it with --column {}=NAME",
                self.theirs(*column),
                column.name(),
            ));
        }
        let named = available.iter().zip(&ours);
        let unused = named.filter(|(_, column)| column.is_none());
        Ok(Columns {
            unused: unused.map(|(name, _)| name.clone()).collect(),
            ours,
        })
    }

    /// Refuses names that no line has, because a slip would leave out a column of everybody.
    pub fn check_asked(&self, seen: &[Column]) -> anyhow::Result<()> {
        match self.asked.iter().find(|column| !seen.contains(column)) {
            Some(column) => bail!("no line has {}", self.theirs(*column)),
            None => Ok(()),
        }
    }

    /// Whether the field says that nobody has this password: Django writes a hash that begins with `!`.
    pub fn is_unusable(hash: &str) -> bool {
        hash.starts_with('!')
    }
}

/// `ours=theirs`.
pub fn parse_column(text: &str) -> Result<(Column, String), String> {
    let names = || {
        let names: Vec<_> = Column::VARIANTS.iter().map(|it| it.name()).collect();
        names.join(", ")
    };
    let (ours, theirs) = text
        .split_once('=')
        .ok_or("write ours=theirs, such as password_hash=pw")?;
    let column = ours
        .parse()
        .map_err(|_| format!("{ours} is not a column of Latchkey. These are: {}", names()))?;
    Ok((column, theirs.to_owned()))
}
