//! Hashes that other systems made, verified as they are until their users log in.
//!
//! A hash says how it was made, so a hostile one could keep a thread busy for hours. Nothing is run that costs more than
//! `bounds.rs` allows.

use ::argon2::Params;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use self::argon2::Argon2;
use self::bcrypt::Bcrypt;
use self::bounds::{MAX_KIB, MAX_MICROS, OWN_MICROS, argon2_micros};
use self::pbkdf2::Pbkdf2;
use self::scrypt::Scrypt;
use crate::domain::password::PlainPassword;

mod argon2;
mod bcrypt;
mod bounds;
mod encodings;
mod pbkdf2;
mod scrypt;

/// Why a hash cannot come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No format that we know, or malformed.
    Unknown,
    /// Checking a password against it would take too much memory or time.
    TooCostly,
}

/// What it takes to check a password against a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The memory, unless it is argon2id that takes no more than a hash of our own.
    pub foreign_kib: Option<u32>,
    /// Whether that takes longer than with a hash of our own, so that a failing login tells that the account has not
    /// moved yet.
    pub slower: bool,
}

/// A hash that another system made, within the bounds.
pub struct Foreign {
    recipe: Recipe,
    key: Vec<u8>,
}

enum Recipe {
    Argon2(Argon2),
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
}

/// Fewer bytes of a hash would match passwords by chance; none would match all.
const MIN_KEY: usize = 16;
const MAX_KEY: usize = 128;
/// Bytes of a whole hash. The longest that we know have about 200.
const MAX_LENGTH: usize = 1024;

/// Judges a hash without running it.
pub fn judge(stored: &str) -> Result<Cost, Refused> {
    if let Some((params, ..)) = super::phc::decode(stored) {
        let (kib, micros) = (params.m_cost(), argon2_micros(&params));
        if micros > MAX_MICROS {
            return Err(Refused::TooCostly);
        }
        return Ok(Cost {
            foreign_kib: (kib > Params::DEFAULT_M_COST).then_some(kib),
            slower: micros > argon2_micros(&Params::DEFAULT),
        });
    }
    let foreign = Foreign::parse(stored)?;
    Ok(Cost {
        foreign_kib: Some(foreign.recipe.kib()),
        slower: foreign.recipe.micros() > OWN_MICROS,
    })
}

impl Foreign {
    pub fn parse(stored: &str) -> Result<Self, Refused> {
        let short = Some(stored).filter(|stored| stored.len() <= MAX_LENGTH);
        let (recipe, key) = short.and_then(Recipe::parse).ok_or(Refused::Unknown)?;
        if !(MIN_KEY..=MAX_KEY).contains(&key.len()) {
            return Err(Refused::Unknown);
        }
        if recipe.kib() > MAX_KIB || recipe.micros() > MAX_MICROS {
            return Err(Refused::TooCostly);
        }
        Ok(Self { recipe, key })
    }

    /// About how long a comparison takes, on one core.
    pub fn micros(&self) -> u64 {
        self.recipe.micros()
    }

    /// Compares with a password as it was typed, as those systems did, and then as we would store it.
    pub fn matches(&self, password: &PlainPassword) -> bool {
        let nfkc;
        let typed = match &self.recipe {
            Recipe::Scrypt(scrypt) if scrypt.takes_nfkc() => {
                nfkc = password.as_str().nfkc().collect::<String>();
                nfkc.as_bytes()
            }
            _ => password.as_typed().as_bytes(),
        };
        self.is_made_of(typed)
            || password.as_typed() != password.as_str() && self.is_made_of(password.as_bytes())
    }

    fn is_made_of(&self, password: &[u8]) -> bool {
        let made = match &self.recipe {
            Recipe::Argon2(recipe) => recipe.run(password, self.key.len()),
            Recipe::Bcrypt(recipe) => Some(recipe.run(password)),
            Recipe::Pbkdf2(recipe) => Some(recipe.run(password, self.key.len())),
            Recipe::Scrypt(recipe) => recipe.run(password, self.key.len()),
        };
        made.is_some_and(|made| made.ct_eq(&self.key).into())
    }
}

impl Recipe {
    /// How the hash was made, and what came of it.
    fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        if let Some((recipe, key)) = Argon2::parse(stored) {
            return Some((Self::Argon2(recipe), key));
        }
        if let Some((recipe, key)) = Bcrypt::parse(stored) {
            return Some((Self::Bcrypt(recipe), key));
        }
        if let Some((recipe, key)) = Pbkdf2::parse(stored) {
            return Some((Self::Pbkdf2(recipe), key));
        }
        let (recipe, key) = Scrypt::parse(stored)?;
        Some((Self::Scrypt(recipe), key))
    }

    fn kib(&self) -> u32 {
        match self {
            Self::Argon2(recipe) => recipe.kib(),
            Self::Scrypt(recipe) => recipe.kib(),
            Self::Bcrypt(_) => 4,
            Self::Pbkdf2(_) => 0,
        }
    }

    /// About how long it takes.
    fn micros(&self) -> u64 {
        match self {
            Self::Argon2(recipe) => recipe.micros(),
            Self::Bcrypt(recipe) => recipe.micros(),
            Self::Pbkdf2(recipe) => recipe.micros(),
            Self::Scrypt(recipe) => recipe.micros(),
        }
    }
}

#[cfg(test)]
mod tests;
