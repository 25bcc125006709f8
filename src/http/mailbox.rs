//! The mailbox of development: a page with the mails that the server keeps because it has no mail server.
//!
//! Whoever reads it can open every account, so it answers only to this machine, under this machine's name: a page of
//! another site that points its name here (DNS rebinding) sees nothing.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use url::Url;

use super::site::Site;
use super::wire::code::Code;
use super::wire::page;
use super::wire::problem::Problem;
use crate::domain::site::is_this_machine;
use crate::mail::delivery::folder::{KeptMail, read_all};
use crate::mail::templates::escape::write_value;

pub const PATH: &str = "/dev/mailbox";
/// Nothing runs, and nothing is loaded.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

#[get("/dev/mailbox")]
pub async fn mailbox(request: HttpRequest, site: Data<Site>) -> Result<HttpResponse, Problem> {
    let folder = site.kept_mails.clone().filter(|_| is_from_here(&request));
    let folder = folder.ok_or_else(|| Problem::new(Code::NotFound))?;
    let html = web::block(move || {
        let mails = read_all(&folder).map_err(|error| error.to_string())?;
        written(&mails).map_err(|error| error.to_string())
    });
    let html = html.await.map_err(|error| error.to_string()).flatten();
    let html = html.map_err(|why| Problem {
        cause: Some(why),
        ..Problem::new(Code::InternalError)
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, HTML));
    response.insert_header((CACHE_CONTROL, "no-store"));
    let mut response = response.body(html);
    page::mark(&mut response, Some(CSP));
    Ok(response)
}

fn is_from_here(request: &HttpRequest) -> bool {
    let peer = request.peer_addr();
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let named = Url::parse(&format!("http://{}", host.unwrap_or_default()));
    peer.is_some_and(|peer| peer.ip().is_loopback())
        && named.is_ok_and(|url| is_this_machine(&url))
        && !request.headers().contains_key("x-forwarded-for")
        && !request.headers().contains_key("forwarded")
}

/// The newest first. A line of a text that is an address becomes a link.
fn written(mails: &[KeptMail]) -> Result<String, minijinja::Error> {
    let mails = mails.iter().rev().map(|mail| {
        let lines = mail.text.lines().map(|line| {
            let is_link = line.starts_with("http://") || line.starts_with("https://");
            context! { text => line, is_link }
        });
        context! {
            number => mail.number,
            date => mail.date.as_str(),
            to => mail.to.as_str(),
            subject => mail.subject.as_str(),
            lines => lines.collect::<Vec<Value>>(),
        }
    });
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(write_value);
    environment.add_template("mailbox.html", include_str!("mailbox.html"))?;
    let page = environment.get_template("mailbox.html")?;
    page.render(context! { mails => mails.collect::<Vec<Value>>() })
}
