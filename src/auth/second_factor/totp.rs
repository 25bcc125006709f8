//! TOTP (RFC 6238): the secret that an authenticator app shares, and which codes it makes.

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::otpauth::OtpauthUri;
use crate::domain::base32::{BYTES, RFC4648, encode};
use crate::domain::secret::{NoRandom, random};
use crate::domain::totp_code::{DIGITS, TotpCode};

/// 160 bits, which RFC 4226 section 4 recommends.
const SECRET_LEN: usize = 20;
/// The default of RFC 6238 section 5.2, and the only one that every app knows.
const STEP_SECONDS: u64 = 30;
/// One step for slow typing, one for a phone's clock that is fast (RFC 6238 section 5.2).
const SKEW: u16 = 1;

/// Never logged, and sealed in the database.
pub struct TotpSecret([u8; SECRET_LEN]);

impl TotpSecret {
    pub fn generate() -> Result<Self, NoRandom> {
        random().map(Self)
    }

    /// `None` if it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For people who type it into their app: base32 without padding.
    pub fn base32(&self) -> String {
        let (halves, _) = self.0.as_chunks::<BYTES>();
        let symbols = halves.iter().flat_map(|half| encode(half, RFC4648));
        symbols.collect()
    }

    pub fn uri(&self, app_name: &str, username: &str) -> OtpauthUri {
        OtpauthUri::new(&self.base32(), app_name, username)
    }

    /// The step (of 30 seconds since 1970) whose code this is: the current one, the one before or the one after.
    ///
    /// Whoever calls it must see to it that each step is good for one login only (RFC 6238 section 5.2).
    pub fn matched_step(&self, code: &TotpCode, at: DateTime<Utc>) -> Option<i64> {
        let seconds = u64::try_from(at.timestamp()).ok()?;
        // Compares in constant time.
        let step = self.totp().check(code.as_str(), seconds)?;
        i64::try_from(step).ok()
    }

    #[expect(clippy::expect_used, reason = "all of it is constant")]
    fn totp(&self) -> Totp {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS as u8)
            .with_step_duration(STEP_SECONDS)
            .with_skew(SKEW)
            .with_secret(Secret::from(self.0))
            .build()
            .expect("what the RFCs recommend")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::hmac;

    use super::*;

    /// The secret of RFC 6238 Appendix B.
    const SECRET: &[u8; SECRET_LEN] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 999_999_999).unwrap()
    }

    fn matched(secret: &[u8], code: &str, seconds: i64) -> Option<i64> {
        let secret = TotpSecret::from_bytes(secret).unwrap();
        secret.matched_step(&TotpCode::parse(code).unwrap(), at(seconds))
    }

    /// RFC 4226 section 5.3 with another HMAC than the one under test.
    fn code(secret: &[u8], step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        let mac = hmac::sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[19] & 15);
        let number = u32::from_be_bytes(mac[offset..][..4].try_into().unwrap());
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }

    /// The table has eight digits, of which six-digit codes are the last.
    #[test]
    fn the_vectors_of_rfc_6238_are_matched() {
        for (seconds, eight) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = seconds / 30;
            assert_eq!(code(SECRET, step), eight[2..], "{seconds}");
            assert_eq!(
                matched(SECRET, &eight[2..], seconds),
                Some(step),
                "{seconds}"
            );
        }
    }

    #[test]
    fn a_code_is_good_from_one_step_before_to_one_after() {
        let step = 1_234_567_890 / 30;
        let code = code(SECRET, step);
        for (at, expected) in [
            ((step - 2) * 30 + 29, None),
            ((step - 1) * 30, Some(step)),
            (step * 30, Some(step)),
            (step * 30 + 29, Some(step)),
            ((step + 1) * 30 + 29, Some(step)),
            ((step + 2) * 30, None),
        ] {
            assert_eq!(matched(SECRET, &code, at), expected, "{}", at - step * 30);
        }
    }

    #[test]
    fn no_time_makes_it_panic() {
        let code = TotpCode::parse("000000").unwrap();
        let secret = TotpSecret::from_bytes(SECRET).unwrap();
        for at in [
            DateTime::<Utc>::MIN_UTC,
            at(-1),
            at(0),
            DateTime::<Utc>::MAX_UTC,
        ] {
            assert_eq!(secret.matched_step(&code, at), None, "{at}");
        }
        assert_eq!(matched(SECRET, &self::code(SECRET, 0), 0), Some(0));
    }

    #[test]
    fn a_secret_is_160_random_bits() {
        let [one, other] = [(); 2].map(|()| TotpSecret::generate().unwrap());
        assert_ne!(one.as_bytes(), other.as_bytes());
        assert_eq!(one.base32().len(), 32);
        for wrong in [0, 16, 19, 21, 32] {
            assert!(TotpSecret::from_bytes(&vec![1; wrong]).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_app_gets_the_secret_in_base32() {
        let secret = TotpSecret::from_bytes(SECRET).unwrap();
        let base32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(secret.base32(), base32);
        let uri = format!("otpauth://totp/Notes:susan?secret={base32}&issuer=Notes");
        assert_eq!(secret.uri("Notes", "susan").as_str(), uri);
        let other = TotpSecret::from_bytes(
            b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff",
        );
        assert_eq!(other.unwrap().base32(), "AAAQEAYEAUDAOCAJ6337R6P27P6P37X7");
    }

    proptest! {
        #[test]
        fn codes_are_matched_as_rfc_4226_says(
            secret: [u8; SECRET_LEN],
            seconds in 60..20_000_000_000_i64,
            away in -4..=4_i64,
            wrong in "[0-9]{6}"
        ) {
            let now = seconds / 30;
            let first = |code: &str| (now - 1..=now + 1).find(|step| self::code(&secret, *step) == code);
            let right = code(&secret, now + away);
            prop_assert_eq!(matched(&secret, &right, seconds), first(&right));
            prop_assert!(first(&right).is_some() || away.abs() > 1);
            prop_assert_eq!(matched(&secret, &wrong, seconds), first(&wrong));
        }
    }
}
