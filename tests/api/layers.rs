//! Architecture rules that a machine can check: layers depend only on lower ones, without cycles, and files stay short.

use std::path::Path;
use std::sync::LazyLock;

use syn::visit::{self, Visit};

use crate::support::arrows::{Mention, cycles, mentions};

/// From top to bottom. Layers on the same floor do not know each other.
const FLOORS: [&[&str]; 8] = [
    &["main.rs", "lib.rs"],
    &["cli"],
    &["app"],
    &["config", "http"],
    &["auth"],
    &["mail"],
    &["store"],
    &["domain"],
];

/// Modules of one layer that must not know each other.
const ROOMS: [(&str, &[&str]); 6] = [
    ("http/wire", &["http/api", "http/session", "http/edge"]),
    ("http/session", &["http/api", "http/mod.rs"]),
    ("http/edge", &["http/api", "http/mod.rs"]),
    ("http/api", &["http/mod.rs", "http/openapi.rs"]),
    ("auth/hashing", &["auth/account.rs", "auth/login.rs"]),
    ("store/db", &["store/users.rs", "store/sessions.rs"]),
];

/// What handlers of several features share.
const SHARED: [&str; 2] = ["http/api/views.rs", "http/api/logged_in.rs"];

/// What `http` may use of the store: rows, to build responses from. Only `auth` queries the store.
const ROWS: [&str; 4] = ["Event", "ListedSession", "Session", "User"];

const SESSION_CRATES: [&str; 2] = ["actix_session", "actix_identity"];

/// Every file below `src` with its text.
static SOURCES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let src = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut all = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
                all.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    assert!(all.len() > 30, "finds the sources");
    all
});

static MENTIONS: LazyLock<Vec<Mention>> = LazyLock::new(|| mentions("latchkey", &SOURCES));

