//! Why a template is refused.

use std::io;

use strum::VariantArray;

use crate::mail::kind::{MailKind, Placeholder};

/// A template cannot be used. Says which file it is and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("mail template {file}: {problem}")]
pub struct TemplateError {
    file: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("must be named KIND.LOCALE.subject, KIND.LOCALE.txt or KIND.LOCALE.html")]
    Name,
    #[error("there is no mail {0}; there are {list}", list = kinds())]
    MailKind(String),
    #[error("{0} is not a locale; write one such as fr or pt-BR")]
    Locale(String),
    #[error("does not begin with a subject and an empty line")]
    NoSubject,
    #[error("is there twice; upper and lower case are the same here")]
    Twice,
    #[error("a new locale needs {0} as well")]
    Alone(String),
    #[error("line {line}: {detail}")]
    Template { line: usize, detail: String },
    #[error("there is no {{{{ {name} }}}} here; write {list}", list = placeholders(offered))]
    Unknown {
        name: String,
        offered: Vec<Placeholder>,
    },
    #[error("{} is missing; it must stand on a line of its own", braced(.0))]
    MissingLine(Placeholder),
    #[error("{} is missing", braced(.0))]
    Missing(Placeholder),
    #[error("is empty")]
    Empty,
    #[error("{0} is refused: a mail loads nothing, neither images nor styles nor scripts")]
    Loads(&'static str),
}

impl Problem {
    pub(super) fn with(self, file: impl Into<String>) -> TemplateError {
        TemplateError {
            file: file.into(),
            problem: self,
        }
    }
}

impl From<minijinja::Error> for Problem {
    fn from(error: minijinja::Error) -> Self {
        let detail = error.detail().map(str::to_owned);
        Self::Template {
            line: error.line().unwrap_or(1),
            detail: detail.unwrap_or_else(|| error.kind().to_string()),
        }
    }
}

fn kinds() -> String {
    let names: Vec<&str> = MailKind::VARIANTS.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

fn placeholders(offered: &[Placeholder]) -> String {
    let names: Vec<String> = offered.iter().map(braced).collect();
    names.join(", ")
}

fn braced(placeholder: &Placeholder) -> String {
    format!("{{{{ {} }}}}", placeholder.name())
}
