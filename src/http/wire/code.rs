//! The error codes, with their statuses and texts.

use actix_web::http::StatusCode;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// Everything about a code.
pub struct Facts {
    pub status: StatusCode,
    pub title: &'static str,
    /// A sentence that an app may show as it is.
    pub detail: &'static str,
    /// What a developer should know and do.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($(#[$comment:meta])* $code:ident: $status:ident, $title:literal, $detail:literal, $meaning:literal;)*) => {
        /// What went wrong: stable words for programs. `GET /api/errors` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, EnumString, IntoStaticStr, VariantArray)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum Code {
            $($(#[$comment])* $code,)*
        }

        impl Code {
            pub fn facts(self) -> Facts {
                match self {
                    $(Self::$code => Facts {
                        status: StatusCode::$status,
                        title: $title,
                        detail: $detail,
                        meaning: $meaning,
                    },)*
                }
            }
        }
    };
}

codes! {
    OidcDenied: SEE_OTHER, "Refused at the provider",
        "You did not finish at the provider. Please try again.",
        "In the error of a redirect from /api/oidc/{provider}/callback: the provider says access_denied.";
    OidcFailed: SEE_OTHER, "Login with the provider failed",
        "Something went wrong between us and the provider. Please try again.",
        "In the error of a redirect from /api/oidc/{provider}/callback. Something that the browser or the provider sent is \
         not valid, or another person came back; the log says what.";
    OidcExpired: SEE_OTHER, "Took too long at the provider",
        "This took too long, or began in another browser. Please try again.",
        "In the error of a redirect from /api/oidc/{provider}/callback: the state is unknown, used, older than ten minutes, \
         or of another browser, provider or session.";
    OidcUnavailable: SEE_OTHER, "Provider not available",
        "This provider cannot be used at the moment. Please try again later.",
        "In the error of a redirect from /api/oidc/{provider}/callback: the provider does not answer as it should, a limit was \
         hit, or we are overloaded; the log says more.";
    OidcEmailInUse: SEE_OTHER, "Address has an account",
        "There is already an account here with your email address. Please log in to it, then connect the provider there.",
        "In the error of a redirect from /api/oidc/{provider}/callback. The same address never connects two accounts: the \
         owner does, with POST /api/oidc/{provider}/start and the intent link.";
    OidcIdentityInUse: SEE_OTHER, "Connected to another account",
        "Another account here is already connected to that account at the provider.",
        "In the error of a redirect from /api/oidc/{provider}/callback: somebody else here has this identity.";
    OidcNotRecent: SEE_OTHER, "Not confirmed by the provider",
        "The provider did not confirm just now that it is you. Please confirm it another way, or log out and in again.",
        "In the error of a redirect from /api/oidc/{provider}/callback. The provider does not say that the person has just \
         logged in there, or two factors are needed and its login counts as one.";
    MalformedJson: BAD_REQUEST, "Malformed JSON",
        "The request is not valid JSON.",
        "The body is not one JSON object, or names a field twice.";
    BadRequest: BAD_REQUEST, "Bad request",
        "The request is not valid.",
        "The request is not valid HTTP for this path.";
    NotAuthenticated: UNAUTHORIZED, "Not logged in",
        "Please log in.",
        "There is no session, or it has ended. Inside a session a 401 means nothing else. login_url leads to the login.";
    InvalidCredentials: UNAUTHORIZED, "Wrong name or password",
        "Your username or password is not correct.",
        "No user has this name and password. The response does not say which of the two is wrong.";
    InvalidPasskey: UNAUTHORIZED, "Passkey not accepted",
        "This passkey was not accepted. Please try again, or log in another way.",
        "The signature, or what it covers, is not what this server asked for. The log and the user's events name the \
         reason, unless no browser sends such a credential.";
    UnknownPasskey: UNAUTHORIZED, "Unknown passkey",
        "This passkey does not work here any more. Please log in another way.",
        "Nobody has this passkey, or no longer. Tell the browser: PublicKeyCredential.signalUnknownCredential.";
    SecondFactorRequired: UNAUTHORIZED, "Second factor needed",
        "Please confirm that it is you with your second factor.",
        "The first factor was right; nobody is logged in yet. POST /api/login/second-factor with one of methods, before \
         expires_at. From POST /api/reauthenticate it is a 403: send the password again, with code or recovery_code.";
    InvalidCode: UNAUTHORIZED, "Wrong code",
        "This code is not right, or used already.",
        "tries_left says how many codes this login may still try. Each code works once.";
    AccountDisabled: FORBIDDEN, "Account disabled",
        "This account is disabled.",
        "The proof was right, but an operator has disabled the account.";
    EmailNotVerified: FORBIDDEN, "Address not confirmed",
        "Please confirm your email address first: open the link in the mail that we sent you.",
        "The proof was right, but the address is not verified and LATCHKEY_REQUIRE_VERIFIED_EMAIL is on. \
         POST /api/email/verify/resend sends the mail again.";
    Forbidden: FORBIDDEN, "Not allowed",
        "You are not allowed to do this.",
        "The user has none of the roles that needs lists. Roles are granted with latchkey users grant NAME ROLE.";
    SecondFactorMissing: FORBIDDEN, "Second factor needed",
        "Please log in with a second factor to do this.",
        "The login had one factor, and this asks for two.";
    RegistrationClosed: FORBIDDEN, "Registration closed",
        "New accounts cannot be created here at the moment.",
        "LATCHKEY_REGISTRATION is closed, or register is false for the provider. The operator adds users with latchkey users invite or latchkey users add.";
    CrossOriginRequest: FORBIDDEN, "Cross-origin request",
        "A page of another site made this request.",
        "The page's origin is not trusted; detail names the header that says so. If the page is yours, add its origin \
         to LATCHKEY_TRUSTED_ORIGINS; latchkey doctor --origin ORIGIN explains.";
    ReauthenticationRequired: FORBIDDEN, "Confirmation needed",
        "Please confirm again that it is you.",
        "POST /api/reauthenticate, then try again. max_age says how recent that must be, in seconds, and methods with \
         what: where the second factor is on, the password and one of the others.";
    NotFound: NOT_FOUND, "Not found",
        "There is nothing at this address.",
        "No route has this path, or this server does not offer it (GET /api/config); /swagger-ui/ lists the routes.";
    SessionNotFound: NOT_FOUND, "Session not found",
        "This session has already ended.",
        "You have no session with this id. Another user's session gets the same response.";
    ItemNotFound: NOT_FOUND, "Not found",
        "This is not there any more.",
        "Nothing has this id.";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "Method not allowed",
        "This cannot be done here.",
        "The path exists, but not with this method; the Allow header lists its methods.";
    RequestTimeout: REQUEST_TIMEOUT, "Request too slow",
        "The request took too long. Please try again.",
        "The body did not arrive within 15 seconds.";
    AlreadyAuthenticated: CONFLICT, "Already logged in",
        "You are already logged in.",
        "Log out first: POST /api/logout.";
    PasskeyExists: CONFLICT, "Passkey exists",
        "This passkey is registered already.",
        "An account has this credential: yours or another one.";
    LimitReached: CONFLICT, "Limit reached",
        "You have as many of these as you can have. Please remove one first.",
        "A user has ten passkeys at most.";
    LastLoginMethod: CONFLICT, "The last way in",
        "This is your only way to log in. Please add another one first.",
        "Without it, the user could not log in any more: there is no password, and no other passkey or account at a provider.";
    LastSecondFactor: CONFLICT, "The last second factor",
        "This is your only second factor. Please switch two-factor login off first, or add another one.",
        "The user's second factor is on, and without this passkey there would be none: DELETE /api/second-factor first.";
    AlreadyEnabled: CONFLICT, "Already on",
        "This is already set up.",
        "At POST /api/totp: an authenticator app is set up; DELETE /api/totp removes it. At POST /api/second-factor: the \
         second factor is on.";
    NoSecondFactor: CONFLICT, "No second factor",
        "This needs a second factor that you do not have.",
        "The second factor is off. At DELETE /api/totp: there is no authenticator app. At POST /api/second-factor: there \
         is no passkey that works here.";
    OwnAccount: CONFLICT, "Your own account",
        "You cannot do this to your own account.",
        "Another administrator has to do it.";
    LastAdmin: CONFLICT, "The last administrator",
        "Somebody else must become an administrator first.",
        "One administrator who can log in always stays.";
    TokenInvalidOrExpired: GONE, "Link no longer valid",
        "This link is no longer valid. Please ask for a new one.",
        "The token is unknown, used, expired, or replaced by a newer one. Or it is void, because the password or the \
         address has changed, or because another account has the address now.";
    ChallengeExpired: GONE, "Took too long",
        "That took too long. Please try again.",
        "The challenge is unknown, used, older than ten minutes, or was given to another session or for something else. \
         Ask for new options.";
    StepExpired: GONE, "Took too long",
        "This took too long. Please start again.",
        "There is no unfinished login: it expired after ten minutes, used up its tries, or was ended. At \
         POST /api/totp/confirm: no secret is on offer, so ask for one with POST /api/totp.";
    PayloadTooLarge: PAYLOAD_TOO_LARGE, "Body too large",
        "This is too much for one request.",
        "Bodies are limited to 16 KiB, also after decompression.";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "The request is not JSON.",
        "Send the body as application/json, plain or with gzip.";
    ValidationFailed: UNPROCESSABLE_ENTITY, "Validation failed",
        "Some fields need attention.",
        "errors lists everything that is wrong, by field, each with a code and a message for people.";
    RateLimited: TOO_MANY_REQUESTS, "Too many attempts",
        "Please wait before trying again.",
        "Wait as long as Retry-After says, in seconds. RateLimit-Policy names the limit.";
    InternalError: INTERNAL_SERVER_ERROR, "Internal error",
        "Something went wrong on our side. Please try again later.",
        "A bug in Latchkey; its log has the details under this request_id.";
    Overloaded: SERVICE_UNAVAILABLE, "Overloaded",
        "The server is busy. Please try again in a moment.",
        "Too many passwords are being checked, or this instance is about to stop. Wait as long as Retry-After says.";
    ProviderUnavailable: SERVICE_UNAVAILABLE, "Provider not available",
        "This provider cannot be used at the moment. Please try again later.",
        "What the provider says of itself (OpenID Connect Discovery) cannot be read; the log says why, and so does \
         latchkey doctor. Wait as long as Retry-After says.";
    DatabaseUnavailable: SERVICE_UNAVAILABLE, "Database unavailable",
        "The service is not available at the moment. Please try again shortly.",
        "The database does not answer or accepts no writes. Wait as long as Retry-After says.";
}

impl Code {
    pub fn status(self) -> StatusCode {
        self.facts().status
    }

    /// The code for an error response that actix produced without us.
    pub fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::NotAuthenticated,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            410 => Self::TokenInvalidOrExpired,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 => Self::Overloaded,
            500.. => Self::InternalError,
            _ => Self::BadRequest,
        }
    }
}
