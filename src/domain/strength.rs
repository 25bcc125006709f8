//! How hard a new password is to guess.

use zxcvbn::{Score, zxcvbn};

use super::field::{FieldCode, FieldError};
use super::password::{NewPassword, PlainPassword};

/// What a new password must reach.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    /// In code points.
    pub min_length: usize,
    /// zxcvbn's estimate, 0 to 4.
    pub min_score: u8,
}

/// Longer passwords are judged by their beginning: zxcvbn's work grows with the square of the length.
const JUDGED: usize = 64;
/// Symbols that zxcvbn takes for a letter, together where they stand for the same one. It tries each choice between
/// them, so that a password with all of them costs a thousand times as much as one with none.
const CHOICES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];
/// Choices times length squared. The worst that a search found costs about what two hashes cost
/// (`cargo bench --bench session` has both).
const WORK: usize = 100_000;

impl Strength {
    /// Parses a new password. Cheap: how hard it is to guess is for [`Self::judge`].
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

    /// Refuses what is easy to guess, with the reason. `context` holds the words that an attacker would try first.
    /// Takes about as long as a hash.
    pub fn judge(
        self,
        password: PlainPassword,
        context: &[String],
    ) -> Result<NewPassword, FieldError> {
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

/// As much of a password as is worth its work, whatever stands in it.
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
    fn of_a_long_password_the_beginning_is_judged_and_the_shorter_the_more_there_is_to_try() {
        let beginning = |text: &str| super::beginning(text).chars().count();
        assert_eq!(beginning("green-Lamp-42-river"), 19);
        assert_eq!(beginning(&"пароль ".repeat(40)), JUDGED);
        assert_eq!(beginning(&"a1b2c3d4".repeat(30)), JUDGED);
        let everything = "4@({[<691!|7$5+".repeat(10);
        assert!((12..=20).contains(&beginning(&everything)));
    }
}