#[track_caller]
fn assert_none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(
        found.is_empty(),
        "{what}: {}\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Whether the file is in this module, or is this file.
fn is_in(file: &str, place: &str) -> bool {
    file.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn floor(file: &str) -> usize {
    let of_file = |floor: &&[&str]| floor.iter().any(|layer| is_in(file, layer));
    FLOORS
        .iter()
        .position(of_file)
        .unwrap_or_else(|| panic!("{file} is on no floor"))
}

/// Dependencies between files of this crate that a test considers wrong.
fn arrows(wrong: impl Fn(&str, &str) -> bool) -> impl Iterator<Item = String> {
    MENTIONS
        .iter()
        .filter(move |it| it.to.as_ref().is_some_and(|(to, _)| wrong(&it.from, to)))
        .map(ToString::to_string)
}

/// The same for names from other crates.
fn foreign(wrong: impl Fn(&str, &[String]) -> bool) -> impl Iterator<Item = String> {
    MENTIONS
        .iter()
        .filter(move |it| it.to.is_none() && !it.in_test && wrong(&it.from, &it.path))
        .map(ToString::to_string)
}

#[test]
fn layers_depend_only_on_lower_layers() {
    let up = |from: &str, to: &str| {
        let layer = |file: &str| file.split('/').next().unwrap().to_owned();
        layer(from) != layer(to) && floor(from) >= floor(to)
    };
    assert_none("up or sideways", arrows(up));
}

#[test]
fn modules_within_a_layer_depend_only_on_what_they_may() {
    let wrong = |from: &str, to: &str| {
        let must_not = |(room, others): &(&str, &[&str])| {
            is_in(from, room) && others.iter().any(|other| is_in(to, other))
        };
        ROOMS.iter().any(must_not)
    };
    // A folder holds what its own handlers share.
    let room = |file: &str| {
        file.rsplit_once('/')
            .map_or("", |(room, _)| room)
            .to_owned()
    };
    let handlers = |from: &str, to: &str| {
        let share = room(from) == room(to) && room(from) != "http/api";
        !share
            && is_in(from, "http/api")
            && is_in(to, "http/api")
            && from != "http/api/mod.rs"
            && !SHARED.contains(&to)
    };
    let found = arrows(|from, to| wrong(from, to) || handlers(from, to));
    assert_none("wrong dependencies within a layer", found);
}

#[test]
fn no_files_depend_on_each_other_in_a_cycle() {
    assert_none("cycles", cycles(&MENTIONS));
}

#[test]
fn http_and_auth_never_query_the_database() {
    let drivers = ["diesel", "diesel_async", "tokio_postgres"];
    let query = |from: &str, path: &[String]| {
        (is_in(from, "http") || is_in(from, "auth")) && drivers.contains(&path[0].as_str())
    };
    assert_none("queries outside of the store", foreign(query));
    let of_the_store = MENTIONS.iter().filter(|it| {
        is_in(&it.from, "http")
            && it.to.as_ref().is_some_and(|(to, length)| {
                let names = &it.path[*length..];
                let row = names.first().is_none_or(|row| ROWS.contains(&row.as_str()));
                let function = |name: &String| name.starts_with(|first: char| first.is_lowercase());
                is_in(to, "store") && (is_in(to, "store/db") || !row || names.iter().any(function))
            })
    });
    assert_none(
        "http uses more of the store than its rows",
        of_the_store.map(ToString::to_string),
    );
}

#[test]
fn web_and_session_crates_stay_in_http() {
    let web = |from: &str, path: &[String]| {
        ["auth", "mail", "store", "domain"]
            .iter()
            .any(|layer| is_in(from, layer))
            && (path[0].starts_with("actix") || path[0].starts_with("utoipa"))
    };
    assert_none("web crates below http", foreign(web));
    let sessions = |from: &str, path: &[String]| {
        SESSION_CRATES.contains(&path[0].as_str())
            && !is_in(from, "http/session")
            && from != "http/mod.rs"
    };
    assert_none("session crates outside http/session", foreign(sessions));
}

#[test]
fn domain_does_no_io() {
    let crates = [
        "tokio",
        "diesel",
        "diesel_async",
        "tokio_postgres",
        "tracing",
        "serde_json",
    ];
    let of_std = ["fs", "io", "process", "thread", "env", "os"];
    let outside = |from: &str, path: &[String]| {
        let names: Vec<_> = path.iter().map(String::as_str).collect();
        let does = match names[..] {
            ["std", part, ..] if of_std.contains(&part) => true,
            ["std", "net", name, ..] => !name.starts_with("Ip"),
            ["std", "time", name, ..] => name != "Duration",
            [first, ..] => crates.contains(&first),
            [] => false,
        };
        is_in(from, "domain") && does
    };
    assert_none("I/O in domain", foreign(outside));

    let values = SOURCES.iter().filter(|(name, _)| is_in(name, "domain"));
    let waits = values.flat_map(|(name, text)| {
        let mut found = AsyncFunctions::default();
        found.visit_file(&syn::parse_file(text).unwrap());
        found.0.into_iter().map(move |it| format!("{name}: {it}"))
    });
    assert_none("async in domain", waits);
}

#[derive(Default)]
struct AsyncFunctions(Vec<String>);

impl<'a> Visit<'a> for AsyncFunctions {
    fn visit_signature(&mut self, it: &'a syn::Signature) {
        if it.asyncness.is_some() {
            self.0.push(format!("async fn {}", it.ident));
        }
        visit::visit_signature(self, it);
    }
}

/// `clippy.toml` limits the length of functions.
#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let written = SOURCES.iter().filter(|(name, _)| name != "store/schema.rs");
    let wrong = written.filter_map(|(name, text)| match text.lines().count() {
        _ if !text.starts_with("//! ") => Some(format!("{name} opens without a sentence")),
        lines @ 251.. => Some(format!("{name} has {lines} lines")),
        _ => None,
    });
    assert_none("too long or without a purpose", wrong);
}

/// The cycles among these files, each as the path around it.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let files: Vec<_> = files.iter().map(own).collect();
    let cycles = cycles(&mentions("house", &files));
    let way = |cycle: &String| cycle.lines().next().unwrap().to_owned();
    cycles.iter().map(way).collect()
}

#[test]
fn a_cycle_is_found_however_it_is_written() {
    for back in [
        "use crate::a::A;",
        "use crate::{a::{self, A}};",
        "use super::a as other;",
        "pub use house::a::*;",
        "fn f() { crate::a::f() }",
        "fn f(it: super::a::A) {}",
        "fn f() { println!(\"{}\", crate::a::f(1)) }",
        "#[derive(X)] #[x(y = crate::a::A)] struct B;",
        "use crate as all; fn f() { all::a::f() }",
        "mod within { use super::super::a; }",
    ] {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", back),
        ];
        assert_eq!(cycles_of(&files), ["a.rs -> b.rs -> a.rs"], "{back}");
    }
    let door = [
        ("a/mod.rs", "mod b; pub use b::B; fn f() {}"),
        ("a/b.rs", "use super::f;"),
    ];
    assert_eq!(cycles_of(&door), ["a/b.rs -> a/mod.rs -> a/b.rs"]);
    let three = [
        ("a.rs", "use crate::b;"),
        ("b.rs", "fn f() { crate::c::g() }"),
        ("c.rs", "use super::{a, std::a};"),
    ];
    assert_eq!(cycles_of(&three), ["a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_chain_is_not_a_cycle() {
    let chain = [
        ("lib.rs", "pub mod a; pub mod b; pub mod c;"),
        ("a.rs", "use crate::b::B; use crate::c::C;"),
        (
            "b.rs",
            "use crate::c::C; use self::inner::X; mod inner { use super::*; }",
        ),
        (
            "c.rs",
            "//! Used by [`crate::a`].\nuse std::a; fn f() { a::f() } // crate::a",
        ),
    ];
    assert_eq!(cycles_of(&chain), [""; 0]);
}
