//! Refusals in the OpenAPI document. An operation lists these types among its responses.

use std::collections::BTreeMap;
use std::str::FromStr;

use actix_web::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    AllOfBuilder, Content, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
};

use super::code::Code;
use super::words::one_of;

pub type Responses = BTreeMap<String, RefOr<Response>>;

macro_rules! refusals {
    ($($name:ident: $($code:ident),+;)*) => {$(
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                let mut responses = Responses::new();
                $(add(&mut responses, Code::$code);)+
                responses
            }
        }
    )*};
}

refusals! {
    LoginRequired: NotAuthenticated;
    FreshLoginRequired: ReauthenticationRequired;
    LoggedOutRequired: AlreadyAuthenticated;
    WrongCredentials: InvalidCredentials, SecondFactorRequired;
    WrongPasskey: InvalidPasskey, UnknownPasskey;
    WrongSecondFactor: InvalidCode, InvalidPasskey;
    VoidChallenge: ChallengeExpired;
    LoginOrChallengeOver: StepExpired, ChallengeExpired;
    NoMorePasskeys: LimitReached;
    NotAddable: PasskeyExists, LimitReached;
    LastOfItsKind: LastLoginMethod, LastSecondFactor;
    LastWayIn: LastLoginMethod;
    NoPasskeys: NotFound;
    LoginOver: StepExpired;
    AlreadyOn: AlreadyEnabled;
    NotOn: NoSecondFactor;
    NotToTurnOn: AlreadyEnabled, NoSecondFactor;
    NotLetIn: AccountDisabled, EmailNotVerified;
    NotPassed: CrossOriginRequest, Forbidden, SecondFactorMissing, EmailNotVerified, ReauthenticationRequired;
    AdminRequired: Forbidden, SecondFactorMissing, RateLimited;
    FreshAdminRequired: Forbidden, SecondFactorMissing, ReauthenticationRequired, RateLimited;
    NoSuchItem: ItemNotFound;
    LastAdministrator: LastAdmin;
    NotRemovable: OwnAccount, LastAdmin;
    VoidToken: TokenInvalidOrExpired;
    Closed: RegistrationClosed;
    NoSuchSession: SessionNotFound;
    Invalid: ValidationFailed;
    Limited: RateLimited;
    NoProvider: ProviderUnavailable, DatabaseUnavailable;
    NoDatabase: DatabaseUnavailable;
    Busy: DatabaseUnavailable, Overloaded;
}

/// Inside a session, where a 401 would mean that it is over.
pub struct SecondFactorToo;

impl IntoResponses for SecondFactorToo {
    fn responses() -> Responses {
        let mut responses = Responses::new();
        add_as(
            &mut responses,
            StatusCode::FORBIDDEN,
            Code::SecondFactorRequired,
        );
        responses
    }
}

/// Adds a code to the response of its status.
pub fn add(responses: &mut Responses, code: Code) {
    add_as(responses, code.status(), code);
}

fn add_as(responses: &mut Responses, status: StatusCode, code: Code) {
    let status = status.as_str().to_owned();
    let mut codes = match responses.get(&status) {
        Some(RefOr::T(response)) => codes_of(response),
        _ => Vec::new(),
    };
    codes.push(code);
    responses.insert(status, RefOr::T(refusal(&codes)));
}

/// The codes of a refusal, read back from its description.
fn codes_of(response: &Response) -> Vec<Code> {
    let words = response.description.split(", ");
    words.filter_map(|word| Code::from_str(word).ok()).collect()
}

fn refusal(codes: &[Code]) -> Response {
    let words: Vec<&str> = codes.iter().map(|code| (*code).into()).collect();
    ResponseBuilder::new()
        .description(words.join(", "))
        .content(
            "application/problem+json",
            Content::new(Some(problem(&words))),
        )
        .build()
}

/// A problem with one of these codes. It names the one shape that they have: generators stumble over a choice here.
fn problem(codes: &[&str]) -> Schema {
    let shape = match codes {
        ["validation_failed"] => "ValidationProblem",
        _ => "GeneralProblem",
    };
    AllOfBuilder::new()
        .item(Ref::from_schema_name(shape))
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .property("code", one_of(codes))
                .required("code"),
        )
        .into()
}
