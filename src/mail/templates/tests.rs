//! Every letter in every locale, with honest and with hostile values, and letters from a folder.

use strum::VariantArray;

use chrono::DateTime;

use super::*;
use crate::mail::browser::browser;

const LINK: &str = "https://app.example/page?a=1&b=2#token=abc";

fn values() -> Values<'static> {
    Values {
        app_name: "Notes",
        app_url: "https://app.example",
        username: "susan",
        link: LINK,
        at: DateTime::from_timestamp(1_795_669_935, 0).unwrap(),
        browser: browser(Some("Mozilla/5.0 (X11; Linux) Firefox/140.0")),
    }
}

fn every_letter(values: &Values) -> Vec<(MailKind, &'static str, Letter)> {
    let templates = Templates::built_in().unwrap();
    let render = |kind, locale| templates.render(kind, Some(locale), values).unwrap();
    let kinds = MailKind::VARIANTS.iter();
    kinds
        .flat_map(|&kind| ["en", "de"].map(|locale| (kind, locale, render(kind, locale))))
        .collect()
}

#[test]
fn every_kind_says_what_it_must_in_every_locale() {
    for (kind, locale, letter) in every_letter(&values()) {
        let Letter {
            subject,
            text,
            html,
        } = letter;
        let case = format!("{kind:?} {locale}\n{subject}\n\n{text}\n{html}");
        assert!(!case.contains("{{") && !case.contains("{%"), "{case}");
        assert_eq!(
            text.lines().filter(|line| *line == LINK).count(),
            1,
            "{case}"
        );
        let href = LINK.replace('&', "&amp;");
        assert!(html.contains(&format!("<a href=\"{href}\"")), "{case}");
        assert!(html.contains(&format!(">{href}</a>")), "{case}");
        assert!(
            html.contains(&format!("<html lang=\"{locale}\">")),
            "{case}"
        );
        assert!(
            subject.contains("Notes") && !subject.contains(LINK),
            "{case}"
        );
        assert_eq!(
            text.contains("susan"),
            kind == MailKind::Invitation,
            "{case}"
        );
        let at = kind.offers().contains(&Placeholder::At);
        assert_eq!(text.contains(": 2026-11-26 05:12 UTC\n"), at, "{case}");
        let browser = kind.offers().contains(&Placeholder::Browser);
        assert_eq!(
            text.contains("Browser: Firefox, Linux\n"),
            browser,
            "{case}"
        );
    }
}

#[test]
fn an_unknown_browser_is_called_unknown() {
    let browser = browser(Some("x\r\nBcc: <b>https://evil.example"));
    let letters = every_letter(&Values {
        browser,
        ..values()
    });
    for (kind, locale, letter) in letters {
        let unknown = if locale == "en" {
            "Browser: unknown\n"
        } else {
            "Browser: unbekannt\n"
        };
        let browser = kind.offers().contains(&Placeholder::Browser);
        assert_eq!(letter.text.contains(unknown), browser, "{kind:?} {locale}");
        assert!(!letter.text.contains("evil") && !letter.html.contains("Bcc"));
    }
}

#[test]
fn values_break_neither_html_nor_lines() {
    let evil = "<script>\"'&</script>\r\nBcc: all@example.com\u{2028}\u{85}\u{1b}";
    let (app_name, app_url, username, link) = (evil, evil, evil, evil);
    let values = Values {
        app_name,
        app_url,
        username,
        link,
        ..values()
    };
    for (
        kind,
        locale,
        Letter {
            subject,
            text,
            html,
        },
    ) in every_letter(&values)
    {
        let stray = |c: char| c.is_control() || c == '\u{2028}';
        assert!(!subject.contains(stray), "{kind:?} {locale} {subject:?}");
        assert!(
            subject.contains("</script> Bcc:"),
            "{kind:?} {locale} {subject:?}"
        );
        assert!(!text.contains("\nBcc:"), "{kind:?} {locale} {text}");
        assert!(
            !html.contains("<script") && !html.contains("\"'"),
            "{kind:?} {locale} {html}"
        );
        assert!(
            html.contains("&lt;script&gt;&quot;&#39;&amp;"),
            "{kind:?} {locale} {html}"
        );
    }
}

#[test]
fn a_locale_falls_back_to_its_language_and_then_to_english() {
    let templates = Templates::built_in().unwrap();
    for (locale, lang) in [
        (Some("de-AT"), "de"),
        (Some("DE-latn-AT-1996"), "de"),
        (Some("de"), "de"),
        (Some("den"), "en"),
        (Some("pt-BR"), "en"),
        (Some(""), "en"),
        (Some("de.txt"), "en"),
        (Some("../de"), "en"),
        (None, "en"),
    ] {
        let letter = templates
            .render(MailKind::ResetPassword, locale, &values())
            .unwrap();
        let html = format!("<html lang=\"{lang}\">");
        assert!(letter.html.contains(&html), "{locale:?} {}", letter.html);
    }
}

/// The built-in templates with these files. Each test has a folder of its own.
fn with_files(test: &str, files: &[(&str, &str)]) -> Templates {
    let name = format!("latchkey-mail-{}-{test}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, content) in files {
        std::fs::write(folder.join(file), content).unwrap();
    }
    let templates = Templates::with_folder(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    templates.unwrap()
}

#[test]
fn a_folder_adds_locales() {
    let files = [
        (
            "reset_password.pt-BR.subject",
            "Nova senha\r\n{{ username }}\r\n",
        ),
        (
            "reset_password.pt-BR.txt",
            "\u{feff}Olá {{ username }}\r\n\r\n\r\nAbrir :\r\n{{ link }} \r\n\r\nOu\r\nabrir:\r\n{{ link }}",
        ),
        ("..2026_11_26", "of Kubernetes"),
    ];
    let templates = with_files("adds", &files);
    let values = Values {
        username: "<b>",
        link: "https://app.example",
        ..values()
    };
    let letter = |locale| {
        templates
            .render(MailKind::ResetPassword, Some(locale), &values)
            .unwrap()
    };
    let Letter {
        subject,
        text,
        html,
    } = letter("pt-br-abl1943");
    assert_eq!(subject, "Nova senha <b>");
    assert_eq!(
        text,
        "Olá <b>\n\n\nAbrir :\nhttps://app.example\n\nOu\nabrir:\nhttps://app.example\n"
    );
    assert!(
        html.contains(">Olá &lt;b&gt;</p>")
            && html.contains(">Abrir</a>")
            && html.contains(">Ou<br>abrir:<br><a "),
        "{html}"
    );
    assert!(letter("pt").text.starts_with("Hello,"));
}

#[test]
fn html_from_a_folder_escapes_whatever_it_tries() {
    let html = "{% autoescape false %}{{ username }} {% set name %}{{ username }}{% endset %}{{ name }}
        <a href='{{ link }}'>{% endautoescape %} {{ username }} {% set name %}{{ username }}{% endset %}{{ name }}";
    let templates = with_files("html", &[("reset_password.de.html", html)]);
    let values = Values {
        username: "<b>",
        ..values()
    };
    let letter = templates
        .render(MailKind::ResetPassword, Some("de"), &values)
        .unwrap();
    assert_eq!(letter.subject, "Neues Passwort für Notes");
    assert!(
        letter.html.ends_with("&lt;b&gt; &lt;b&gt;"),
        "{}",
        letter.html
    );
    assert!(!letter.html.contains("<b>"), "{}", letter.html);
}
