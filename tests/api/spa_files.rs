//! Files of a single-page app: their types, how long they are kept, parts of them, packed ones, and no way out.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::time::Duration;

use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::pages::header;
use crate::spa::{Build, INDEX, SCRIPT, got};
use crate::support::{App, Visitor};

const HASHED: &str = "/assets/index-BcA1x2_z.js";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

async fn asked(visitor: &Visitor, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = visitor.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn files_have_their_types() {
    let build = Build::new();
    let kinds = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.avif", "image/avif"),
        ("a.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a", "application/octet-stream"),
    ];
    for (name, _) in kinds {
        build.write(name, name);
    }
    let app = build.serve(&[]).await;
    for (name, kind) in kinds {
        let file = got(&app.visitor(), &format!("/{name}")).await;
        assert_eq!(header(&file, "content-type"), kind);
        assert!(!file.headers().contains_key("content-disposition"));
        assert_eq!(file.text().await.unwrap(), name);
    }
}

#[tokio::test]
async fn a_file_with_a_hash_is_kept_for_good_and_any_other_is_asked_for() {
    let build = Build::new();
    build.write("assets/my-component.js", "x");
    build.write("robots.txt", "x");
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for (path, caching) in [
        (HASHED, IMMUTABLE),
        ("/assets/my-component.js", "no-cache"),
        ("/robots.txt", "no-cache"),
        ("/index.html", "no-cache"),
        ("/", "no-cache"),
    ] {
        let file = got(&visitor, path).await;
        assert_eq!(header(&file, "cache-control"), caching, "{path}");
    }
    // Perhaps still being written, and part of it must not be kept.
    build.touch(&HASHED[1..], Duration::ZERO);
    let file = got(&visitor, HASHED).await;
    assert_eq!(header(&file, "cache-control"), "no-cache");
    build.touch(&HASHED[1..], Duration::from_secs(11));
    let file = got(&visitor, HASHED).await;
    assert_eq!(header(&file, "cache-control"), IMMUTABLE);
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let build = Build::new();
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for path in ["/", HASHED] {
        let first = got(&visitor, path).await;
        let tag = header(&first, "etag").to_owned();
        let date = header(&first, "last-modified").to_owned();
        assert!(tag.starts_with('"') && !date.is_empty(), "{tag} {date}");
        for known in [("if-none-match", &*tag), ("if-modified-since", &date)] {
            let again = asked(&visitor, path, &[known]).await;
            assert_eq!(again.status(), 304, "{known:?}");
            assert_eq!(header(&again, "etag"), tag);
            assert_eq!(
                header(&again, "cache-control"),
                header(&first, "cache-control")
            );
            assert_eq!(again.bytes().await.unwrap().len(), 0);
        }
        let other = [
            ("if-none-match", "\"other\""),
            ("if-modified-since", &*date),
        ];
        assert_eq!(asked(&visitor, path, &other).await.status(), 200);
    }
    let tag = header(&got(&visitor, "/").await, "etag").to_owned();
    build.write("index.html", INDEX.replace("Notes", "Views"));
    let again = asked(&visitor, "/", &[("if-none-match", &tag)]).await;
    assert_eq!(again.status(), 200, "the same length, another content");
}

