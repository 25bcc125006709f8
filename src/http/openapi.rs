//! The OpenAPI document: what the handlers declare, plus what applies to all of them.

use strum::VariantArray;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document, RefOr, Response, Schema, Server};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use super::wire::code::Code;
use super::wire::problem_body::{FieldCodeName, FieldProblem, MethodName, ProblemBody};
use super::wire::refusals::add;
use super::wire::words::one_of;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey",
        description = "The login backend for a single-page app: JSON over cookie sessions. Errors are problem details \
                       (RFC 9457); GET /api/errors explains each code.",
        contact(name = "The developers of Latchkey"),
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "account", description = "Register, log in, log out, who am I"),
        (name = "sessions", description = "See and end your sessions"),
        (name = "password", description = "Change and reset the password"),
        (name = "second factor", description = "Authenticator app, recovery codes, trusted browsers"),
        (name = "passkeys", description = "Log in with a passkey, add and remove one"),
        (name = "providers", description = "Log in with an account at a provider (OpenID Connect)"),
        (name = "e-mail", description = "Verify an address, move to another one"),
        (name = "administration", description = "Users, their roles and sessions, and what happened"),
        (name = "forward auth", description = "Protect other backends behind a proxy"),
        (name = "operations", description = "Health, error codes, this document")
    )
)]
struct Skeleton;

pub fn skeleton() -> Document {
    let mut document = Skeleton::openapi();
    document.servers = Some(vec![Server::new("/")]);
    document
}

/// The operations of a path by method.
fn methods(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ];
    let there = |(method, operation): (_, _)| Option::as_mut(operation).map(|one| (method, one));
    all.into_iter().filter_map(there)
}

/// Every path and its methods.
pub fn operations(mut document: Document) -> Vec<(String, Vec<&'static str>)> {
    let paths = document.paths.paths.iter_mut();
    paths
        .map(|(path, item)| {
            (
                path.clone(),
                methods(item).map(|(method, _)| method).collect(),
            )
        })
        .collect()
}

/// Adds the errors that operations share, the problem schemas behind every refusal, and the common headers.
pub fn complete(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        methods(item).for_each(|(method, operation)| complete_operation(operation, method));
    }
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.extend(problems());
    schemas.push((FieldProblem::name().into_owned(), FieldProblem::schema()));
    schemas.push((FieldCodeName::name().into_owned(), FieldCodeName::schema()));
    schemas.push((MethodName::name().into_owned(), MethodName::schema()));
    schemas.push((Code::name().into_owned(), Code::schema()));
    components.schemas.extend(schemas);
    let mut add = |scheme, cookie, description| {
        let cookie = ApiKeyValue::with_description(cookie, description);
        components.add_security_scheme(scheme, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    };
    add(
        "session",
        "latchkey_session",
        "Set by a login; named __Host-latchkey_session under https.",
    );
    add(
        "step",
        "latchkey_step",
        "Set by a login that still needs the second factor or a name; named __Host-latchkey_step under https.",
    );
    document
}

/// A problem has one of two shapes: `code` tells a client whether there are `errors`.
fn problems() -> Vec<(String, RefOr<Schema>)> {
    let schema = |name: &str, shape: &dyn Fn(&mut Object)| {
        let mut schema = ProblemBody::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            shape(object);
        }
        (name.to_owned(), schema)
    };
    let invalid: &str = Code::ValidationFailed.into();
    let codes = Code::VARIANTS.iter().map(|code| <&str>::from(*code));
    let others: Vec<&str> = codes.filter(|code| *code != invalid).collect();
    let general = schema("GeneralProblem", &|object| {
        object.properties.remove("errors");
        object
            .properties
            .insert("code".to_owned(), one_of(&others).into());
    });
    let validation = schema("ValidationProblem", &|object| {
        for of_others in [
            "login_url",
            "max_age",
            "needs",
            "methods",
            "tries_left",
            "expires_at",
        ] {
            object.properties.remove(of_others);
        }
        object
            .properties
            .insert("code".to_owned(), one_of(&[invalid]).into());
        object.required.push("errors".to_owned());
    });
    vec![general, validation]
}

fn complete_operation(operation: &mut Operation, method: &str) {
    // Public operations need an explicit empty list, or tools ask for a login.
    operation
        .security
        .get_or_insert_with(Vec::<SecurityRequirement>::new);
    let responses = &mut operation.responses.responses;
    add(responses, Code::BadRequest);
    add(responses, Code::InternalError);
    if method != "GET" {
        add(responses, Code::CrossOriginRequest);
    }
    if operation.request_body.is_some() {
        for code in [
            Code::MalformedJson,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ] {
            add(responses, code);
        }
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            describe_headers(status, response);
        }
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
        "Identifies this request in the log.",
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
            "The state of the limit: r tokens left, t seconds until the next.",
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
