//! Writes a problem into an answer: body, headers, and the log line if the failure is ours.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERER, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse};
use url::Url;

use super::client::{printable, sender};
use super::{Answer, RequestId};
use crate::auth::events::Noted;
use crate::auth::limits::Limit;
use crate::domain::next::safe_next;
use crate::http::Site;
use crate::http::wire::problem::{Code, Problem, ProblemBody};

pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// RFC 9110 15.5.2 wants a challenge with each 401; this scheme makes no browser ask for a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Cookie realm=\"latchkey\"");

/// Turns an answer that refuses into problem details, whoever made it.
pub fn write(site: &Site, answer: &mut Answer, id: RequestId) {
    let attached = answer.response_mut().extensions_mut().remove::<Problem>();
    let problem = attached.unwrap_or_else(|| Problem::new(Code::for_status(answer.status())));
    let path = answer.request().path().to_owned();
    log_failure(site, &problem, Some(answer.request()), id);
    let login_url = (problem.code == Code::NotAuthenticated).then(|| login_url(site, answer));
    let body = render(&problem, &path, login_url, id);
    let response = answer.response_mut();
    *response.status_mut() = problem.code.status();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    if problem.code.status() == StatusCode::UNAUTHORIZED {
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

/// Where to log in, and back: to the page that asked, if a browser told, else to what was asked for.
fn login_url(site: &Site, answer: &Answer) -> String {
    let request = answer.request();
    let page = request
        .headers()
        .get(REFERER)
        .and_then(|value| Url::parse(value.to_str().ok()?).ok());
    let page = page.filter(|page| {
        site.cross_origin
            .is_trusted(&page.origin().ascii_serialization())
    });
    let asked = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let back = page.map_or_else(
        || asked.to_owned(),
        |page| page[url::Position::BeforePath..].to_owned(),
    );
    let back = safe_next(&site.public_url, &back).unwrap_or_else(|| "/".to_owned());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", &back)
        .finish();
    format!("/login?{query}")
}

pub fn render(problem: &Problem, path: &str, login_url: Option<String>, id: RequestId) -> Vec<u8> {
    let (status, title, _) = problem.code.facts();
    let mut body = ProblemBody {
        r#type: String::new(),
        title,
        status,
        code: problem.code,
        detail: &problem.detail,
        instance: path,
        request_id: id.0,
        errors: problem.errors.as_ref(),
        login_url,
        max_age: problem.max_age,
    };
    let code = serde_json::to_value(problem.code).unwrap_or_default();
    body.r#type = format!("/api/errors#{}", code.as_str().unwrap_or_default());
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The limit that was hit, as draft-ietf-httpapi-ratelimit-headers writes it.
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

/// Failures of ours are logged once, here; refusals are not failures. While the database is away every request fails
/// for the same reason, which is told once a minute.
pub fn log_failure(site: &Site, problem: &Problem, request: Option<&HttpRequest>, id: RequestId) {
    let request_id = id.0;
    let path = request.map(|request| printable(request.path().as_bytes()));
    let cause = problem.cause.as_deref().unwrap_or_default();
    match (problem.code, request) {
        (Code::InternalError, _) => tracing::error!(%request_id, path, cause, "internal error"),
        (Code::DatabaseUnavailable, Some(request)) => {
            let key = format!("database_unavailable {cause}");
            let noted = || Noted::warning("database_unavailable", cause, &sender(request));
            site.repeats.warn(key.as_bytes(), noted);
        }
        _ => {}
    }
}
