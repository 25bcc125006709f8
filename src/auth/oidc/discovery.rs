//! What a provider says of itself (OpenID Connect Discovery 1.0): its endpoints, its keys, and what it can do.

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, HttpRequest, IssuerUrl, ProviderMetadata,
};
use serde::{Deserialize, Serialize};

use super::fetch::{Broken, Down, Fetching};

/// Beside what the library knows.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct More {
    /// RFC 9207: the provider says in each answer who it is.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

pub type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub fn discover(issuer: &str, http: &Fetching) -> Result<Metadata, Down> {
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|error| error.to_string())?;
    let metadata = Metadata::discover(&issuer, &|request: HttpRequest| http.call(request));
    let metadata = metadata.map_err(|error| why(&error))?;
    // The browser goes there, and must not find `javascript:`.
    if !http.allows(metadata.authorization_endpoint().url()) {
        return Err("the authorization_endpoint is not https".to_owned());
    }
    if metadata.token_endpoint().is_none() {
        return Err("there is no token_endpoint".to_owned());
    }
    Ok(metadata)
}

pub fn with_new_keys(metadata: &Metadata, http: &Fetching) -> Result<Metadata, Down> {
    let fetch = |request: HttpRequest| http.call(request);
    let keys = CoreJsonWebKeySet::fetch(metadata.jwks_uri(), &fetch);
    Ok(metadata
        .clone()
        .set_jwks(keys.map_err(|error| why(&error))?))
}

/// Whether a provider that says `iss` in its answer is this one.
pub fn is_from(metadata: &Metadata, iss: Option<&str>) -> bool {
    let says_so = metadata
        .additional_metadata()
        .authorization_response_iss_parameter_supported;
    match iss {
        Some(iss) => iss == metadata.issuer().as_str(),
        None => !says_so,
    }
}

/// Without the body, which may hold anything.
fn why(error: &DiscoveryError<Broken>) -> Down {
    match error {
        DiscoveryError::Request(broken) => broken.to_string(),
        DiscoveryError::Response(_, _, text) => text.clone(),
        DiscoveryError::Parse(error) => format!("its metadata is not valid: {error}"),
        other => other.to_string(),
    }
}
