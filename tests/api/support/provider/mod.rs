//! A provider (OpenID Connect) on loopback that can lie about everything, and the settings of a server that trusts it.

mod serve;
mod tokens;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::{Position, Url};

use super::authenticator::random;
use super::process::TempDir;
use tokens::Key;
pub use tokens::Signature;

pub const CLIENT_ID: &str = "latchkey of tests";
/// Needs escaping (RFC 6749 2.3.1).
pub const CLIENT_SECRET: &str = "s3cret: 100% \u{e9}/+";

/// How the provider behaves from now on. Honest by default.
#[derive(Clone, Default)]
pub struct Lies {
    /// Members of its metadata; null takes one away.
    pub metadata: Value,
    /// Claims of its ID tokens, in the same way.
    pub claims: Value,
    pub header: Value,
    pub signature: Signature,
    /// `iss` in the answer that the browser brings (RFC 9207), if it is another.
    pub answer_iss: Option<String>,
    /// Its answers at a path.
    pub trouble: Option<(&'static str, Trouble)>,
    /// Who logs in there when a browser comes, at once.
    pub person: Value,
    /// What /userinfo says. Without it there is no such endpoint.
    pub userinfo: Value,
}

#[derive(Clone)]
pub enum Trouble {
    /// Accepts the request and never answers.
    Silent,
    /// One byte a second.
    Slow,
    /// A body without an end.
    Endless,
    Redirect(String),
    Status(u16),
    Says(String),
}

/// What it gives for a code.
#[derive(Clone)]
struct Granted {
    redirect_uri: String,
    nonce: String,
    challenge: String,
    person: Value,
}

struct Shared {
    issuer: String,
    lies: Mutex<Lies>,
    key: Mutex<Key>,
    codes: Mutex<HashMap<String, Granted>>,
    /// The paths that were asked for.
    asked: Mutex<Vec<String>>,
}

/// Runs on the caller's runtime until it is dropped.
pub struct Provider {
    pub issuer: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            lies: Mutex::default(),
            key: Mutex::new(Key::generate()),
            codes: Mutex::default(),
            asked: Mutex::default(),
        });
        let task = tokio::spawn(serve::run(listener, shared.clone()));
        Self {
            issuer,
            shared,
            task,
        }
    }

    pub fn lie(&self, lies: Lies) {
        *self.shared.lies.lock().unwrap() = lies;
    }

    /// From now on it signs with another key.
    pub fn change_key(&self) {
        *self.shared.key.lock().unwrap() = Key::generate();
    }

    /// Nobody answers at its address any more.
    pub fn die(&self) {
        self.task.abort();
    }

    /// How often this path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|one| *one == path).count()
    }

    /// What happens at the authorization endpoint when this person logs in there. Returns where the browser goes: a path
    /// of the server under test.
    pub fn log_in(&self, authorization_url: &str, person: Value) -> String {
        path(&self.shared.log_in(authorization_url, person))
    }

    /// The way back with something else than a code.
    pub fn back(&self, authorization_url: &str, answer: &[(&str, &str)]) -> String {
        path(&self.shared.back(authorization_url, answer))
    }
}

fn path(url: &str) -> String {
    Url::parse(url).unwrap()[Position::BeforePath..].to_owned()
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn log_in(&self, authorization_url: &str, person: Value) -> String {
        let url = Url::parse(authorization_url).unwrap();
        let given: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(given["response_type"], "code");
        assert_eq!(given["client_id"], CLIENT_ID);
        assert_eq!(given["code_challenge_method"], "S256");
        assert!(given["scope"].split(' ').any(|scope| scope == "openid"));
        for (name, length) in [("state", 64), ("nonce", 64), ("code_challenge", 43)] {
            assert_eq!(given[name].len(), length, "{name}");
        }
        let code = hex::encode(random::<16>());
        let granted = Granted {
            redirect_uri: given["redirect_uri"].clone(),
            nonce: given["nonce"].clone(),
            challenge: given["code_challenge"].clone(),
            person,
        };
        self.codes.lock().unwrap().insert(code.clone(), granted);
        self.back(authorization_url, &[("code", &code)])
    }

    fn back(&self, authorization_url: &str, answer: &[(&str, &str)]) -> String {
        let url = Url::parse(authorization_url).unwrap();
        let given: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let lies = self.lies.lock().unwrap();
        let mut back = Url::parse(&given["redirect_uri"]).unwrap();
        let iss = lies.answer_iss.as_ref().unwrap_or(&self.issuer);
        let mut pairs = back.query_pairs_mut();
        pairs.extend_pairs(answer);
        pairs.append_pair("state", &given["state"]);
        if !iss.is_empty() {
            pairs.append_pair("iss", iss);
        }
        drop(pairs);
        back.into()
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut metadata = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "authorization_response_iss_parameter_supported": true,
        });
        let lies = self.lies.lock().unwrap();
        if lies.userinfo.is_object() {
            metadata["userinfo_endpoint"] = json!(at("/userinfo"));
        }
        merge(&mut metadata, &lies.metadata);
        metadata
    }

    /// The answer of the token endpoint, or the error that it tells.
    fn redeem(&self, form: &HashMap<String, String>) -> Result<Value, &'static str> {
        let code = form.get("code").ok_or("invalid_request")?;
        let granted = self.codes.lock().unwrap().remove(code);
        let granted = granted.ok_or("invalid_grant")?;
        let verifier = form.get("code_verifier").ok_or("invalid_request")?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        if challenge != granted.challenge || form.get("redirect_uri") != Some(&granted.redirect_uri)
        {
            return Err("invalid_grant");
        }
        let lies = self.lies.lock().unwrap().clone();
        let token = self
            .key
            .lock()
            .unwrap()
            .id_token(&self.issuer, &granted, &lies);
        Ok(json!({
            "access_token": "AT-never-kept", "refresh_token": "RT-never-kept", "token_type": "Bearer",
            "expires_in": 3600, "id_token": token,
        }))
    }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(into.as_object_mut().unwrap().remove(name)),
            value => into[name] = value.clone(),
        }
    }
}

/// A file with providers, for as long as it lives.
pub struct File {
    _directory: TempDir,
    /// The flag that names it.
    pub flag: String,
}

/// Each provider under its name, with what else its table says.
pub fn file(providers: &[(&str, &Provider, &str)]) -> File {
    let directory = TempDir::new();
    std::fs::write(directory.0.join("secret"), format!("{CLIENT_SECRET}\n")).unwrap();
    let table = |(name, provider, more): &(&str, &Provider, &str)| {
        format!(
            "[{name}]\nissuer = \"{}\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = \"secret\"\nlabel = \"The {name}\"\n{more}\n",
            provider.issuer
        )
    };
    let tables: String = providers.iter().map(table).collect();
    let path = directory.0.join("providers.toml");
    std::fs::write(&path, tables).unwrap();
    File {
        flag: flag(&path),
        _directory: directory,
    }
}

fn flag(path: &Path) -> String {
    format!("--oidc-providers={}", path.display())
}
