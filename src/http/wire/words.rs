//! String enums in the OpenAPI document.

use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

/// A string with one of these values.
pub fn one_of(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()))
}
