//! Checks every response that a test receives against the OpenAPI document.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::Value;

use super::Reply;

pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(latchkey::http::document()).unwrap());
    &DOCUMENT
}

pub fn check(method: &Method, path: &str, reply: &Reply) {
    if reply.status.is_client_error() || reply.status.is_server_error() {
        check_problem(path, reply);
    }
    let Some(operation) = operation(method, path) else {
        return;
    };
    let status = reply.status.as_str();
    let Some(documented) = operation["responses"].get(status) else {
        panic!(
            "{method} {path} answered {status}, which is not documented: {}",
            reply.body
        );
    };
    for (name, _) in documented["headers"].as_object().into_iter().flatten() {
        let optional = ["Set-Cookie"].contains(&name.as_str());
        assert!(
            optional || reply.headers.contains_key(name.as_str()),
            "{method} {path} {status} without {name}"
        );
    }
    check_body(documented, reply, &format!("{method} {path} {status}"));
}

fn check_body(documented: &Value, reply: &Reply, place: &str) {
    let content = documented["content"].as_object();
    match content.and_then(|content| content.iter().next()) {
        None => assert_eq!(reply.body, Value::Null, "{place} has no documented body"),
        Some((media_type, content)) => {
            let sent = reply.header("content-type");
            assert!(sent.starts_with(media_type.as_str()), "{place}: type");
            check_schema(&content["schema"], &reply.body, place);
        }
    }
}

/// What every error response promises.
fn check_problem(path: &str, reply: &Reply) {
    assert_eq!(
        reply.header("content-type"),
        "application/problem+json",
        "{path}"
    );
    assert_eq!(
        reply.body["status"],
        reply.status.as_u16(),
        "{}",
        reply.body
    );
    assert_eq!(reply.body["instance"], path);
    assert_eq!(reply.body["request_id"], reply.header("x-request-id"));
    let code = reply.body["code"].as_str().unwrap();
    assert_eq!(reply.body["type"], format!("/api/errors#{code}"));
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let (_, item) = document()["paths"]
        .as_object()?
        .iter()
        .find(|(template, _)| matches(template, path))?;
    item.get(method.as_str().to_ascii_lowercase())
}

fn matches(template: &str, path: &str) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    a.len() == b.len() && a.iter().zip(&b).all(|(t, p)| t.starts_with('{') || t == p)
}

/// Checks types, enums, required properties, and that every property is documented.
fn check_schema(schema: &Value, value: &Value, place: &str) {
    if let Err(why) = fits(schema, value) {
        panic!("{place}: {why}");
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let place = format!("{place} {name}");
        if let Some(additional) = resolve(schema).get("additionalProperties") {
            check_schema(additional, value, &place);
        } else if is_closed(schema) {
            let documented = properties(schema, name);
            let fitting = documented
                .into_iter()
                .find(|schema| fits(schema, value).is_ok());
            let fitting = fitting.unwrap_or_else(|| panic!("{place} is not documented"));
            check_schema(fitting, value, &place);
        }
    }
    if let Some(items) = resolve(schema).get("items") {
        for item in value.as_array().into_iter().flatten() {
            check_schema(items, item, place);
        }
    }
}

/// Whether a value matches this schema.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(schema);
    for part in parts(schema, "allOf") {
        fits(part, value)?;
    }
    let one_of = parts(schema, "oneOf");
    let fitting = one_of.iter().filter(|part| fits(part, value).is_ok());
    if !one_of.is_empty() && fitting.count() != 1 {
        let why: Vec<_> = one_of.iter().map(|part| fits(part, value)).collect();
        return Err(format!("{value} is not exactly one of these: {why:?}"));
    }
    let words = parts(schema, "enum");
    if !words.is_empty() && !words.contains(value) {
        return Err(format!("{value} is none of {words:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&actual) {
        return Err(format!("{value} is not {types:?}"));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values.iter().try_for_each(|value| fits(items, value))?;
    }
    for name in parts(schema, "required").iter().filter_map(Value::as_str) {
        value
            .get(name)
            .ok_or_else(|| format!("{name} is missing in {value}"))?;
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            fits(schema, value).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

fn parts<'a>(schema: &'a Value, word: &str) -> &'a [Value] {
    schema[word].as_array().map_or(&[], Vec::as_slice)
}

fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            &document()["components"]["schemas"][reference.rsplit('/').next().unwrap()]
        }
        None => schema,
    }
}

/// Whether a schema lists any properties.
fn is_closed(schema: &Value) -> bool {
    let schema = resolve(schema);
    let mut within = parts(schema, "allOf").iter().chain(parts(schema, "oneOf"));
    schema.get("properties").is_some() || within.any(is_closed)
}

/// All schemas for a property.
fn properties<'a>(schema: &'a Value, name: &str) -> Vec<&'a Value> {
    let schema = resolve(schema);
    let within = parts(schema, "allOf").iter().chain(parts(schema, "oneOf"));
    let own = schema["properties"].get(name).into_iter();
    own.chain(within.flat_map(|part| properties(part, name)))
        .collect()
}
