//! The properties of the fuzz targets on stable Rust, with the seeds, mutated seeds and arbitrary bytes.

use proptest::prelude::*;

#[path = "../../fuzz/properties.rs"]
mod properties;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn the_properties_hold_for_every_seed() {
    for (target, property) in properties::ALL {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target}");
        seeds.iter().for_each(|seed| property(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_properties_hold_for_arbitrary_bytes(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        for (_, property) in properties::ALL {
            property(&bytes);
            property(text.as_bytes());
        }
    }

    #[test]
    fn the_properties_hold_for_mutated_seeds(at in any::<prop::sample::Index>(), with in any::<Vec<u8>>()) {
        for (target, property) in properties::ALL {
            for mut seed in seeds(target) {
                let at = at.index(seed.len());
                let end = seed.len().min(at + with.len() / 2);
                seed.splice(at..end, with.iter().copied());
                property(&seed);
            }
        }
    }
}
