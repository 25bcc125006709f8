//! A single-page app served from its build: which paths are its pages, and what surrounds it.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::{Method, Response};

use crate::pages::{NAVIGATION, header, opened};
use crate::support::process::TempDir;
use crate::support::{App, Visitor, send};

pub const INDEX: &str =
    "<!doctype html><title>Notes</title><script src=\"/assets/index-BcA1x2_z.js\"></script>";
pub const SCRIPT: &str = "console.log('notes')";
const CSP: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                   font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; \
                   form-action 'self'; frame-ancestors 'none'";

/// What a bundler leaves.
pub struct Build(pub TempDir);

impl Build {
    pub fn new() -> Self {
        let build = Self(TempDir::new());
        build.write("index.html", INDEX);
        build.write("assets/index-BcA1x2_z.js", SCRIPT);
        build
    }

    /// A file that was built a while ago.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        self.touch(name, Duration::from_secs(3600));
    }

    #[expect(clippy::disallowed_methods, reason = "the date of a file")]
    pub fn touch(&self, name: &str, ago: Duration) {
        let file = File::options().append(true).open(self.0.0.join(name));
        file.unwrap().set_modified(SystemTime::now() - ago).unwrap();
    }

    pub fn path(&self) -> &Path {
        &self.0.0
    }

    pub async fn serve(&self, arguments: &[&str]) -> App {
        let directory = format!("--spa-dir={}", self.path().display());
        App::with(&[&[&*directory], arguments].concat()).await
    }
}

/// As a program or a `<script>` asks.
pub async fn got(visitor: &Visitor, path: &str) -> Response {
    let asked = visitor.request(Method::GET, path);
    asked.header("accept", "*/*").send().await.unwrap()
}

#[tokio::test]
async fn every_path_that_is_no_file_leads_to_the_app() {
    let build = Build::new();
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for path in [
        "/",
        "/index.html",
        "/login",
        "/notes/7?sort=new",
        "/users/jane.doe",
        "/v1.2/notes",
        "/notes/",
        "/files/a%2Fb.png",
        "/a//b",
        "/apis",
        "/demo/main.js/about",
        "/swagger",
    ] {
        let page = opened(&visitor, path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&page, "content-security-policy"), CSP);
        assert_eq!(header(&page, "cache-control"), "no-cache", "{path}");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        assert_eq!(header(&page, "x-request-id").len(), 36);
        assert_eq!(page.text().await.unwrap(), INDEX, "{path}");
    }
    // The document itself does not depend on who asks.
    assert_eq!(got(&visitor, "/").await.status(), 200);
}

