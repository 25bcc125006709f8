//! The house rules that a machine can check: arrows go down only, files stay readable.

use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(directory: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                into.push((path, text));
            }
        }
    }
    let mut all = Vec::new();
    collect(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        &mut all,
    );
    assert!(all.len() > 30, "the sources were found");
    all
}

/// Code without comments.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn layers_know_only_what_is_below_them() {
    let forbidden = [
        ("src/http/", vec!["diesel", "tokio_postgres"]),
        (
            "src/auth/",
            vec![
                "actix",
                "utoipa",
                "crate::http",
                "diesel",
                "tokio_postgres",
                "crate::config",
                "crate::app",
            ],
        ),
        (
            "src/store/",
            vec![
                "actix",
                "utoipa",
                "crate::http",
                "crate::auth",
                "crate::config",
                "crate::app",
            ],
        ),
    ];
    for (path, text) in sources() {
        let path = path.to_string_lossy().into_owned();
        for (layer, words) in &forbidden {
            for word in words.iter().filter(|_| path.contains(layer)) {
                assert!(!code(&text).contains(word), "{path} must not know {word}");
            }
        }
    }
}

#[test]
fn only_the_browser_and_its_store_know_the_session_crates() {
    let allowed = [
        "http/session/browser.rs",
        "http/session/store.rs",
        "http/session/cookies.rs",
        "http/mod.rs",
    ];
    for (path, text) in sources() {
        let path = path.to_string_lossy().into_owned();
        let knows =
            code(&text).contains("actix_session::") || code(&text).contains("actix_identity::");
        assert!(
            !knows || allowed.iter().any(|name| path.ends_with(name)),
            "{path}"
        );
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    for (path, text) in sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("schema.rs"))
    {
        assert!(
            text.starts_with("//! "),
            "{} opens with a sentence",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= 320, "{} has {lines} lines", path.display());
    }
}
