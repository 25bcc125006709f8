//! The outermost middleware, for every request and every response.
//!
//! It assigns the request id, refuses requests from other sites' pages, turns every failure into problem details, and
//! sets the common headers.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::{ErrorInternalServerError, InternalError};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderValue, ORIGIN, RANGE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse, rt};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Ready, ready};

use super::server::pace::Pace;
use super::site::Site;
use super::wire::code::Code;
use super::wire::problem::Problem;
use super::wire::{no_body, page};
use crate::auth::events::repeats::Noted;
use request_id::{RequestId, X_REQUEST_ID};
use watch::Watched;

pub mod client;
pub mod cross_origin;
pub mod hints;
pub mod proxies;
pub mod refusal;
pub mod request_id;
pub mod routing;
pub mod templates;
pub mod watch;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// API responses are data: nothing in them may run, load or be framed.
const API_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Two years (RFC 6797). Without subdomains, which may be other people's and not on https.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

type Panic = Box<dyn Any + Send>;

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
    type Response = ServiceResponse;
    type Error = Error;
    type InitError = ();
    type Transform = EdgeService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(EdgeService {
            service,
            rules: Rc::new(Rules {
                site: self.site.clone(),
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
}

impl<S, B> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse, Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, mut req: ServiceRequest) -> Self::Future {
        let rules = self.rules.clone();
        let id = RequestId::fresh();
        let mut watched = rules.watch(&req);
        let under_way = req.request().conn_data::<Rc<Pace>>().map(Pace::begin);
        req.extensions_mut().insert(id);
        if let Some(response) = rules.answer_at_once(&req) {
            let mut answer = req.into_response(response);
            rules.finish(&mut answer, id, watched.as_mut());
            return Box::pin(ready(Ok(answer)));
        }
        let is_head = *req.method() == Method::HEAD;
        if is_head {
            // RFC 9110 9.3.2: the same as GET, but without a body. 14.2: a range of it means nothing.
            req.head_mut().method = Method::GET;
            req.headers_mut().remove(RANGE);
        }
        let only_reads = *req.method() == Method::GET;
        let origin = req.headers().get(ORIGIN).cloned();
        // A panic fails only this request, and its client still gets a response.
        let answering = AssertUnwindSafe(self.service.call(req)).catch_unwind();
        Box::pin(async move {
            let _under_way = under_way;
            let answered = if only_reads {
                answering.await
            } else {
                // Finished even if the client disconnects: attempts are settled, and what happened is recorded.
                let lost = |error| Err(Box::new(error) as Panic);
                rt::spawn(answering).await.unwrap_or_else(lost)
            };
            let panicked = |_| Err(ErrorInternalServerError("panicked"));
            match answered.unwrap_or_else(panicked) {
                Ok(answer) => {
                    let mut answer = answer.map_into_boxed_body();
                    rules.finish(&mut answer, id, watched.as_mut());
                    Ok(if is_head {
                        no_body::leave_out(answer)
                    } else {
                        answer
                    })
                }
                Err(error) => {
                    let code = Code::for_status(error.as_response_error().status_code());
                    rules.end(watched.as_ref(), code.status(), id);
                    Err(rules.wrap(error, code, origin.as_ref(), id))
                }
            }
        })
    }
}

impl Rules {
    fn watch(&self, req: &ServiceRequest) -> Option<Watched> {
        let watch = self.site.watch.as_ref()?;
        Some(watch.begin(req, &self.site.trusted_proxies))
    }

    fn end(&self, watched: Option<&Watched>, status: StatusCode, id: RequestId) {
        if let (Some(watch), Some(watched)) = (&self.site.watch, watched) {
            watch.end(watched, status, id);
        }
    }

    fn answer_at_once(&self, req: &ServiceRequest) -> Option<HttpResponse> {
        let (method, headers) = (req.method(), req.headers());
        let refuse = |why: String| {
            let client = client::sender(&self.site, req.request());
            let key = format!("cross_origin_refused {}", client.network());
            let noted = || Noted::warning("cross_origin_refused", &why, &client);
            self.site.repeats.note(key.as_bytes(), noted);
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

    /// Completes a response: problem details, CORS, common headers.
    fn finish(&self, answer: &mut ServiceResponse, id: RequestId, watched: Option<&mut Watched>) {
        let is_page = page::is_page(answer.response());
        let status = answer.status();
        if !is_page && (status.is_client_error() || status.is_server_error()) {
            refusal::write(&self.site, answer, id);
        }
        if self.site.health.draining.load(Ordering::Relaxed) {
            let head = answer.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        self.site.hints.look(&self.site.cross_origin, answer);
        let origin = answer.request().headers().get(ORIGIN).cloned();
        let headers = answer.headers_mut();
        if origin.is_some() && !headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
            self.site.cross_origin.allow(origin.as_ref(), headers);
        }
        self.add_common(headers, id, is_page);
        if let (Some(watch), Some(watched)) = (&self.site.watch, watched) {
            if is_page {
                watch.found_page(watched);
            }
            watch.end(watched, answer.status(), id);
        }
    }

    fn add_common(&self, headers: &mut HeaderMap, id: RequestId, is_page: bool) {
        if let Some(value) = id.header_value() {
            headers.insert(X_REQUEST_ID, value);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(REFERRER_POLICY, NO_REFERRER);
        if !is_page {
            headers.insert(CONTENT_SECURITY_POLICY, API_CSP);
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        if self.site.public_url.scheme() == "https" {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }

    /// Turns an error of a middleware, which has no request any more, into a response.
    fn wrap(&self, error: Error, code: Code, origin: Option<&HeaderValue>, id: RequestId) -> Error {
        let problem = Problem {
            cause: Some(error.to_string()),
            ..Problem::new(code)
        };
        refusal::log_failure(&self.site, &problem, None, id);
        let mut response = HttpResponse::new(code.status());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, refusal::PROBLEM_JSON);
        self.site.cross_origin.allow(origin, response.headers_mut());
        self.add_common(response.headers_mut(), id, false);
        let response = response.set_body(BoxBody::new(refusal::render(&problem, "", None, id)));
        InternalError::from_response(error, response).into()
    }
}
