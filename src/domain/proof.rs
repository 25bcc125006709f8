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
pub struct Proof(Vec<Method>);

impl Proof {
    pub fn by(method: Method) -> Self {
        Self(vec![method])
    }

    pub fn and(mut self, method: Method) -> Self {
        self.0.push(method);
        self
    }

    /// A proof that an unfinished login has kept. Words that this version does not know count for nothing.
    pub fn from_names(names: &[String]) -> Self {
        Self(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|method| method.name()).collect()
    }

    pub fn factors(&self) -> i16 {
        let two = self.0.iter().any(|method| method.is_second_factor());
        1 + i16::from(two)
    }

    /// Whether it lets somebody in whose second factor is on.
    pub fn is_enough(&self) -> bool {
        self.factors() > 1 || self.0.contains(&Method::TrustedDevice)
    }
}
