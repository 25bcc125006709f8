//! Problem details as they are sent (RFC 9457).

use std::collections::BTreeMap;

use serde::Serialize;
use strum::VariantNames;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::code::Code;
use super::timestamp::Timestamp;
use super::words::one_of;
use crate::domain::field::FieldCode;
use crate::domain::proof::Method;

/// One error in one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    #[schema(value_type = FieldCodeName)]
    pub code: &'static str,
    /// A sentence that an app may show as it is.
    #[schema(example = "Please use a different username.")]
    pub message: String,
}

/// The values of [`FieldCode`] in the OpenAPI document.
pub struct FieldCodeName;

impl PartialSchema for FieldCodeName {
    fn schema() -> RefOr<Schema> {
        let words = one_of(FieldCode::VARIANTS);
        words
            .description(Some("What is wrong with a field."))
            .into()
    }
}

impl ToSchema for FieldCodeName {}

/// The values of [`Method`] in the OpenAPI document.
pub struct MethodName;

impl PartialSchema for MethodName {
    fn schema() -> RefOr<Schema> {
        let words = one_of(Method::VARIANTS);
        words
            .description(Some("With what people prove who they are."))
            .into()
    }
}

impl ToSchema for MethodName {}

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    #[schema(example = "/api/errors#validation_failed")]
    pub r#type: String,
    pub title: &'a str,
    pub status: u16,
    pub code: Code,
    /// A sentence that an app may show as it is.
    pub detail: &'a str,
    /// The path of the request.
    pub instance: &'a str,
    /// Also in the header X-Request-Id and in the log.
    pub request_id: uuid::Uuid,
    /// With validation_failed: the errors of each field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<FieldProblem>>>, nullable = false)]
    pub errors: Option<&'a BTreeMap<&'static str, Vec<FieldProblem>>>,
    /// With not_authenticated: the login page, with a next that leads back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub login_url: Option<String>,
    /// With reauthentication_required: how recent the proof must be, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_age: Option<u64>,
    /// With forbidden: the roles of which one would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub needs: Option<&'a [String]>,
    /// With second_factor_required and reauthentication_required: what would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<MethodName>>, nullable = false)]
    pub methods: Option<&'a [&'static str]>,
    /// With invalid_code: how many more codes this login may try.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tries_left: Option<i16>,
    /// With second_factor_required: when the login expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<Timestamp>,
}