#[tokio::test]
async fn parts_of_a_file_are_sent() {
    let build = Build::new();
    let film: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    build.write("film.mp4", &film);
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    let whole = got(&visitor, "/film.mp4").await;
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let tag = header(&whole, "etag").to_owned();
    assert_eq!(whole.bytes().await.unwrap(), film);
    for (range, shown, part) in [
        ("bytes=0-0", "bytes 0-0/400000", 0..1),
        ("bytes=100-", "bytes 100-399999/400000", 100..400_000),
        ("bytes=-5", "bytes 399995-399999/400000", 399_995..400_000),
        (
            "bytes=399990-500000",
            "bytes 399990-399999/400000",
            399_990..400_000,
        ),
    ] {
        let answer = asked(&visitor, "/film.mp4", &[("range", range)]).await;
        assert_eq!(answer.status(), 206, "{range}");
        assert_eq!(header(&answer, "content-range"), shown);
        assert_eq!(header(&answer, "content-type"), "video/mp4");
        assert_eq!(answer.bytes().await.unwrap(), film[part], "{range}");
    }
    let beyond = asked(&visitor, "/film.mp4", &[("range", "bytes=400000-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), "bytes */400000");
    let beyond = asked(&visitor, HASHED, &[("range", "bytes=99-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "cache-control"), "no-cache");
    for (tag, status) in [(&*tag, 206), ("\"older\"", 200)] {
        let headers = [("range", "bytes=0-0"), ("if-range", tag)];
        let answer = asked(&visitor, "/film.mp4", &headers).await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_packed_neighbour_is_sent_to_those_who_take_it() {
    let build = Build::new();
    build.write("assets/index-BcA1x2_z.js.br", "as brotli");
    build.write("assets/index-BcA1x2_z.js.gz", "as gzip");
    build.write("index.html.gz", "index as gzip");
    build.write("alone.js.br", "without a plain file");
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for (accepted, coding, text) in [
        ("gzip, deflate, br, zstd", "br", "as brotli"),
        ("gzip", "gzip", "as gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip", "as gzip"),
        ("br;q=0, *", "gzip", "as gzip"),
        ("*", "br", "as brotli"),
        ("BR", "br", "as brotli"),
        ("zstd, deflate", "", SCRIPT),
        ("gzip;q=0, br;q=0.000", "", SCRIPT),
        ("*;q=0", "", SCRIPT),
        ("identity, gzip;q=0.5", "", SCRIPT),
        ("identity;q=0, gzip;q=0.1", "gzip", "as gzip"),
        ("", "", SCRIPT),
        (";;q=,", "", SCRIPT),
    ] {
        let file = asked(&visitor, HASHED, &[("accept-encoding", accepted)]).await;
        assert_eq!(header(&file, "content-encoding"), coding, "{accepted}");
        assert_eq!(
            header(&file, "content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(header(&file, "vary"), "Accept-Encoding", "{accepted}");
        assert_eq!(header(&file, "cache-control"), IMMUTABLE);
        assert_eq!(file.text().await.unwrap(), text, "{accepted}");
    }
    let tag = async |accepted| {
        let file = asked(&visitor, HASHED, &[("accept-encoding", accepted)]).await;
        header(&file, "etag").to_owned()
    };
    let tags = [tag("br").await, tag("gzip").await, tag("identity").await];
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
    let headers = [("accept-encoding", "gzip"), ("if-none-match", &*tags[0])];
    assert_eq!(asked(&visitor, HASHED, &headers).await.status(), 200);

    let page = [("accept", "text/html"), ("accept-encoding", "br, gzip")];
    let page = asked(&visitor, "/notes", &page).await;
    assert_eq!(header(&page, "content-encoding"), "gzip");
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    let alone = asked(&visitor, "/alone.js", &[("accept-encoding", "br")]).await;
    assert_eq!(alone.status(), 404);
}

#[tokio::test]
async fn a_cache_in_between_learns_of_both_that_an_answer_depends_on() {
    let build = Build::new();
    let app = build
        .serve(&["--trusted-origins=https://app.example"])
        .await;
    let origin = [("origin", "https://app.example")];
    let file = asked(&app.visitor(), HASHED, &origin).await;
    let vary: Vec<_> = file.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding", "Origin"]);
}

/// Sends the path as it is: reqwest and curl tidy it up first.
async fn raw(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A build in `dist`, beside what nobody may read.
fn tempting() -> Build {
    let place = Build::new();
    place.write("secret.txt", "s3cret");
    place.write("dist/index.html", INDEX);
    place.write("dist/.env", "s3cret");
    place.write("dist/.git/config", "s3cret");
    place.write("dist/.well-known/security.txt", "Contact: us");
    place.write("dist-of-others/a.txt", "s3cret");
    let dist = place.path().join("dist");
    symlink("../secret.txt", dist.join("link.txt")).unwrap();
    symlink("..", dist.join("up")).unwrap();
    symlink("../dist-of-others", dist.join("others")).unwrap();
    place
}

/// Ways that have led others out of their directories.
const WAYS_OUT: &[&str] = &[
    "/../secret.txt",
    "/x/../../secret.txt",
    "/./../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..%2fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/.%00./secret.txt",
    "/index.html%00.txt",
    "/secret.txt%00",
    "/..;/secret.txt",
    "/..../secret.txt",
    "/../dist-of-others/a.txt",
    "/-of-others/a.txt",
    "/link.txt",
    "/up/secret.txt",
    "/others/a.txt",
    "/.env",
    "/%2eenv",
    "/.git/config",
    "/.git/",
    "/.well-known/../.env",
    "/.well-known/.env",
    "/%2fetc%2fpasswd.txt",
    "http://localhost/../secret.txt",
];

#[tokio::test]
async fn no_path_leads_out_of_the_directory() {
    let place = tempting();
    let dist = place.path().join("dist");
    let app = App::with(&[&format!("--spa-dir={}", dist.display())]).await;
    let absolute = format!("/{}", place.path().join("secret.txt").display());
    for path in WAYS_OUT.iter().chain([&&*absolute]) {
        let answer = raw(app.address, path).await;
        let status: u16 = answer[9..12].parse().unwrap();
        assert!(
            !answer.contains("s3cret") && !answer.contains("root:"),
            "{path}: {answer}"
        );
        // A path that may be a page of the app may get the app.
        assert!(
            status == 404 || status == 400 || answer.ends_with(INDEX),
            "{path}: {answer}"
        );
    }
    for path in [
        "/.env",
        "/.git/config",
        "/../secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/link.txt",
    ] {
        let answer = raw(app.address, path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    let known = raw(app.address, "/.well-known/security.txt").await;
    assert!(known.ends_with("Contact: us"), "{known}");
}

#[tokio::test]
async fn what_is_no_file_and_what_nobody_may_read_is_not_there() {
    let build = Build::new();
    let pipe = build.path().join("pipe.txt");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    let long = format!("/{}.txt", "x".repeat(300));
    let deep = "/x".repeat(2000);
    for path in ["/pipe.txt", "/index.html/", "/index.html/x", &long, &deep] {
        visitor.get(path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn head_does_not_read_the_file() {
    let build = Build::new();
    build.write("film.mp4", "");
    let film = std::fs::File::options()
        .write(true)
        .open(build.path().join("film.mp4"));
    film.unwrap().set_len(1 << 40).unwrap();
    let app = build.serve(&[]).await;
    let asked = app
        .visitor()
        .request(Method::HEAD, "/film.mp4")
        .send()
        .await;
    let head = asked.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "content-length"), (1_u64 << 40).to_string());
}

#[tokio::test]
async fn a_file_that_shrinks_is_not_taken_for_whole() {
    let build = Build::new();
    build.write("film.mp4", vec![7; 4_000_000]);
    let app = build.serve(&[]).await;
    let mut film = got(&app.visitor(), "/film.mp4").await;
    let first = film.chunk().await.unwrap().unwrap();
    let path = build.path().join("film.mp4");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(1_000_000).unwrap();
    let mut taken = first.len();
    let end = loop {
        match film.chunk().await {
            Ok(Some(chunk)) => taken += chunk.len(),
            Ok(None) => break "whole",
            Err(_) => break "cut",
        }
    };
    assert_eq!(end, "cut", "{taken}");
}

#[tokio::test]
async fn an_empty_file_has_no_parts_and_a_condition_that_fails_is_412() {
    let build = Build::new();
    build.write("empty.txt", "");
    let app = build.serve(&[]).await;
    for (header, value, status) in [
        ("range", "bytes=-1", 416),
        ("range", "bytes=0-", 416),
        ("if-match", "\"other\"", 412),
        ("accept", "*/*", 200),
    ] {
        let answer = asked(&app.visitor(), "/empty.txt", &[(header, value)]).await;
        assert_eq!(answer.status(), status, "{header}: {value}");
        assert_eq!(answer.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_link_within_the_directory_leads_to_nothing_hidden() {
    let build = Build::new();
    build.write(".git/config", "hidden");
    symlink(".git", build.path().join("git")).unwrap();
    symlink("assets", build.path().join("static")).unwrap();
    let app = build.serve(&[]).await;
    for (path, status) in [("/git/config", 404), ("/static/index-BcA1x2_z.js", 200)] {
        let answer = asked(&app.visitor(), path, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
    }
}
