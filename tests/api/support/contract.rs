//! Holds every answer that a test receives against the OpenAPI document: what is not written there must not be sent.

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
            "{method} {path} answered {status}, which the document does not know: {}",
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
    let content = documented["content"]
        .as_object()
        .and_then(|content| content.iter().next());
    match content {
        None => assert_eq!(
            reply.body,
            Value::Null,
            "{method} {path} {status} has no documented body"
        ),
        Some((media_type, content)) => {
            assert!(
                reply
                    .header("content-type")
                    .starts_with(media_type.as_str()),
                "{method} {path} {status}: type"
            );
            check_schema(
                &content["schema"],
                &reply.body,
                &format!("{method} {path} {status}"),
            );
        }
    }
    if reply.status.as_u16() == 401 || reply.status.as_u16() == 403 || reply.status.as_u16() == 409
    {
        let code = reply.body["code"].as_str().unwrap();
        let told = documented["description"].as_str().unwrap();
        assert!(
            told.contains(code),
            "{method} {path} {status}: {code} is not among: {told}"
        );
    }
}

/// What every refusal promises.
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

/// Types, required properties, and no property that is not documented.
fn check_schema(schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check_schema(&document()["components"]["schemas"][name], value, place);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut properties = serde_json::Map::new();
        for part in parts {
            let part = resolve(part);
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            check_required(part, value, place);
        }
        return check_properties(&properties, value, place);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&actual), "{place}: {value} is not {types:?}");
    if let Some(items) = schema.get("items") {
        value
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|item| check_schema(items, item, place));
    }
    if let Some(properties) = schema["properties"].as_object() {
        check_required(schema, value, place);
        check_properties(properties, value, place);
    }
}

fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            &document()["components"]["schemas"][reference.rsplit('/').next().unwrap()]
        }
        None => schema,
    }
}

fn check_required(schema: &Value, value: &Value, place: &str) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        assert!(
            value.get(name).is_some(),
            "{place}: {name} is missing in {value}"
        );
    }
}

fn check_properties(properties: &serde_json::Map<String, Value>, value: &Value, place: &str) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let schema = properties
            .get(name)
            .unwrap_or_else(|| panic!("{place}: {name} is not documented"));
        check_schema(schema, value, &format!("{place} {name}"));
    }
}
