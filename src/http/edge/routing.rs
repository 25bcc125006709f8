//! Responses for paths and methods that no route has.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::http::site::Site;
use crate::http::wire::code::Code;
use crate::http::wire::problem::Problem;

/// At `/`, where people look first.
const NO_PAGE: &str =
    "This server shows no pages here. What it does for apps is described at /swagger-ui/.";

/// The methods of every documented path, to tell 405 from 404.
pub struct Router(Vec<(ResourceDef, String)>);

impl Router {
    pub fn new(operations: &[(String, Vec<&'static str>)]) -> Self {
        Self(
            operations
                .iter()
                .map(|(path, methods)| (ResourceDef::new(path.as_str()), allow(methods)))
                .collect(),
        )
    }

    fn allowed(&self, path: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(pattern, _)| pattern.is_match(path))
            .map(|(_, methods)| methods.as_str())
    }
}

/// Every GET route also answers HEAD, and every path answers preflights.
fn allow(methods: &[&'static str]) -> String {
    let mut all = methods.to_vec();
    if methods.contains(&"GET") {
        all.push("HEAD");
    }
    all.push("OPTIONS");
    all.join(", ")
}

/// A page, if there is one here.
pub async fn elsewhere(
    request: HttpRequest,
    site: Data<Site>,
    router: Data<Router>,
) -> Result<HttpResponse, Problem> {
    if *request.method() == Method::GET {
        if let Some(front) = &site.front
            && let Some(page) = front.answer(&request).await?
        {
            return Ok(page);
        }
        if request.path() == "/" {
            return Err(Problem::with_detail(Code::NotFound, NO_PAGE));
        }
    }
    not_found(request, router).await
}

pub async fn not_found(
    request: HttpRequest,
    router: Data<Router>,
) -> Result<HttpResponse, Problem> {
    Err(match router.allowed(request.path()) {
        Some(methods) => Problem {
            allow: Some(methods.to_owned()),
            ..Problem::new(Code::MethodNotAllowed)
        },
        None => Problem::new(Code::NotFound),
    })
}
