//! The reference page: where it is, what it may do, and that it takes nothing from the API.

use std::collections::BTreeSet;
use std::path::Path;

use actix_web::web::{self, ServiceConfig};
use latchkey::http::pages::demo::FILES;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{App, Visitor, send};

const HTML: &str = "text/html; charset=utf-8";
/// As browsers send it when somebody opens a page.
pub const NAVIGATION: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                   img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub async fn opened(visitor: &Visitor, path: &str) -> Response {
    let asked = visitor.request(Method::GET, path);
    asked.header("accept", NAVIGATION).send().await.unwrap()
}

pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// The paths that the document knows, by the names of its pages.
async fn paths_in(document: Response) -> Value {
    let html = document.text().await.unwrap();
    let (_, rest) = html
        .split_once(r#"<meta name="latchkey-pages" content=""#)
        .unwrap();
    let (content, _) = rest.split_once('"').unwrap();
    let unescaped = content
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&amp;", "&");
    serde_json::from_str(&unescaped).unwrap()
}

#[tokio::test]
async fn one_document_is_at_every_path_of_the_reference_page() {
    let app = App::start().await;
    let visitor = app.visitor();
    let mut bodies = BTreeSet::new();
    for path in [
        "/",
        "/login",
        "/login?next=%2Faccount",
        "/register",
        "/forgot",
        "/account",
        "/admin",
        "/reset",
        "/verify",
        "/change-email",
        "/not-me",
    ] {
        let page = opened(&visitor, path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(&page, "content-type"), HTML);
        assert_eq!(header(&page, "content-security-policy"), CSP);
        assert_eq!(header(&page, "cache-control"), "no-cache");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        assert_eq!(header(&page, "referrer-policy"), "no-referrer");
        assert_eq!(header(&page, "x-request-id").len(), 36);
        bodies.insert(page.text().await.unwrap());
        // curl accepts anything.
        let page = visitor.request(Method::GET, path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
    }
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn a_browser_that_goes_nowhere_gets_the_page_with_404_and_a_program_gets_the_problem() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in ["/nothing", "/login/", "/api-docs", "/demo/nothing.js"] {
        let page = opened(&visitor, path).await;
        assert_eq!(page.status(), 404, "{path}");
        assert_eq!(header(&page, "content-type"), HTML, "{path}");
        assert_eq!(header(&page, "content-security-policy"), CSP);
        visitor.get(path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn the_api_and_what_belongs_to_it_never_become_a_page() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/%61pi/nothing",
        "/api/users/1",
        "/health",
        "/health/nothing",
        "/swagger-ui/nothing.js",
        "/dev",
        "/dev/nothing",
    ] {
        let asked = visitor.request(Method::GET, path);
        let reply = send(asked.header("accept", NAVIGATION)).await;
        let reply = reply.refused(404, "not_found");
        let api = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(reply.header("content-security-policy"), api, "{path}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let me = visitor.request(Method::GET, "/api/me");
    let me = send(me.header("accept", NAVIGATION)).await;
    me.refused(401, "not_authenticated");
}

#[tokio::test]
async fn only_get_and_head_find_a_page() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in ["/", "/login", "/demo/main.js", "/nothing"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let asked = visitor.request(method, path).header("accept", NAVIGATION);
            send(asked).await.refused(404, "not_found");
        }
    }
    let page = opened(&visitor, "/").await;
    let asked = visitor.request(Method::HEAD, "/");
    let head = asked.header("accept", NAVIGATION).send().await.unwrap();
    assert_eq!(head.status(), 200);
    for name in [
        "content-type",
        "content-length",
        "etag",
        "cache-control",
        "content-security-policy",
    ] {
        assert_ne!(header(&page, name), "", "{name}");
        assert_eq!(header(&head, name), header(&page, name), "{name}");
    }
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn its_files_are_those_of_the_folder() {
    let app = App::start().await;
    let visitor = app.visitor();
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo"));
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned());
            }
        }
    }
    assert!(found.remove("index.html"), "{found:?}");
    let embedded: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(embedded, found, "src/http/pages/demo.rs lists the files");
    for name in found {
        let path = format!("/demo/{name}");
        let asset = visitor.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(asset.status(), 200, "{path}");
        let kind = match name.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml; charset=utf-8",
            other => panic!("a new kind of file: {other}"),
        };
        assert_eq!(header(&asset, "content-type"), kind);
        assert_eq!(header(&asset, "cache-control"), "no-cache");
        let expected = std::fs::read(folder.join(&name)).unwrap();
        assert_eq!(asset.bytes().await.unwrap(), expected, "{path}");
    }
}

