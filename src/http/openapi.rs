//! The OpenAPI document: what the handlers say, completed with what holds for all of them.

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi as Document, Ref, RefOr, Response};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use super::wire::problem::{Code, FieldCodeName, FieldProblem, ProblemBody};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey",
        description = "The login backend for a single-page app: JSON over cookie sessions. Errors are problem details \
                       (RFC 9457); GET /api/errors explains each code.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "account", description = "Register, log in, log out, who am I"),
        (name = "sessions", description = "See and end your sessions"),
        (name = "password", description = "Give and change the password"),
        (name = "operations", description = "Health, error codes, this document")
    )
)]
struct Skeleton;

pub fn skeleton() -> Document {
    let mut document = Skeleton::openapi();
    document.info.contact = None;
    document
}

/// Every path with its methods.
pub fn operations(document: &Document) -> Vec<(String, Vec<String>)> {
    let methods = |item: &PathItem| {
        [
            ("GET", &item.get),
            ("POST", &item.post),
            ("DELETE", &item.delete),
        ]
        .into_iter()
        .filter(|(_, operation)| operation.is_some())
        .map(|(method, _)| method.to_owned())
        .collect()
    };
    document
        .paths
        .paths
        .iter()
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

/// Adds what each operation can answer for reasons of its kind, the problem schema behind every refusal, and the
/// headers of every answer.
pub fn complete(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        for (is_unsafe, operation) in [
            (false, &mut item.get),
            (true, &mut item.post),
            (true, &mut item.delete),
        ] {
            if let Some(operation) = operation {
                complete_operation(operation, is_unsafe);
            }
        }
    }
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    schemas.push((FieldProblem::name().into_owned(), FieldProblem::schema()));
    schemas.push((FieldCodeName::name().into_owned(), FieldCodeName::schema()));
    schemas.push((Code::name().into_owned(), Code::schema()));
    components.schemas.extend(schemas);
    let description = "Set by POST /api/login; named __Host-latchkey_session under https.";
    let cookie = ApiKeyValue::with_description("latchkey_session", description);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
}

fn complete_operation(operation: &mut Operation, is_unsafe: bool) {
    let mut add = |status: &str, codes: &[&str]| add_codes(operation, status, codes);
    add("500", &["internal_error"]);
    add("503", &["database_unavailable", "overloaded"]);
    if is_unsafe {
        add("403", &["cross_origin_request"]);
    }
    let limited = ["register", "login", "reauthenticate", "change_password"];
    if operation
        .operation_id
        .as_deref()
        .is_some_and(|id| limited.contains(&id))
    {
        add_codes(operation, "429", &["rate_limited"]);
    }
    if operation.request_body.is_some() {
        let mut add = |status: &str, codes: &[&str]| add_codes(operation, status, codes);
        add("400", &["malformed_json", "bad_request"]);
        add("408", &["request_timeout"]);
        add("413", &["payload_too_large"]);
        add("415", &["unsupported_media_type"]);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        describe_headers(status, response);
        if status.starts_with(['4', '5']) {
            let problem = Ref::from_schema_name(ProblemBody::name());
            response.content.insert(
                "application/problem+json".to_owned(),
                Content::new(Some(problem)).into(),
            );
        }
    }
}

/// The codes are the description of a refusal.
fn add_codes(operation: &mut Operation, status: &str, codes: &[&str]) {
    let responses = &mut operation.responses.responses;
    let response = responses
        .entry(status.to_owned())
        .or_insert_with(|| RefOr::T(Response::new("")));
    if let RefOr::T(response) = response {
        let mut all = if response.description.is_empty() {
            Vec::new()
        } else {
            vec![response.description.as_str()]
        };
        all.extend(codes);
        response.description = all.join(", ");
    }
}

fn describe_headers(status: &str, response: &mut Response) {
    let mut add = |name: &str, kind: Type, description: &str| {
        let mut header = Header::new(Object::with_type(kind));
        header.description = Some(description.to_owned());
        let header = RefOr::T(header);
        response.headers.insert(name.to_owned(), header);
    };
    add(
        "X-Request-Id",
        Type::String,
        "Names this request in the log.",
    );
    if status == "429" {
        add(
            "RateLimit-Policy",
            Type::String,
            "The limit: its name, q tokens, w seconds.",
        );
        add(
            "RateLimit",
            Type::String,
            "Its state: r tokens left, t seconds until the next.",
        );
    }
    if matches!(status, "429" | "503") {
        add(
            "Retry-After",
            Type::Integer,
            "Seconds to wait before another try.",
        );
    }
}
