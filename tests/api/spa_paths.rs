//! Which file a path means, for every path that a stranger can think of; and which names have a hash in them.

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use latchkey::http::pages::spa::caching::is_hashed;
use latchkey::http::pages::spa::find::{Found, Wanted, find};
use latchkey::http::pages::spa::place::Place;
use proptest::prelude::*;

use crate::support::process::TempDir;

fn table() -> Vec<(&'static str, Place)> {
    let file = |name: &str| Place::File(PathBuf::from(name));
    let folder = |name: &str| Place::Folder(PathBuf::from(name));
    vec![
        ("/", folder("")),
        ("/index.html", file("index.html")),
        ("/assets/a-b_c.min.js", file("assets/a-b_c.min.js")),
        ("/docs/", folder("docs")),
        ("/caf%C3%A9.txt", file("café.txt")),
        ("/a%20b.txt", file("a b.txt")),
        ("/100%25.txt", file("100%.txt")),
        ("/%252e%252e%252fsecret", file("%2e%2e%2fsecret")),
        ("/a..b", file("a..b")),
        ("/...js", Place::Nowhere),
        (
            "/.well-known/security.txt",
            file(".well-known/security.txt"),
        ),
        ("/.well-known/", folder(".well-known")),
        ("/%2Ewell-known/x", file(".well-known/x")),
        ("/.well-known/.env", Place::Nowhere),
        ("/a/.well-known/x", Place::Nowhere),
        ("/.well-known2/x", Place::Nowhere),
        ("/.env", Place::Nowhere),
        ("/.git/config", Place::Nowhere),
        ("/a/.htaccess", Place::Nowhere),
        ("/..", Place::Nowhere),
        ("/../secret", Place::Nowhere),
        ("/a/../../secret", Place::Nowhere),
        ("/a/./b", Place::Nowhere),
        ("/%2e%2e/secret", Place::Nowhere),
        ("/%2e%2e%2fsecret", Place::Nowhere),
        ("/.%2e/secret", Place::Nowhere),
        ("/a%00.js", Place::Nowhere),
        ("/a%0a.js", Place::Nowhere),
        ("/%ff", Place::Nowhere),
        ("", Place::Nowhere),
        ("a", Place::Nowhere),
        ("//etc/passwd", Place::Page),
        ("/a//b", Place::Page),
        ("/%2fetc%2fpasswd", Place::Page),
        ("/a%5c..%5csecret", Place::Page),
        ("/a\\b", Place::Page),
        ("/files/a%2Fb", Place::Page),
    ]
}

#[test]
fn a_path_is_a_file_a_folder_a_page_or_nowhere() {
    for (path, place) in table() {
        assert_eq!(Place::of(path), place, "{path}");
    }
}

/// Paths made of what has let others out of their directories.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "/",
        "//",
        ".",
        "..",
        "...",
        "%2e",
        "%2E",
        "%2f",
        "%2F",
        "%5c",
        "\\",
        "%00",
        "%c0%af",
        "%252e",
        "%252f",
        "%",
        "%2",
        "~",
        ":",
        "C:",
        "etc/passwd",
        "inside",
        "out",
        "sub",
        "secret",
        "index.html",
        ".env",
        ".well-known",
        "?",
        "#",
        ";",
        "*",
        "é",
        " ",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_file_has_only_plain_names(path in prop_oneof![hostile(), "\\PC{0,40}", "/[./%25eE]{0,40}"]) {
        if let Place::File(name) | Place::Folder(name) = Place::of(&path) {
            for (depth, part) in name.components().enumerate() {
                let Component::Normal(part) = part else {
                    return Err(TestCaseError::fail(format!("{path} is {name:?}")));
                };
                let part = part.to_str().unwrap();
                prop_assert!(!part.starts_with('.') || (depth == 0 && part == ".well-known"), "{path}");
                prop_assert!(!part.contains(['/', '\\', '\0']), "{path}");
            }
            prop_assert!(Path::new("/spa").join(&name).starts_with("/spa"));
        }
    }
}

/// A directory with links that lead out of it and back, beside a secret.
struct Tempting {
    _place: TempDir,
    root: PathBuf,
}

