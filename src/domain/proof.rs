//! With what people prove who they are.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// One of the means of a login. A session lists those that its user used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Method {
    Password,
    Totp,
    RecoveryCode,
    Passkey,
    /// An account at a provider (OpenID Connect).
    Oidc,
    /// In place of a second factor, in a browser that showed one before.
    TrustedDevice,
}

impl Method {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// A passkey that verified its user is two factors: something they have, and something they know or are.
    fn is_second_factor(self) -> bool {
        matches!(self, Self::Totp | Self::RecoveryCode | Self::Passkey)
    }
}

/// What somebody has proven, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    methods: Vec<Method>,
    /// A provider has asked for two factors, and its word counts.
    vouched_for_two: bool,
}

impl Proof {
    pub fn by(method: Method) -> Self {
        Self {
            methods: vec![method],
            vouched_for_two: false,
        }
    }

    /// By an account at a provider, whose login may count as two factors.
    pub fn by_provider(counts_as_two: bool) -> Self {
        Self {
            vouched_for_two: counts_as_two,
            ..Self::by(Method::Oidc)
        }
    }

    pub fn and(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// A proof that an unfinished login has kept. Words that this version does not know count for nothing.
    pub fn from_names(names: &[String]) -> Self {
        Self {
            methods: names.iter().filter_map(|name| name.parse().ok()).collect(),
            vouched_for_two: false,
        }
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.methods.iter().map(|method| method.name()).collect()
    }

    pub fn factors(&self) -> i16 {
        let shown = self.methods.iter().any(|method| method.is_second_factor());
        1 + i16::from(shown || self.vouched_for_two)
    }

    /// Whether it lets somebody in whose second factor is on.
    pub fn is_enough(&self) -> bool {
        self.factors() > 1 || self.methods.contains(&Method::TrustedDevice)
    }
}