#[tokio::test]
async fn a_missing_file_is_a_problem_and_not_the_app() {
    let build = Build::new();
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for path in [
        "/assets/gone-BcA1x2_z.js",
        "/logo.svg",
        "/notes",
        "/notes/7",
    ] {
        let reply = visitor.get(path).await.refused(404, "not_found");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    for path in [
        "/assets/gone-BcA1x2_z.js",
        "/logo.svg",
        "/about.html",
        "/demo/main.js",
    ] {
        let asked = visitor.request(Method::GET, path);
        let reply = send(asked.header("accept", NAVIGATION)).await;
        reply.refused(404, "not_found");
    }
}

#[tokio::test]
async fn latchkeys_own_paths_stay_its_own() {
    let build = Build::new();
    for taken in ["api/me", "api/nothing", "health/live", "health/x", "dev/x"] {
        build.write(taken, "taken over");
    }
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for (path, status) in [
        ("/api", 404),
        ("/api/", 404),
        ("/api/nothing", 404),
        ("/%61pi/nothing", 404),
        ("/api/me", 401),
        ("/health", 404),
        ("/health/live", 200),
        ("/health/x", 404),
        ("/dev/x", 404),
        ("/dev/mailbox", 200),
        ("/swagger-ui/", 200),
        ("/swagger-ui/nothing", 404),
    ] {
        let answer = opened(&visitor, path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_ne!(header(&answer, "content-security-policy"), CSP, "{path}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("Notes") && !text.contains("taken"), "{text}");
    }
    let susan = app.logged_in("susan").await;
    susan.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn only_get_and_head_reach_it() {
    let build = Build::new();
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for path in ["/", "/login", "/assets/index-BcA1x2_z.js"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let asked = visitor.request(method, path).header("accept", NAVIGATION);
            send(asked).await.refused(404, "not_found");
        }
        let page = opened(&visitor, path).await;
        let asked = visitor.request(Method::HEAD, path);
        let asked = asked.header("accept", NAVIGATION);
        let head = asked.header("range", "bytes=0-3").send().await.unwrap();
        assert_eq!(head.status(), 200);
        for name in ["content-type", "content-length", "etag", "cache-control"] {
            assert_ne!(header(&page, name), "", "{name}");
            assert_eq!(header(&head, name), header(&page, name), "{name}");
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn its_policy_is_a_setting() {
    let build = Build::new();
    let own = "default-src 'self' https://cdn.example";
    let app = build.serve(&[&format!("--spa-csp={own}")]).await;
    for path in ["/", "/assets/index-BcA1x2_z.js"] {
        let page = opened(&app.visitor(), path).await;
        assert_eq!(header(&page, "content-security-policy"), own);
    }
    let app = build.serve(&["--spa-csp=off"]).await;
    let page = opened(&app.visitor(), "/").await;
    assert!(!page.headers().contains_key("content-security-policy"));
    let reply = app.visitor().get("/api/config").await.expect(200);
    let api = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(reply.header("content-security-policy"), api);
}

#[tokio::test]
async fn a_folder_with_a_page_of_its_own_is_served_and_never_listed() {
    let build = Build::new();
    build.write("docs/index.html", "the docs");
    build.write("docs/a b/index.html", "deeper");
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    for (path, text) in [("/docs/", "the docs"), ("/docs/a%20b/", "deeper")] {
        let page = got(&visitor, path).await;
        assert_eq!(page.status(), 200);
        assert_eq!(header(&page, "cache-control"), "no-cache");
        assert_eq!(page.text().await.unwrap(), text);
    }
    for (path, place) in [
        ("/docs", "/docs/"),
        ("/docs?a=b%26c", "/docs/?a=b%26c"),
        ("/docs/a%20b", "/docs/a%20b/"),
    ] {
        let moved = got(&visitor, path).await;
        assert_eq!(moved.status(), 307, "{path}");
        assert_eq!(header(&moved, "location"), place);
        assert_eq!(header(&moved, "cache-control"), "no-cache");
    }
    for path in ["/assets", "/assets/"] {
        visitor.get(path).await.refused(404, "not_found");
        let page = opened(&visitor, path).await;
        assert_eq!(page.text().await.unwrap(), INDEX, "{path}");
    }
    // Nothing sends a browser to another site.
    std::fs::create_dir_all(build.path().join("evil.example")).unwrap();
    build.write("evil.example/index.html", "a folder");
    for path in [
        "//evil.example",
        "/%2fevil.example",
        "/\\evil.example",
        "/%5cevil.example",
    ] {
        let answer = got(&visitor, path).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_new_build_is_there_at_once_and_half_of_one_never() {
    let build = Build::new();
    let app = build.serve(&[]).await;
    let visitor = app.visitor();
    let place = build.path().join("index.html");
    let texts = ["a".repeat(200_000), "b".repeat(300_000)];
    let replacing = tokio::task::spawn_blocking({
        let (place, texts) = (place.clone(), texts.clone());
        move || {
            for round in 0..300 {
                let next = place.with_extension("new");
                std::fs::write(&next, &texts[round % 2]).unwrap();
                std::fs::rename(&next, &place).unwrap();
                if round % 10 == 0 {
                    std::fs::remove_file(&place).unwrap();
                }
            }
        }
    });
    let mut whole = 0;
    while !replacing.is_finished() || whole == 0 {
        let page = opened(&visitor, "/").await;
        if page.status() == 404 {
            continue;
        }
        assert_eq!(page.status(), 200);
        let text = page.text().await.unwrap();
        assert!(texts.contains(&text) || text == INDEX, "{}", text.len());
        whole += 1;
    }
    replacing.await.unwrap();
    std::fs::write(&place, "newest").unwrap();
    let page = opened(&visitor, "/").await;
    assert_eq!(page.text().await.unwrap(), "newest");
}

#[tokio::test]
async fn a_link_to_the_directory_may_be_pointed_to_another() {
    let (old, new, place) = (Build::new(), Build::new(), TempDir::new());
    new.write("index.html", "the new one");
    let current = place.0.join("current");
    std::os::unix::fs::symlink(old.path(), &current).unwrap();
    let app = App::with(&[&format!("--spa-dir={}", current.display())]).await;
    let visitor = app.visitor();
    assert_eq!(opened(&visitor, "/").await.text().await.unwrap(), INDEX);
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(new.path(), &current).unwrap();
    let page = opened(&visitor, "/").await;
    assert_eq!(page.text().await.unwrap(), "the new one");
}

#[tokio::test]
async fn metrics_count_all_its_files_under_one_name() {
    let build = Build::new();
    let app = build.serve(&["--metrics-listen=127.0.0.1:0"]).await;
    let visitor = app.visitor();
    for path in ["/", "/notes/1", "/notes/2", "/assets/index-BcA1x2_z.js"] {
        opened(&visitor, path).await;
    }
    visitor.get("/notes/3").await.expect(404);
    let text = crate::metrics::Scrape::at(&app).await.0;
    for (labels, count) in [
        (r#"route="page",method="GET",status="200""#, 4),
        (r#"route="none",method="GET",status="404""#, 1),
    ] {
        let line = format!("latchkey_http_requests_total{{{labels}}} {count}");
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    assert!(!text.contains("notes") && !text.contains("assets"));
}
