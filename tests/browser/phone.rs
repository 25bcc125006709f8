//! An authenticator app on somebody's phone: it makes the codes of a key that they have typed into it (RFC 6238).

use ring::hmac;
use serde_json::json;

use crate::browser::Browser;
use crate::house::House;

pub struct Phone {
    key: hmac::Key,
}

impl Phone {
    /// Susan sets it up elsewhere.
    pub async fn set_up(house: &House) -> Self {
        let susan = house.visitor();
        susan.log_in("susan").await.expect(200);
        let offer = susan.post("/api/totp", json!({})).await.expect(201);
        let phone = Self::with_key(offer.body["secret"].as_str().unwrap());
        let code = json!({"code": phone.code()});
        susan.post("/api/totp/confirm", code).await.expect(200);
        phone
    }

    /// Reads a key in base32 (RFC 4648), as people type it.
    pub fn with_key(text: &str) -> Self {
        let (mut secret, mut bits, mut held) = (Vec::new(), 0, 0_u32);
        for symbol in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
            let value = match symbol {
                b'A'..=b'Z' => symbol - b'A',
                b'2'..=b'7' => symbol - b'2' + 26,
                other => panic!("{:?} is not base32", char::from(other)),
            };
            (bits, held) = (bits + 5, held << 5 | u32::from(value));
            if bits >= 8 {
                bits -= 8;
                secret.push((held >> bits & 0xff) as u8);
            }
        }
        assert_eq!(secret.len(), 20, "{text}");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
        Self { key }
    }

    /// Types the key from the dialog of `/account` into the app.
    pub async fn reading(browser: &Browser) -> Self {
        let script = "return document.querySelector('dialog[open] code')?.innerText";
        let read = async || {
            Ok(browser
                .driver
                .run(script, json!([]))
                .await?
                .as_str()
                .map(Self::with_key))
        };
        browser.until("the key", read).await
    }

    /// What it shows now.
    pub fn code(&self) -> String {
        self.code_of(step())
    }

    /// Six digits that are right neither now nor soon.
    pub fn wrong_code(&self) -> String {
        let near: Vec<_> = (step() - 2..step() + 4)
            .map(|step| self.code_of(step))
            .collect();
        let mut codes = (0..10).map(|number| format!("{number:06}"));
        codes.find(|code| !near.contains(code)).unwrap()
    }

    fn code_of(&self, step: i64) -> String {
        let mac = hmac::sign(&self.key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[19] & 15);
        let number = u32::from_be_bytes(mac[offset..offset + 4].try_into().unwrap());
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

/// By the clock of the phone.
fn step() -> i64 {
    chrono::Utc::now().timestamp() / 30
}

impl House {
    /// As if the codes of now had not been used yet. Each is good once, and tests do not wait half a minute for the next.
    pub async fn forget_used_codes(&self) {
        let sql = "update totp_secrets set last_step = 0";
        self.database.sql(sql).await;
    }
}
