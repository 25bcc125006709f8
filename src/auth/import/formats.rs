//! What hashes are called in a report.

/// By how each begins. The first that fits counts.
const FORMATS: [(&str, &str); 21] = [
    ("$argon2id$", "argon2id"),
    ("$argon2i$", "argon2i"),
    ("$argon2d$", "argon2d"),
    ("$2", "bcrypt"),
    ("$scrypt$", "scrypt"),
    ("$pbkdf2-sha256$", "PBKDF2-SHA256"),
    ("$pbkdf2-sha512$", "PBKDF2-SHA512"),
    ("$pbkdf2", "PBKDF2-SHA1"),
    ("$bcrypt-sha256$", "bcrypt-SHA256 of passlib"),
    ("scrypt:", "scrypt of Werkzeug"),
    ("pbkdf2:sha256", "PBKDF2-SHA256 of Werkzeug"),
    ("pbkdf2:sha512", "PBKDF2-SHA512 of Werkzeug"),
    ("pbkdf2:sha1", "PBKDF2-SHA1 of Werkzeug"),
    ("pbkdf2_sha256$", "PBKDF2-SHA256 of Django"),
    ("pbkdf2_sha1$", "PBKDF2-SHA1 of Django"),
    ("argon2$argon2id$", "argon2id of Django"),
    ("argon2$argon2i$", "argon2i of Django"),
    ("argon2$", "argon2 of Django"),
    ("scrypt$", "scrypt of Django"),
    ("bcrypt_sha256$", "bcrypt-SHA256 of Django"),
    ("bcrypt$", "bcrypt of Django"),
];

/// What the format of a hash is called that we can verify.
pub fn name(stored: &str) -> &'static str {
    match find(stored) {
        Some(name) => name,
        None if is_better_auth(stored) => "scrypt of Better Auth",
        None => "other",
    }
}

/// Whether the text looks like a hash.
pub fn is_known(text: &str) -> bool {
    find(text).is_some() || is_better_auth(text)
}

fn find(text: &str) -> Option<&'static str> {
    let known = FORMATS.iter().find(|(begin, _)| text.starts_with(begin));
    known.map(|(_, name)| *name)
}

fn is_better_auth(text: &str) -> bool {
    let is_hex = |c: u8| c.is_ascii_hexdigit() || c == b':';
    text.len() > 100 && text.bytes().all(is_hex)
}
