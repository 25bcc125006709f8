//! scrypt: Werkzeug, Django, Better Auth, PHC strings.

use scrypt::Params;

use super::bounds;
use super::encodings::{base64, is_plain, named, number, parts, passlib_base64};

pub struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    takes_nfkc: bool,
}

impl Scrypt {
    pub fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        Self::of_werkzeug(stored)
            .or_else(|| Self::of_django(stored))
            .or_else(|| Self::of_phc(stored))
            .or_else(|| Self::of_better_auth(stored))
    }

    /// `scrypt:32768:8:1$salt$hex`; the salt is text.
    fn of_werkzeug(stored: &str) -> Option<(Self, Vec<u8>)> {
        let [method, salt, key] = parts(stored, '$')?;
        let ["scrypt", n, r, p] = parts(method, ':')? else {
            return None;
        };
        let recipe = Self::new(logarithm(n)?, r, p, salt.into())?;
        Some((recipe, hex::decode(key).ok()?))
    }

    /// `scrypt$16384$salt$8$5$base64`; the salt is text.
    fn of_django(stored: &str) -> Option<(Self, Vec<u8>)> {
        let ["scrypt", n, salt, r, p, key] = parts(stored, '$')? else {
            return None;
        };
        let recipe = Self::new(logarithm(n)?, r, p, salt.into())?;
        Some((recipe, base64(key)?))
    }

    /// `$scrypt$ln=16,r=8,p=1$salt$key`.
    fn of_phc(stored: &str) -> Option<(Self, Vec<u8>)> {
        let ["", "scrypt", params, salt, key] = parts(stored, '$')? else {
            return None;
        };
        let [log_n, r, p] = parts(params, ',')?;
        let log_n = u8::try_from(number(named("ln", log_n)?)?).ok()?;
        let (r, p) = (named("r", r)?, named("p", p)?);
        let recipe = Self::new(log_n, r, p, passlib_base64(salt)?)?;
        Some((recipe, passlib_base64(key)?))
    }

    /// `salt:key`, both in hexadecimal; the salt is its digits as text.
    fn of_better_auth(stored: &str) -> Option<(Self, Vec<u8>)> {
        let (salt, key) = stored.split_once(':')?;
        let is_hex = |text: &str| text.bytes().all(|c| c.is_ascii_hexdigit());
        if salt.len() != 32 || key.len() != 128 || !is_hex(salt) {
            return None;
        }
        let recipe = Self {
            log_n: 14,
            r: 16,
            p: 1,
            salt: salt.into(),
            takes_nfkc: true,
        };
        Some((recipe, hex::decode(key).ok()?))
    }

    fn new(log_n: u8, r: &str, p: &str, salt: Vec<u8>) -> Option<Self> {
        let recipe = Self {
            log_n,
            r: number(r)?,
            p: number(p)?,
            salt,
            takes_nfkc: false,
        };
        (1..=63).contains(&log_n).then_some(recipe)
    }

    pub fn takes_nfkc(&self) -> bool {
        self.takes_nfkc
    }

    pub fn run(&self, password: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut key = vec![0; length];
        let params = Params::new(self.log_n, self.r, self.p).ok()?;
        scrypt::scrypt(password, &self.salt, &params, &mut key).ok()?;
        Some(key)
    }

    pub fn kib(&self) -> u32 {
        bounds::scrypt_kib(self.n(), self.r, self.p)
    }

    pub fn micros(&self) -> u64 {
        if self.r > bounds::MAX_SCRYPT_R || self.p > bounds::MAX_SCRYPT_P {
            return u64::MAX;
        }
        bounds::scrypt_micros(self.n(), self.r, self.p)
    }

    fn n(&self) -> u64 {
        1 << self.log_n
    }
}

/// Of a power of two.
fn logarithm(n: &str) -> Option<u8> {
    let n: u64 = n.parse().ok().filter(|_| is_plain(n))?;
    let log = u8::try_from(n.checked_ilog2()?).ok()?;
    n.is_power_of_two().then_some(log)
}
