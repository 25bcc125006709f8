//! Exchanging the code for tokens, and reading from them who somebody is at the provider. Then they are dropped.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::http::HeaderValue;
use openidconnect::{
    AccessToken, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, HttpRequest,
    Nonce, OAuth2TokenResponse, PkceCodeVerifier, RequestTokenError, SignatureVerificationError,
    SubjectIdentifier, TokenResponse, UserInfoError,
};

use super::discovery::Metadata;
use super::failure::Failure;
use super::fetch::{Deadline, Fetching};
use super::provider::{Provider, Ready};
use crate::domain::email::Email;

/// Clocks differ by this much.
pub(super) const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// RS256 is what every provider has (OpenID Connect Core 15.1); the others are its modern forms. Never `none`, and
/// never HS256, whose key would be the client secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 3] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Subjects have at most 255 ASCII characters (OpenID Connect Core 2).
const MAX_SUBJECT: usize = 255;

/// Who somebody is at a provider.
#[derive(Clone, Debug)]
pub struct Claims {
    pub subject: String,
    pub email: Option<Email>,
    /// The provider says that the address is theirs.
    pub email_verified: bool,
    pub preferred_username: Option<String>,
    /// When they last showed the provider who they are.
    pub authenticated_at: Option<DateTime<Utc>>,
}

/// What a provider has told, and where it would tell more. No token outlives this.
pub struct Told {
    pub claims: Claims,
    metadata: Arc<Metadata>,
    access_token: AccessToken,
    until: Deadline,
}

/// Who brings this code.
pub async fn redeem(
    provider: &Provider,
    metadata: Arc<Metadata>,
    code: String,
    nonce: &str,
    verifier: String,
    until: Deadline,
) -> Result<Told, Failure> {
    let client = provider.client(&metadata);
    let asked = provider.ask(until, move |http| {
        Ok(exchange(&client, &http, code, verifier))
    });
    let response = asked.await.map_err(Failure::Unavailable)??;
    let token = response.id_token();
    let token = token.ok_or_else(|| Failure::failed("there is no ID token"))?;
    let claims = match verify(provider, &metadata, token, nonce) {
        Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        )) => {
            let renewed = provider.with_new_keys(&metadata, until).await;
            let renewed = renewed.map_err(Failure::Unavailable)?;
            let renewed = renewed.ok_or_else(|| Failure::failed("the ID token has a new key"))?;
            verify(provider, &renewed, token, nonce)
        }
        verified => verified,
    };
    let claims = claims.map_err(Failure::failed)?;
    Ok(Told {
        claims: read(provider, &claims)?,
        metadata,
        access_token: response.access_token().clone(),
        until,
    })
}

impl Told {
    /// With the address, which some providers put only into userinfo (OpenID Connect Core 5.4).
    pub async fn with_address(&self, provider: &Provider) -> Result<Claims, Failure> {
        let claims = self.claims.clone();
        if claims.email.is_some() || self.metadata.userinfo_endpoint().is_none() {
            return Ok(claims);
        }
        let subject = claims.subject.clone();
        let metadata = &self.metadata;
        let asked = ask_for_address(
            provider,
            metadata,
            self.access_token.clone(),
            subject,
            self.until,
        );
        let Some(info) = asked.await? else {
            return Ok(claims);
        };
        Ok(Claims {
            email: info.email().and_then(|email| Email::parse(email).ok()),
            email_verified: info.email_verified() == Some(true),
            preferred_username: claims
                .preferred_username
                .or_else(|| info.preferred_username().map(|name| name.to_string())),
            ..claims
        })
    }
}

fn exchange(
    client: &Ready,
    http: &Fetching,
    code: String,
    verifier: String,
) -> Result<CoreTokenResponse, Failure> {
    let request = client.exchange_code(AuthorizationCode::new(code));
    let request = request.map_err(Failure::failed)?;
    let response = request
        .set_pkce_verifier(PkceCodeVerifier::new(verifier))
        .request(&|request: HttpRequest| http.call(request));
    response.map_err(|error| match error {
        RequestTokenError::Request(broken) => Failure::Unavailable(broken.to_string()),
        RequestTokenError::ServerResponse(said) => Failure::failed(said),
        // Not its path, which may quote what was sent.
        RequestTokenError::Parse(_, _) => Failure::failed("its tokens are not valid"),
        RequestTokenError::Other(why) => Failure::Failed(why),
    })
}

/// The library does not allow for clocks that differ.
fn verify(
    provider: &Provider,
    metadata: &Metadata,
    token: &CoreIdToken,
    nonce: &str,
) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
    let now = Utc::now();
    let verifier = CoreIdTokenVerifier::new_confidential_client(
        ClientId::new(provider.entry.client_id.clone()),
        ClientSecret::new(provider.entry.client_secret.clone()),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_time_fn(move || now - LEEWAY)
    .set_issue_time_verifier_fn(move |issued| match issued <= now + LEEWAY {
        true => Ok(()),
        false => Err("issued in the future".to_owned()),
    })
    .set_other_audience_verifier_fn(|_| false);
    token
        .claims(&verifier, &Nonce::new(nonce.to_owned()))
        .cloned()
}

/// The library leaves to us what `azp` means, and an empty subject.
fn read(provider: &Provider, claims: &CoreIdTokenClaims) -> Result<Claims, Failure> {
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.contains('\0') {
        return Err(Failure::failed("the subject has no usable length"));
    }
    let party = claims.authorized_party();
    if party.is_some_and(|party| party.as_str() != provider.entry.client_id) {
        return Err(Failure::failed("the ID token is for somebody else (azp)"));
    }
    Ok(Claims {
        subject: subject.to_owned(),
        email: claims.email().and_then(|email| Email::parse(email).ok()),
        email_verified: claims.email_verified() == Some(true),
        preferred_username: claims.preferred_username().map(|name| name.to_string()),
        authenticated_at: claims.auth_time(),
    })
}

/// `None`: it says nothing that we understand, so the person types an address.
async fn ask_for_address(
    provider: &Provider,
    metadata: &Metadata,
    access_token: AccessToken,
    subject: String,
    until: Deadline,
) -> Result<Option<CoreUserInfoClaims>, Failure> {
    // The library would panic.
    if HeaderValue::from_str(access_token.secret()).is_err() {
        return Err(Failure::failed("the access token fits into no header"));
    }
    let client = provider.client(metadata);
    let asked = provider.ask(until, move |http| {
        let subject = Some(SubjectIdentifier::new(subject));
        let request = client.user_info(access_token, subject);
        let request = request.map_err(|error| error.to_string())?;
        let claims: Result<CoreUserInfoClaims, _> =
            request.request(&|request: HttpRequest| http.call(request));
        Ok(match claims {
            Ok(claims) => Ok(Some(claims)),
            Err(UserInfoError::Request(broken)) => Err(Failure::Unavailable(broken.to_string())),
            Err(UserInfoError::ClaimsVerification(why)) => Err(Failure::failed(why)),
            Err(_) => Ok(None),
        })
    });
    asked.await.map_err(Failure::Unavailable)?
}