/// It is there to be read.
#[test]
fn its_javascript_is_short_and_puts_no_markup_together() {
    let mut total = 0;
    for (name, bytes) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
        let text = std::str::from_utf8(bytes).unwrap();
        let lines = text.lines().count();
        assert!(lines < 200, "{name} has {lines} lines");
        assert!(text.starts_with("// "), "{name} says what it is");
        for never in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
            assert!(!text.contains(never), "{name}: {never}");
        }
        total += lines;
    }
    assert!((1..=1500).contains(&total), "{total} lines of JavaScript");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in ["/", "/demo/style.css"] {
        let first = visitor.request(Method::GET, path).send().await.unwrap();
        let tag = header(&first, "etag").to_owned();
        assert_eq!(tag.len(), 66, "{tag}");
        let again = |known: String| {
            let asked = visitor.request(Method::GET, path);
            asked.header("if-none-match", known).send()
        };
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".into(),
        ] {
            let answer = again(known.clone()).await.unwrap();
            assert_eq!(answer.status(), 304, "{known}");
            assert_eq!(header(&answer, "etag"), tag);
            assert_eq!(header(&answer, "cache-control"), "no-cache");
            assert_eq!(answer.bytes().await.unwrap().len(), 0);
        }
        let answer = again("\"x\"".into()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let known = header(&opened(&visitor, "/").await, "etag").to_owned();
    let nowhere = visitor.request(Method::GET, "/nothing");
    let nowhere = nowhere
        .header("accept", NAVIGATION)
        .header("if-none-match", known);
    assert_eq!(nowhere.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn it_moves_to_the_paths_of_the_settings_and_knows_them() {
    let usual = App::start().await;
    let paths = paths_in(opened(&usual.visitor(), "/").await).await;
    let names = serde_json::json!({"login": "/login", "register": "/register", "account": "/account",
        "reset": "/reset", "verify": "/verify", "change": "/change-email", "not-me": "/not-me"});
    assert_eq!(paths, names);

    let moved = "--pages=login=/app?view=\"log in\"&x=<y>,not-me=/caf%C3%A9/oops,reset=/new#a";
    let app = App::with(&[moved]).await;
    let visitor = app.visitor();
    for path in [
        "/app",
        "/app?view=%22log%20in%22&x=y",
        "/caf%C3%A9/oops",
        "/new",
        "/login",
    ] {
        assert_eq!(opened(&visitor, path).await.status(), 200, "{path}");
    }
    for path in ["/not-me", "/reset"] {
        assert_eq!(opened(&visitor, path).await.status(), 404, "{path}");
    }
    let page = opened(&visitor, "/app").await;
    let paths = paths_in(page).await;
    assert_eq!(paths["login"], "/app?view=%22log%20in%22&x=%3Cy%3E");
    assert_eq!(paths["not-me"], "/caf%C3%A9/oops");
    assert_eq!(paths["account"], "/account");
}

#[tokio::test]
async fn it_is_there_where_people_develop_or_where_it_is_switched_on() {
    let https = "--public-url=https://login.example";
    for (arguments, there) in [
        (&[][..], true),
        (&["--public-url=http://127.0.0.1:8080"], true),
        (&["--public-url=http://192.0.2.1:8080"], false),
        (&[https], false),
        (&[https, "--demo=on"], true),
        (&["--demo=off"], false),
    ] {
        let app = App::with(arguments).await;
        let visitor = app.visitor();
        let status = if there { 200 } else { 404 };
        for path in ["/", "/login", "/demo/main.js"] {
            let page = opened(&visitor, path).await;
            assert_eq!(page.status(), status, "{arguments:?} {path}");
        }
        if !there {
            let reply = visitor.get("/").await.refused(404, "not_found");
            let detail = reply.body["detail"].as_str().unwrap();
            assert!(detail.contains("/swagger-ui/"), "{detail}");
            let asked = visitor.request(Method::GET, "/nothing");
            let reply = send(asked.header("accept", NAVIGATION)).await;
            reply.refused(404, "not_found");
        }
    }
}

fn routes(config: &mut ServiceConfig) {
    let mine = || async { "mine" };
    config
        .route("/", web::get().to(mine))
        .route("/account", web::get().to(mine));
}

#[tokio::test]
async fn routes_of_ones_own_come_before_it() {
    let app = App::with_own(std::sync::Arc::new(routes)).await;
    let visitor = app.visitor();
    for path in ["/", "/account"] {
        let page = opened(&visitor, path).await;
        assert_eq!(header(&page, "cache-control"), "no-store");
        assert_eq!(page.text().await.unwrap(), "mine");
    }
    let page = opened(&visitor, "/login").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type"), HTML);
}

/// Paths under which no page is must not become names of series.
#[tokio::test]
async fn metrics_count_every_page_under_one_name() {
    let app = App::with(&["--metrics-listen=127.0.0.1:0"]).await;
    let visitor = app.visitor();
    for path in ["/", "/login", "/demo/main.js", "/nothing", "/nothing/2"] {
        opened(&visitor, path).await;
    }
    visitor.get("/nothing").await.expect(404);
    let head = visitor.request(Method::HEAD, "/").send().await.unwrap();
    assert_eq!(head.status(), 200);
    let text = crate::metrics::Scrape::at(&app).await.0;
    for (labels, count) in [
        (r#"route="page",method="GET",status="200""#, 3),
        (r#"route="page",method="GET",status="404""#, 2),
        (r#"route="page",method="HEAD",status="200""#, 1),
        (r#"route="none",method="GET",status="404""#, 1),
    ] {
        let line = format!("latchkey_http_requests_total{{{labels}}} {count}");
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    assert!(!text.contains("/nothing") && !text.contains("route=\"/login\""));
}

#[tokio::test]
async fn a_path_with_any_escapes_is_found() {
    let app = App::with(&["--pages=reset=/100%25/%3Cb%3E"]).await;
    for path in ["/100%25/%3Cb%3E", "/100%25/%3cb%3E", "/l%6Fgin"] {
        let page = opened(&app.visitor(), path).await;
        assert_eq!(page.status(), 200, "{path}");
    }
}
