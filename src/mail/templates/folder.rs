//! The operator's own templates: `KIND.LOCALE.subject`, `.txt` and `.html` in one folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::check::{self, Part, Place};
use super::error::{Problem, TemplateError};
use super::shelf::Shelf;

/// RFC 5646 4.4.1. Nobody's locale is longer.
pub(super) const LOCALE_MAX: usize = 35;

pub(super) fn add(shelf: &mut Shelf, folder: &Path) -> Result<(), TemplateError> {
    let files = files(folder);
    let files = files.map_err(|error| Problem::from(error).with(folder.to_string_lossy()))?;
    let mut places = BTreeMap::new();
    for (file, path) in &files {
        let place = place(file).map_err(|problem| problem.with(file.as_str()))?;
        if places.insert(place.name(), (file, place.clone())).is_some() {
            return Err(Problem::Twice.with(file));
        }
        let source = read(path).map_err(|problem| problem.with(file.as_str()))?;
        check::add(shelf, &place, file, source)?;
    }
    for (file, place) in places.into_values() {
        for part in [Part::Subject, Part::Txt] {
            let place = Place {
                part,
                ..place.clone()
            };
            if !shelf.has(&place.name()) {
                return Err(Problem::Alone(place.name()).with(file));
            }
        }
    }
    Ok(())
}

/// The names and paths in `folder`, sorted. Every name counts, so that no typo goes unnoticed, except those with two
/// dots in front: Kubernetes puts them into a mounted ConfigMap.
fn files(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") {
            files.insert(name, entry.path());
        }
    }
    Ok(files)
}

fn place(file: &str) -> Result<Place, Problem> {
    let parts: Vec<&str> = file.split('.').collect();
    let [kind, locale, part] = parts[..] else {
        return Err(Problem::Name);
    };
    let part = part.parse().map_err(|_| Problem::Name)?;
    let kind = kind
        .parse()
        .map_err(|_| Problem::MailKind(kind.to_owned()))?;
    if !is_locale(locale) {
        return Err(Problem::Locale(locale.to_owned()));
    }
    let locale = locale.to_ascii_lowercase();
    Ok(Place { kind, locale, part })
}

/// A language, perhaps with a script, a region or a variant (RFC 5646 2.1).
fn is_locale(text: &str) -> bool {
    let (language, rest) = text.split_once('-').unwrap_or((text, "xx"));
    let is_subtag = |tag: &str| {
        (2..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.len() <= LOCALE_MAX
        && (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && rest.split('-').all(is_subtag)
}

fn read(path: &Path) -> Result<String, Problem> {
    let text = String::from_utf8(fs::read(path)?).map_err(|_| Problem::NotUtf8)?;
    // Windows editors put a byte order mark in front.
    let text = text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads a folder with these files. Each test has a folder of its own.
    fn load(test: &str, files: &[(&str, &[u8])]) -> Result<(), TemplateError> {
        let name = format!("latchkey-mail-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, content) in files {
            fs::write(folder.join(file), content).unwrap();
        }
        let loaded = add(&mut Shelf::new(), &folder);
        fs::remove_dir_all(&folder).unwrap();
        loaded
    }

    /// File, content, and what the error says of it.
    const REFUSED: &str = r"
reset_pasword.en.txt        # {{ link }}    # there is no mail reset_pasword; there are verify_email, 
reset_password.english.txt  # {{ link }}    # english is not a locale; write one such as fr or pt-BR
reset_password.pt_BR.txt    # {{ link }}    # pt_BR is not a locale
reset_password.de-.txt      # {{ link }}    # de- is not a locale
reset_password.en.text      # {{ link }}    # must be named KIND.LOCALE.subject, KIND.LOCALE.txt or KIND.LOCALE.html
reset_password.txt          # {{ link }}    # must be named KIND.LOCALE.subject, 
.reset_password.en.txt.swp  # {{ link }}    # must be named KIND.LOCALE.subject, 
reset_password.en.txt       #               # is empty
reset_password.en.txt       # A|{{ link }   # line 2: unexpected `}`
reset_password.en.txt       # {% include 'x' %}           # line 1: unknown statement include
reset_password.en.txt       # {{ link.host }}             # line 1: undefined value
reset_password.en.html      # {{ link ! safe }}           # line 1: filter safe is unknown
reset_password.en.txt       # {{ lnk }}                   # there is no {{ lnk }} here; write {{ app_name }}, {{ app_url }}, {{ username }}, {{ link }}
reset_password.en.txt       # {% if at %}{{ at }}{% endif %}|{{ link }} # there is no {{ at }} here
password_changed.en.txt     # {{ browser }}|{{ link }}    # there is no {{ browser }} here
reset_password.en.subject   # {{ link }}                  # there is no {{ link }} here; write {{ app_name }}
reset_password.en.txt       # Hello       # {{ link }} is missing; it must stand on a line of its own
reset_password.en.txt       # {{ link }}. # {{ link }} is missing; it must stand on a line of its own
new_sign_in.en.txt          # {% if browser %}Hi{% else %}|{{ link }}{% endif %} # {{ link }} is missing
reset_password.en.html      # <p>Hello    # {{ link }} is missing
reset_password.en.html      # {{ link }}<IMG SRC = x>  # src= is refused: a mail loads nothing
reset_password.en.html      # {{ link }}<p style='background: url(//x)'> # url( is refused
reset_password.en.html      # {{ link }}<link rel=stylesheet> # <link is refused
reset_password.fr.txt       # {{ link }}  # a new locale needs reset_password.fr.subject as well
reset_password.fr.subject   # Bonjour     # a new locale needs reset_password.fr.txt as well
reset_password.fr.html      # {{ link }}  # a new locale needs reset_password.fr.subject as well
";

    #[test]
    fn what_is_wrong_with_a_template_is_said_with_its_name() {
        for line in REFUSED.trim().lines() {
            let [file, content, says] = line.split('#').map(str::trim).collect::<Vec<_>>()[..]
            else {
                panic!("{line}");
            };
            let content = content.replace('|', "\n").replace('!', "|");
            let error = load("wrong", &[(file, content.as_bytes())]).err();
            let error = error.expect(line).to_string();
            let start = format!("mail template {file}: {says}");
            assert!(error.starts_with(&start), "{error}\n{start}");
        }
    }

    #[test]
    fn a_folder_must_be_readable_and_hold_each_template_once() {
        let twice = [
            ("reset_password.en.txt", &b"{{ link }}"[..]),
            ("reset_password.EN.txt", b"{{ link }}"),
        ];
        let error = load("twice", &twice).err().unwrap().to_string();
        assert!(
            error.contains("reset_password.en.txt: is there twice"),
            "{error}"
        );
        let latin = load("latin", &[("reset_password.en.txt", b"Gr\xfc\xdfe")]);
        let error = latin.err().unwrap().to_string();
        assert!(
            error.ends_with("reset_password.en.txt: is not UTF-8"),
            "{error}"
        );
        let error = add(&mut Shelf::new(), Path::new("/nowhere/mail"))
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("/nowhere/mail: cannot be read: "),
            "{error}"
        );
    }
}
