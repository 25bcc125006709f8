//! Register, log in, log out, and who am I.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::account::{self, Registration};
use crate::auth::error::AuthError;
use crate::auth::login::{Login, log_in};
use crate::auth::password::PlainPassword;
use crate::auth::{Services, session};
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::next::safe_next;
use crate::http::Site;
use crate::http::session::browser::{Browser, CurrentUser, ends_at};
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::timestamp::Timestamp;
use crate::store::sessions;
use crate::store::users;

#[derive(Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Letters, digits, `.`, `_`, `-`. Two names that differ in case only are the same.
    #[schema(value_type = String, required, min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "susan")]
    username: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "susan@example.com")]
    email: Option<Sent<String>>,
    /// Any characters; length and strength are checked, composition is not.
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
    /// The password once more, if your form asks twice.
    #[schema(value_type = Option<String>, format = Password, example = "green-Lamp-42-river")]
    password2: Option<Sent<String>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "susan", "password": "green-Lamp-42-river", "remember_me": false, "next": "/profile"}))]
pub struct LoginRequest {
    /// The username or the e-mail address.
    #[schema(value_type = String, required, min_length = 1, example = "susan")]
    username: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
    /// Stay logged in after the browser was closed.
    #[schema(value_type = Option<bool>, example = false)]
    remember_me: Option<Sent<bool>>,
    /// The page to go to afterwards; a safe path comes back as redirect_to, anything else as `/`.
    #[schema(value_type = Option<serde_json::Value>)]
    next: Option<Sent<String>>,
}

/// What a user may see of himself; nothing else, ever.
#[derive(Serialize, ToSchema)]
pub struct User {
    id: Uuid,
    #[schema(example = "susan")]
    username: String,
    #[schema(example = "susan@example.com")]
    email: String,
    email_verified: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

impl From<&users::User> for User {
    fn from(user: &users::User) -> Self {
        Self {
            id: user.id,
            username: user.username.clone(),
            email: user.email.clone(),
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.into(),
            last_login_at: user.last_login_at.map(Timestamp),
        }
    }
}

/// The session of this browser.
#[derive(Serialize, ToSchema)]
pub struct Session {
    id: Uuid,
    remembered: bool,
    created_at: Timestamp,
    /// When the password was last given.
    authenticated_at: Timestamp,
    /// When it ends if it is not used again.
    expires_at: Timestamp,
}

impl Session {
    fn new(session: &sessions::Session, expires_at: DateTime<Utc>) -> Self {
        Self {
            id: session.id,
            remembered: session.remembered,
            created_at: session.created_at.into(),
            authenticated_at: session.authenticated_at.into(),
            expires_at: expires_at.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    user: User,
    session: Session,
    /// `next` if it is a path of this site, else `/`.
    #[schema(example = "/profile")]
    redirect_to: String,
}

#[derive(Serialize, ToSchema)]
pub struct Me {
    #[serde(flatten)]
    user: User,
    session: Session,
}

/// Register a user.
///
/// Does not log in. All that is wrong with the fields comes back at once.
#[utoipa::path(tag = "account", request_body = RegisterRequest, responses(
    (status = 201, description = "Registered.", body = User, headers(("Location" = String, description = "/api/me"))),
    (status = 409, description = "already_authenticated"),
    (status = 422, description = "validation_failed"),
))]
#[post("/register")]
pub async fn register(
    services: Data<Services>,
    visitor: Option<CurrentUser>,
    Json(form): Json<RegisterRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    must_be_anonymous(visitor.as_ref())?;
    let form = Registration {
        username: form.username.required(),
        email: form.email.required(),
        password: form.password.required(),
        password2: form.password2.optional().transpose(),
    };
    let user = account::register(&services, form, &client).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, "/api/me"))
        .json(User::from(&user)))
}

