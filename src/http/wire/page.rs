//! Tells pages for people from answers of the API.

use actix_web::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// Kept, and asked about each time: the next version may be another.
pub const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Whoever writes a page says what it may do and how long it is kept, and its status and body stay as they are. The
/// edge, which decides all that for the API, finds this in the response's extensions.
struct Page;

/// Makes a response a page, or a part of one, with its policy.
pub fn mark<B>(response: &mut HttpResponse<B>, policy: Option<HeaderValue>) {
    if let Some(policy) = policy {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response.extensions_mut().insert(Page);
}

pub fn is_page<B>(response: &HttpResponse<B>) -> bool {
    response.extensions().contains::<Page>()
}

/// Whether a browser wants to show the answer as a page, and not to run or draw it.
pub fn is_navigation(request: &HttpRequest) -> bool {
    let mut accepted = request.headers().get_all(ACCEPT);
    accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}