impl Tempting {
    fn new() -> Self {
        let place = TempDir::new();
        let root = place.0.join("dist");
        let outside = place.0.join("outside");
        for folder in [&outside, &root.join("sub"), &root.join(".git")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for (name, text) in [
            ("outside/secret", "secret"),
            ("outside/index.html", "secret"),
            ("dist-other", "secret"),
            ("dist/index.html", "index"),
            ("dist/.env", "secret"),
            ("dist/.git/config", "secret"),
            ("dist/sub/inside", "inside"),
        ] {
            std::fs::write(place.0.join(name), text).unwrap();
        }
        symlink(&outside, root.join("out")).unwrap();
        symlink("../outside/secret", root.join("secret")).unwrap();
        symlink("../dist-other", root.join("other")).unwrap();
        symlink("sub/inside", root.join("inside")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        Self {
            _place: place,
            root,
        }
    }

    /// What a browser that opens this path is sent.
    fn sent(&self, path: &str) -> Option<String> {
        let wanted = Wanted {
            place: Place::of(path),
            is_navigation: true,
            codings: Vec::new(),
        };
        match find(&self.root, &[], &wanted).unwrap() {
            Found::File(kept) => Some(std::io::read_to_string(kept.file.file()).unwrap()),
            Found::Folder | Found::Nothing => None,
        }
    }
}

#[test]
fn links_lead_within_the_directory_and_never_out() {
    let tempting = Tempting::new();
    for (path, sent) in [
        ("/inside", Some("inside")),
        ("/sub/inside", Some("inside")),
        ("/secret", Some("index")),
        ("/out/secret", Some("index")),
        ("/out/", Some("index")),
        ("/other", Some("index")),
        ("/loop", Some("index")),
        ("/etc/passwd", Some("index")),
        ("/.env", None),
        ("/.git/config", None),
    ] {
        assert_eq!(tempting.sent(path).as_deref(), sent, "{path}");
    }
}

#[test]
fn no_path_reads_a_file_outside_of_the_directory() {
    let tempting = Tempting::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(5_000));
    let ran = runner.run(&hostile(), |path| {
        let sent = tempting.sent(&path);
        let harmless = matches!(sent.as_deref(), None | Some("index" | "inside"));
        prop_assert!(harmless, "{path}: {sent:?}");
        Ok(())
    });
    ran.unwrap();
}

const HASHED: &[&str] = &[
    "assets/index-BcA1x2_z.js",
    "assets/index-DQW0g7cA.css",
    "assets/index-C_7hUb-p.js",
    "assets/index-BcA1x2_z.js.map",
    "assets/logo-B3q9ZtR4.svg",
    "deep/assets/x/index-BcA1x2_z.js",
    "_astro/index.BcA1x2_z.css",
    "static/js/main.4f3a2b1c.js",
    "static/js/main.4f3a2b1c.chunk.js",
    "static/js/main.4f3a2b1c.js.LICENSE.txt",
    "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
    "main.4f3a2b1c5d6e7f80.js",
    "main-3GOYUBHV.js",
    "chunk-ABCDEFGH.js",
    "styles-5INURTSO.css",
    "_next/static/chunks/main-0d5e2b9a8f1c3d4e.js",
    "_next/static/Xk3_buildid/_buildManifest.js",
    "_app/immutable/chunks/BcA1x2_z.js",
];

const NOT_HASHED: &[&str] = &[
    "",
    "index.html",
    "assets/index-BcA1x2_z.html",
    "_next/static/index.html",
    "my-component.js",
    "assets/my-component.js",
    "assets/some-document.js",
    "assets/hero-Portrait.png",
    "assets/logo-WhiteBig.svg",
    "assets/slide-Picture1.png",
    "assets/photo-DSC01234.jpg",
    "assets/photo-iPhone12.jpg",
    "assets/iPhone12.png",
    "assets/MacBook1.js",
    "assets/hero-image001.png",
    "assets/photo-20240131.jpg",
    "assets/photo-20240131a.jpg",
    "assets/deadbeef.js",
    "assets/jquery-3.7.1.min.js",
    "assets/app.js",
    "assets/sw.js",
    "service-worker.js",
    "manifest.webmanifest",
    "index-BcA1x2_z.js",
    "data-ABCDEFGH.json",
    "README-DOCUMENT.pdf",
    "report-DSC23456.pdf",
    "_next/data.json",
    "static/version.json",
];

#[test]
fn a_hash_in_a_name_is_told_from_words_numbers_and_dates() {
    for name in HASHED {
        assert!(is_hashed(Path::new(name)), "{name}");
    }
    for name in NOT_HASHED {
        assert!(!is_hashed(Path::new(name)), "{name}");
    }
}

/// Somebody who may write there swaps a file for a link out of the directory, between two looks at it.
#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    let tempting = Tempting::new();
    let at = |name: &str| tempting.root.join(name);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                symlink("../outside/secret", at("link")).unwrap();
                std::fs::rename(at("link"), at("swapped.txt")).unwrap();
                std::fs::write(at("file"), "inside").unwrap();
                std::fs::rename(at("file"), at("swapped.txt")).unwrap();
            }
        });
        let sent: Vec<_> = (0..50_000).map(|_| tempting.sent("/swapped.txt")).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!sent.contains(&Some("secret".to_owned())));
        assert!(sent.contains(&Some("inside".to_owned())), "finds the file");
    });
}