/// Log in.
///
/// Sets the session cookie. Whether name or password was wrong is not told.
#[utoipa::path(tag = "account", request_body = LoginRequest,
    params(("next" = Option<String>, Query, description = "Like next in the body, which wins.")),
    responses(
        (status = 200, description = "Logged in.", body = LoggedIn,
            headers(("Set-Cookie" = String, description = "The session; with remember_me also Max-Age."))),
        (status = 401, description = "invalid_credentials"),
        (status = 403, description = "account_disabled, only after a right password"),
        (status = 409, description = "already_authenticated"),
        (status = 422, description = "validation_failed"),
))]
#[post("/login")]
pub async fn login(
    request: HttpRequest,
    services: Data<Services>,
    site: Data<Site>,
    visitor: Option<CurrentUser>,
    Json(form): Json<LoginRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    must_be_anonymous(visitor.as_ref())?;
    let next = form
        .next
        .lenient()
        .or_else(|| next_in_query(request.query_string()));
    let redirect_to = next
        .and_then(|next| safe_next(&site.public_url, &next))
        .unwrap_or_else(|| "/".to_owned());
    let login = parse_login(form.username, form.password, form.remember_me)?;
    let started = log_in(&services, login, &client).await?;
    let lifetimes = &services.policy.lifetimes;
    let keep_for = started
        .session
        .remembered
        .then_some(lifetimes.remember.as_secs());
    let session = Session::new(&started.session, lifetimes.deadline(&started.session));
    browser.log_in(started.user.id, started.key, keep_for, started.devices)?;
    Ok(HttpResponse::Ok().json(LoggedIn {
        user: User::from(&started.user),
        session,
        redirect_to,
    }))
}

fn parse_login(
    username: Option<Sent<String>>,
    password: Option<Sent<String>>,
    remember_me: Option<Sent<bool>>,
) -> Result<Login, Problem> {
    let mut errors = FieldErrors::default();
    let filled = |text: String| {
        if text.is_empty() {
            Err(crate::domain::field::FieldError::required())
        } else {
            Ok(text)
        }
    };
    let identifier = errors.take("username", username.required().and_then(filled));
    let password = errors.take(
        "password",
        password
            .required()
            .and_then(|text| PlainPassword::parse(&text)),
    );
    let remember_me = errors.take("remember_me", remember_me.optional());
    match (identifier, password, remember_me) {
        (Some(identifier), Some(password), Some(remember_me)) => Ok(Login {
            identifier,
            password,
            remember_me: remember_me.unwrap_or(false),
        }),
        _ => Err(errors.into()),
    }
}

fn next_in_query(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(key, _)| key == "next")
        .map(|(_, value)| value.into_owned())
}

fn must_be_anonymous(visitor: Option<&CurrentUser>) -> Result<(), AuthError> {
    visitor.map_or(Ok(()), |_| Err(AuthError::AlreadyAuthenticated))
}

/// Nothing to say.
#[derive(Deserialize, ToSchema)]
pub struct LogoutRequest {}

/// Log out.
///
/// Ends this browser's session and clears the cookie; also fine when there is none.
#[utoipa::path(tag = "account", request_body = inline(Option<LogoutRequest>), responses(
    (status = 204, description = "Logged out.", headers(("Set-Cookie" = String, description = "Clears the session."))),
))]
#[post("/logout")]
pub async fn logout(
    services: Data<Services>,
    site: Data<Site>,
    browser: Browser,
    _body: Json<Option<LogoutRequest>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let Some(key_hash) = browser.key_hash()? else {
        return Ok(HttpResponse::NoContent()
            .cookie(site.cookies.removal())
            .finish());
    };
    session::end(&services, key_hash, &client).await?;
    browser.log_out();
    Ok(HttpResponse::NoContent().finish())
}

/// Who am I?
#[utoipa::path(tag = "account", security(("session" = [])), responses(
    (status = 200, description = "You, and this session.", body = Me),
    (status = 401, description = "not_authenticated"),
))]
#[get("/me")]
pub async fn me(services: Data<Services>, user: CurrentUser) -> HttpResponse {
    let CurrentUser(visit) = user;
    let session = Session::new(visit.session(), ends_at(&services, &visit));
    HttpResponse::Ok().json(Me {
        user: User::from(&*visit.user),
        session,
    })
}
