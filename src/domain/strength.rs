//! How hard a new password is to guess.

use zxcvbn::{Score, zxcvbn};

use super::field::{FieldCode, FieldError};
use super::known_passwords::is_known;
use super::password::{NewPassword, PlainPassword};

/// The requirements for a new password.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    /// In code points.
    pub min_length: usize,
    /// zxcvbn's estimate, 0 to 4.
    pub min_score: u8,
}

/// Only the beginning of a longer password is judged, because the cost of zxcvbn grows with the square of the length.
const JUDGED: usize = 64;
/// Symbols that zxcvbn reads as a letter, grouped where they stand for the same one. It tries every choice among them,
/// so a password that contains them all costs a thousand times as much as one that contains none.
const CHOICES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];
/// The maximum of choices × length². The worst case that a search found costs about as much as two hashes (`cargo bench
/// --bench session` measures both).
const WORK: usize = 100_000;

impl Strength {
    /// Parses a new password. Cheap; [`Self::judge`] estimates how hard it is to guess.
    pub fn parse(self, text: &str) -> Result<PlainPassword, FieldError> {
        let password = PlainPassword::parse(text)?;
        if password.length() < self.min_length {
            let message = format!("Use at least {} characters.", self.min_length);
            return Err(FieldError::new(FieldCode::TooShort, message));
        }
        if password.as_str().chars().any(char::is_control) {
            return Err(FieldError::new(
                FieldCode::Invalid,
                "Control characters cannot be used.",
            ));
        }
        Ok(password)
    }

    /// Refuses a password that many people use or that is easy to guess, and says why. `context` holds the words that an attacker would try
    /// first. Takes about as long as a hash.
    pub fn judge(
        self,
        password: PlainPassword,
        context: &[String],
    ) -> Result<NewPassword, FieldError> {
        if is_known(password.as_str()) {
            let message = "Many people use this password, so it is the first that others try.";
            return Err(FieldError::new(FieldCode::TooWeak, message));
        }
        let mut words: Vec<&str> = context.iter().map(String::as_str).collect();
        words.push("latchkey");
        let entropy = zxcvbn(beginning(password.as_str()), &words);
        if u8::from(entropy.score()) >= self.min_score || entropy.score() == Score::Four {
            return Ok(NewPassword::judged(password));
        }
        let feedback = entropy.feedback();
        let reasons = feedback
            .and_then(|f| f.warning())
            .map(|w| w.to_string())
            .into_iter();
        let advice = feedback
            .map(|f| f.suggestions())
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string);
        let mut message = String::from("This password is too easy to guess.");
        for sentence in reasons.chain(advice) {
            message.push(' ');
            message.push_str(&sentence);
        }
        Err(FieldError::new(FieldCode::TooWeak, message))
    }
}

/// The longest beginning of a password that stays within the cost limit.
fn beginning(password: &str) -> &str {
    let ends = password.char_indices().skip(1).map(|(at, _)| at);
    let mut kept = 0;
    for (length, end) in (1..=JUDGED).zip(ends.chain([password.len()])) {
        let part = &password[..end];
        let choices: usize = CHOICES
            .iter()
            .map(|symbols| symbols.matches(|c| part.contains(c)).count().max(1))
            .product();
        if choices * length * length > WORK {
            break;
        }
        kept = end;
    }
    &password[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_is_judged_and_less_of_it_the_more_symbols_it_has() {
        let beginning = |text: &str| super::beginning(text).chars().count();
        assert_eq!(beginning("green-Lamp-42-river"), 19);
        assert_eq!(beginning(&"пароль ".repeat(40)), JUDGED);
        assert_eq!(beginning(&"a1b2c3d4".repeat(30)), JUDGED);
        let everything = "4@({[<691!|7$5+".repeat(10);
        assert!((12..=20).contains(&beginning(&everything)));
    }
}
