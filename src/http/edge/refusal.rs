//! Writes a problem into a response: body, headers, and a log line if the failure is ours.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERER, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse};
use url::{Position, Url};

use super::client::{printable, sender};
use super::request_id::RequestId;
use crate::auth::events::repeats::Noted;
use crate::auth::limits::table::Limit;
use crate::domain::next::{is_api, safe_next};
use crate::domain::pages::Page;
use crate::http::site::Site;
use crate::http::wire::code::Code;
use crate::http::wire::problem::Problem;
use crate::http::wire::problem_body::ProblemBody;

const PROBLEM: &str = "application/problem+json";
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static(PROBLEM);
/// RFC 9110 15.5.2 requires a challenge with each 401. This scheme makes no browser prompt for a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Cookie realm=\"latchkey\"");

/// Turns any error response into problem details, whoever produced it.
pub fn write(site: &Site, answer: &mut ServiceResponse, id: RequestId) {
    let attached = answer.response_mut().extensions_mut().remove::<Problem>();
    if attached.is_none() && site.own_routes.is_some() && is_meant(answer) {
        if answer.status().is_server_error() {
            tracing::error!(request_id = %id.0, status = answer.status().as_u16(), "an endpoint of yours failed");
        }
        return;
    }
    let problem = attached.unwrap_or_else(|| Problem::new(Code::for_status(answer.status())));
    let path = answer.request().path().to_owned();
    log_failure(site, &problem, Some(answer.request()), id);
    let login_url =
        (problem.code == Code::NotAuthenticated).then(|| login_url(site, answer.request()));
    let body = render(&problem, &path, login_url, id);
    let response = answer.response_mut();
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    if let Some(limit) = problem.limit {
        add_limit(headers, limit, problem.retry_after.unwrap_or_default());
    }
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = problem
        .allow
        .as_ref()
        .and_then(|allow| HeaderValue::from_str(allow).ok())
    {
        headers.insert(ALLOW, allow);
    }
    let bare = std::mem::replace(response, HttpResponse::new(StatusCode::OK));
    *response = bare.set_body(BoxBody::new(body));
}

/// Whether an endpoint of somebody else's wrote this refusal, and not actix: it is JSON, or has a status of its own.
fn is_meant(answer: &ServiceResponse) -> bool {
    let sent = answer.headers().get(CONTENT_TYPE);
    let sent = sent.and_then(|value| value.to_str().ok());
    let is_json = |sent: &str| sent.starts_with("application/json") || sent.starts_with(PROBLEM);
    let status = answer.status();
    sent.is_some_and(is_json) || Code::for_status(status).status() != status
}

/// The login page, with a `next` that leads back to the page that asked, if the browser names one. A path below /api is
/// never the target.
fn login_url(site: &Site, request: &HttpRequest) -> String {
    let page = request.headers().get(REFERER);
    let page = page.and_then(|page| Url::parse(page.to_str().ok()?).ok());
    let trusted = |page: &Url| {
        let origin = page.origin().ascii_serialization();
        site.cross_origin.is_trusted(&origin)
    };
    let back = page
        .filter(trusted)
        .and_then(|page| safe_next(&site.public_url, &page[Position::BeforePath..]));
    let back = back.filter(|back| !is_api(back));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", back.as_deref().unwrap_or("/"))
        .finish();
    let login = site.pages.path(Page::Login);
    let separator = if login.contains('?') { '&' } else { '?' };
    format!("{login}{separator}{query}")
}

pub fn render(problem: &Problem, path: &str, login_url: Option<String>, id: RequestId) -> Vec<u8> {
    let facts = problem.code.facts();
    let code: &str = problem.code.into();
    let body = ProblemBody {
        r#type: format!("/api/errors#{code}"),
        title: facts.title,
        status: problem.status.as_u16(),
        code: problem.code,
        detail: &problem.detail,
        instance: path,
        request_id: id.0,
        errors: problem.errors.as_ref(),
        login_url,
        max_age: problem.max_age,
        needs: problem.needs.as_deref(),
        methods: problem.methods.as_deref(),
        tries_left: problem.tries_left,
        expires_at: problem.expires_at,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The limit that was hit, formatted as in draft-ietf-httpapi-ratelimit-headers.
fn add_limit(headers: &mut HeaderMap, limit: Limit, reset: u64) {
    let policy = format!(
        "\"{}\";q={};w={}",
        limit.name,
        limit.count,
        limit.period.as_secs()
    );
    let state = format!("\"{}\";r=0;t={reset}", limit.name);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Logs our own failures; refusals are not failures. While the database is down, every request fails for the same
/// reason, which is logged once a minute.
pub fn log_failure(site: &Site, problem: &Problem, request: Option<&HttpRequest>, id: RequestId) {
    let request_id = id.0;
    let path = request.map(|request| printable(request.path().as_bytes()));
    let cause = problem.cause.as_deref().unwrap_or_default();
    match (problem.code, request) {
        (Code::InternalError, _) => tracing::error!(%request_id, path, cause, "internal error"),
        (Code::DatabaseUnavailable, Some(request)) => {
            let key = format!("database_unavailable {cause}");
            let noted = || Noted::warning("database_unavailable", cause, &sender(site, request));
            site.repeats.note(key.as_bytes(), noted);
        }
        (Code::ProviderUnavailable, Some(request)) => {
            // It may quote what a provider says.
            let cause = printable(cause.as_bytes());
            let key = format!("provider_unavailable {cause}");
            let noted = || Noted::warning("provider_unavailable", &cause, &sender(site, request));
            site.repeats.note(key.as_bytes(), noted);
        }
        _ => {}
    }
}
