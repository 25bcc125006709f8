//! The outermost layer: what holds for every request and every answer.
//!
//! It numbers the request, refuses what other sites' pages send, turns every failure into problem details, and sets
//! the headers that all answers share.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, ORIGIN, REFERER, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::future::{LocalBoxFuture, Ready, ready};
use url::Url;
use uuid::Uuid;

use super::Site;
use super::cookies::KeepFor;
use super::pages;
use super::problem::{Code, Problem, ProblemBody};
use crate::auth::redirect::safe_next;

pub type Answer = ServiceResponse<BoxBody>;

/// Every request has its own number: in the answer, in problems, and in the log.
#[derive(Clone, Copy)]
pub struct RequestId(pub Uuid);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// The API's answers are data: nothing in them may run, load or be framed.
const API_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Two years, as the preload lists ask (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// RFC 9110 15.5.2 wants a challenge with each 401; this scheme makes no browser ask for a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Cookie realm=\"latchkey\"");

pub struct Edge {
    site: Data<Site>,
}

impl Edge {
    pub fn new(site: Data<Site>) -> Self {
        Self { site }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Answer;
    type Error = Error;
    type InitError = ();
    type Transform = EdgeService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let mut first = [0; 16];
        // Without random numbers nobody could log in either; request numbers then start from zero.
        let _ = getrandom::fill(&mut first);
        let next_id = Cell::new(u128::from_be_bytes(first));
        ready(Ok(EdgeService {
            service,
            rules: Rc::new(Rules {
                site: self.site.clone(),
                next_id,
            }),
        }))
    }
}

pub struct EdgeService<S> {
    service: S,
    rules: Rc<Rules>,
}

struct Rules {
    site: Data<Site>,
    next_id: Cell<u128>,
}

impl<S, B> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Answer;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Answer, Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, mut req: ServiceRequest) -> Self::Future {
        let rules = self.rules.clone();
        let id = rules.number();
        req.extensions_mut().insert(id);
        if let Some(response) = rules.answer_at_once(&req) {
            let mut answer = req.into_response(response);
            rules.finish(&mut answer, id);
            return Box::pin(ready(Ok(answer)));
        }
        if *req.method() == Method::HEAD {
            // RFC 9110 9.3.2: the same as GET; the connection leaves the body out.
            req.head_mut().method = Method::GET;
        }
        let answering = self.service.call(req);
        Box::pin(async move {
            match answering.await {
                Ok(answer) => {
                    let mut answer = answer.map_into_boxed_body();
                    rules.finish(&mut answer, id);
                    Ok(answer)
                }
                Err(error) => Err(rules.wrap(error, id)),
            }
        })
    }
}

impl Rules {
    /// Numbers count on from a random start of each worker: unique, and a system call less for each request.
    fn number(&self) -> RequestId {
        let number = self.next_id.get().wrapping_add(1);
        self.next_id.set(number);
        RequestId(uuid::Builder::from_custom_bytes(number.to_be_bytes()).into_uuid())
    }

    fn answer_at_once(&self, req: &ServiceRequest) -> Option<HttpResponse> {
        let (method, headers) = (req.method(), req.headers());
        let refuse = |why: String| {
            tracing::warn!(event = "cross_origin_refused", path = req.path(), %why);
            HttpResponse::from_error(Problem::with_detail(Code::CrossOriginRequest, why))
        };
        if let Some(preflight) = self.site.cross_origin.preflight(method, headers) {
            return Some(preflight.map_or_else(refuse, |allowed| {
                let mut response = HttpResponse::new(StatusCode::NO_CONTENT);
                *response.headers_mut() = allowed;
                response
            }));
        }
        self.site
            .cross_origin
            .check(method, headers)
            .err()
            .map(refuse)
    }

    /// Completes an answer: problem body, cookie lifetime, CORS, common headers.
    fn finish(&self, answer: &mut Answer, id: RequestId) {
        if answer.status().is_client_error() || answer.status().is_server_error() {
            self.write_problem(answer, id);
        }
        let keep_for = answer.request().extensions_mut().remove::<KeepFor>();
        if let Some(keep_for) = keep_for {
            self.site.cookies.extend(answer.headers_mut(), &keep_for);
        }
        let is_page = pages::is_page(answer.request().path());
        let origin = answer.request().headers().get(ORIGIN).cloned();
        let headers = answer.headers_mut();
        if origin.is_some()
            && !headers.contains_key(actix_web::http::header::ACCESS_CONTROL_ALLOW_METHODS)
        {
            self.site.cross_origin.allow(origin.as_ref(), headers);
        }
        self.add_common(headers, id, is_page);
    }

    fn add_common(&self, headers: &mut HeaderMap, id: RequestId, is_page: bool) {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        if let Ok(value) = HeaderValue::from_str(id.0.hyphenated().encode_lower(&mut text)) {
            headers.insert(X_REQUEST_ID, value);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(REFERRER_POLICY, NO_REFERRER);
        if is_page {
            headers.insert(CONTENT_SECURITY_POLICY, pages::CSP);
        } else {
            headers.insert(CONTENT_SECURITY_POLICY, API_CSP);
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        if self.site.public_url.scheme() == "https" {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }

    fn write_problem(&self, answer: &mut Answer, id: RequestId) {
        let attached = answer.response_mut().extensions_mut().remove::<Problem>();
        let problem = attached.unwrap_or_else(|| Problem::new(Code::for_status(answer.status())));
        let path = answer.request().path().to_owned();
        log_failure(&problem, &path, id);
        let login_url = (problem.code == Code::NotAuthenticated).then(|| self.login_url(answer));
        let body = render(&problem, &path, login_url, id);
        let response = answer.response_mut();
        *response.status_mut() = problem.code.status();
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if problem.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
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
    fn login_url(&self, answer: &Answer) -> String {
        let request = answer.request();
        let page = request
            .headers()
            .get(REFERER)
            .and_then(|value| Url::parse(value.to_str().ok()?).ok());
        let page = page.filter(|page| {
            self.site
                .cross_origin
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
        let back = safe_next(&self.site.public_url, &back).unwrap_or_else(|| "/".to_owned());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &back)
            .finish();
        format!("/login?{query}")
    }

    /// An error that no handler made, so that there is no request any more to answer to: from a middleware.
    fn wrap(&self, error: Error, id: RequestId) -> Error {
        let code = Code::for_status(error.as_response_error().status_code());
        let problem = Problem {
            cause: Some(error.to_string()),
            ..Problem::new(code)
        };
        log_failure(&problem, "", id);
        let mut response = HttpResponse::new(code.status());
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        self.add_common(response.headers_mut(), id, false);
        let response = response.set_body(BoxBody::new(render(&problem, "", None, id)));
        InternalError::from_response(error, response).into()
    }
}

fn render(problem: &Problem, path: &str, login_url: Option<String>, id: RequestId) -> Vec<u8> {
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

/// Failures of ours are logged once, here; refusals are not failures.
fn log_failure(problem: &Problem, path: &str, id: RequestId) {
    let request_id = id.0;
    let cause = problem.cause.as_deref().unwrap_or_default();
    match problem.code {
        Code::InternalError => tracing::error!(%request_id, path, cause, "internal error"),
        Code::DatabaseUnavailable => {
            tracing::warn!(%request_id, path, cause, "database unavailable")
        }
        _ => {}
    }
}
