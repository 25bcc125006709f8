//! Against the original libraries, and against hostile strings.

use serde::Deserialize;

use super::*;

/// By the original libraries; `tests/foreign/make_vectors.py` made them.
const VECTORS: &str = include_str!("../../../../tests/foreign/vectors.json");

#[derive(Deserialize)]
struct Vector {
    made_by: String,
    password: String,
    hash: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(VECTORS).unwrap()
}

fn password(text: &str) -> PlainPassword {
    PlainPassword::parse(text).unwrap()
}

#[test]
fn passwords_match_the_hashes_that_other_systems_made_of_them() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 62);
    for Vector {
        made_by,
        password: text,
        hash,
    } in vectors
    {
        let foreign = Foreign::parse(&hash).unwrap_or_else(|why| panic!("{made_by}: {why:?}"));
        assert!(foreign.matches(&password(&text)), "{made_by}: {text}");
        assert!(
            !foreign.matches(&password("green-Lamp-42-rives")),
            "{made_by}"
        );
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_unless_it_is_wrapped() {
    let all = vectors();
    let is_long = |vector: &&Vector| vector.password.len() > 72;
    let of_bcrypt = |vector: &&Vector| {
        let by = &vector.made_by;
        by.contains("bcrypt") || by == "laravel"
    };
    for vector in all.iter().filter(is_long).filter(of_bcrypt) {
        let other = format!("{}, whatever follows", vector.password);
        let wrapped = vector.made_by.contains("sha256");
        let foreign = Foreign::parse(&vector.hash).unwrap();
        assert_eq!(
            foreign.matches(&password(&other)),
            !wrapped,
            "{}",
            vector.made_by
        );
    }
}

#[test]
fn a_password_counts_as_it_was_typed_and_as_we_would_store_it() {
    // `é` in two code points, of which NFC makes one.
    let typed = "cafe\u{301}-on-the-corner";
    for text in [typed, "caf\u{e9}-on-the-corner"] {
        let key = Pbkdf2::parse(&format!("pbkdf2:sha256:1000$salt${}", "0".repeat(64))).unwrap();
        let made = hex::encode(key.0.run(text.as_bytes(), 32));
        let foreign = Foreign::parse(&format!("pbkdf2:sha256:1000$salt${made}")).unwrap();
        assert!(foreign.matches(&password(typed)), "{text}");
    }
}

/// `KEY` stands for 32 bytes in hexadecimal.
const UNKNOWN: [&str; 20] = [
    "",
    "!unusable",
    "\u{e9}",
    "md5$salt$0123",
    "sha256$salt$KEY",
    // An empty key would match every password.
    "pbkdf2:sha256:1000$salt$",
    "pbkdf2:sha256:1000$salt$00",
    "pbkdf2:sha256:0$salt$KEY",
    "pbkdf2:sha256:-1$salt$KEY",
    "pbkdf2:sha256:+1$salt$KEY",
    "pbkdf2:sha256$salt$KEY",
    "pbkdf2:md5:1000$salt$KEY",
    "pbkdf2:sha256:99999999999$salt$KEY",
    "pbkdf2:sha256:1$salt$KEYKEYKEYKEYKEYKEY",
    "scrypt:32767:8:1$salt$KEY",
    "scrypt:0:8:1$salt$KEY",
    "scrypt:1:8:1$salt$KEY",
    "scrypt:32768:0:1$salt$KEY",
    "$2x$10$abcdefghijklmnopqrstuuKCGCXBmIHTlYWz0iz3TRTDQkdKAZmre",
    "$argon2i$v=16$m=1024,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
];

const TOO_COSTLY: [&str; 10] = [
    "pbkdf2:sha256:4000000000$salt$KEY",
    "pbkdf2:sha256:1000000$salt$KEYKEYKEYKEY",
    "scrypt:1048576:64:1$salt$KEY",
    "scrypt:9223372036854775808:8:1$salt$KEY",
    "scrypt:2:4294967295:4294967295$salt$KEY",
    "$scrypt$ln=63,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$2b$31$abcdefghijklmnopqrstuuKCGCXBmIHTlYWz0iz3TRTDQkdKAZmre",
    "$2b$13$abcdefghijklmnopqrstuuKCGCXBmIHTlYWz0iz3TRTDQkdKAZmre",
    "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=262144,t=16,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
];

#[test]
fn malformed_and_costly_hashes_are_refused() {
    let unknown = UNKNOWN.map(|text| (text, Refused::Unknown));
    let costly = TOO_COSTLY.map(|text| (text, Refused::TooCostly));
    for (text, why) in unknown.into_iter().chain(costly) {
        let text = text.replace("KEY", &"0".repeat(64));
        assert_eq!(judge(&text).err(), Some(why), "{text}");
    }
    let not_hex = format!("{}:{}", "g".repeat(32), "0".repeat(128));
    assert_eq!(judge(&not_hex), Err(Refused::Unknown));
}

#[test]
fn a_hash_with_something_cut_off_or_added_is_none() {
    for Vector { hash, .. } in &vectors()[..24] {
        // Less than 16 bytes of the key, in base64 or hexadecimal.
        let key = hash.rfind(['$', ':']).unwrap();
        let cut = hash.get(..key + 15).unwrap_or_default();
        assert!(Foreign::parse(cut).is_err(), "{cut}");
        assert!(Foreign::parse(&format!("{hash}\n")).is_err(), "{hash}");
        assert!(Foreign::parse(&format!(" {hash}")).is_err(), "{hash}");
    }
}

#[test]
fn what_the_frameworks_make_by_default_is_within_the_bounds() {
    for vector in vectors() {
        let cost = judge(&vector.hash).unwrap();
        let by = vector.made_by.as_str();
        let kib = match by {
            "better-auth" => Some(32 * 1024..=33 * 1024),
            "django argon2" => Some(102_400..=102_400),
            "laravel" | "django bcrypt" => Some(4..=4),
            _ => None,
        };
        if let Some(kib) = kib {
            assert!(kib.contains(&cost.foreign_kib.unwrap()), "{by}: {cost:?}");
        }
        let is_first = vector.password == "green-Lamp-42-river";
        if is_first
            && matches!(
                by,
                "django argon2" | "django scrypt" | "werkzeug scrypt:16384:8:2"
            )
        {
            assert!(cost.slower, "{by}");
        }
    }
    let ours = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";
    let none = Cost {
        foreign_kib: None,
        slower: false,
    };
    assert_eq!(judge(ours), Ok(none));
}
