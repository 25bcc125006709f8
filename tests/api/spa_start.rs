//! What the start says of the settings about pages: refusals and warnings, with what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use reqwest::Method;

use crate::spa::Build;
use crate::support::process::{Process, TempDir, command, ended};
use crate::support::wait_until;

/// A start that is refused.
fn started(data: &Path, settings: &[(&str, &str)]) -> Output {
    let mut command = command(data);
    // Ends every start that gets past the settings.
    command.env("LATCHKEY_SECRET_KEY", "weak");
    ended(command.envs(settings.iter().copied()))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_directory_without_a_build_is_refused_with_what_to_do() {
    let (data, build) = (TempDir::new(), Build::new());
    let gone = build.path().join("gone");
    let file = build.path().join("index.html");
    for (directory, why) in [
        (&*gone, format!("there is no directory {}", gone.display())),
        (&*file, format!("there is no directory {}", file.display())),
        (
            &*build.path().join("assets"),
            "index.html: No such file".to_owned(),
        ),
    ] {
        let directory = directory.to_str().unwrap();
        let refused = started(&data.0, &[("LATCHKEY_SPA_DIR", directory)]);
        let told = told(&refused);
        assert!(!refused.status.success());
        for text in [&*why, "LATCHKEY_SPA_DIR=", "npm run build"] {
            assert!(told.contains(text), "{text} in {told}");
        }
    }
    let relative = started(&data.0, &[("LATCHKEY_SPA_DIR", "no-such-dist")]);
    let whole = std::env::current_dir().unwrap().join("no-such-dist");
    assert!(told(&relative).contains(&whole.display().to_string()));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let (data, build) = (TempDir::new(), Build::new());
    let spa = build.path().to_str().unwrap();
    let both = [("LATCHKEY_SPA_DIR", spa), ("LATCHKEY_DEMO", "on")];
    let refused = told(&started(&data.0, &both));
    assert!(refused.contains("LATCHKEY_DEMO=on both want"), "{refused}");

    for policy in [
        "default-src 'self'\nX-Evil: 1",
        "default-src 'self'\r",
        "",
        "  ",
        "bücher",
    ] {
        let settings = [("LATCHKEY_SPA_DIR", spa), ("LATCHKEY_SPA_CSP", policy)];
        let refused = started(&data.0, &settings);
        let told = told(&refused);
        assert!(!refused.status.success());
        assert!(told.contains("on one line"), "{policy:?}: {told}");
    }
}

#[test]
fn the_secret_key_is_not_served() {
    let build = Build::new();
    let spa = build.path().to_str().unwrap();
    let within = build.path().join("data");
    for data in [build.path(), &within] {
        let refused = told(&started(data, &[("LATCHKEY_SPA_DIR", spa)]));
        assert!(
            refused.contains("the secret key is in the latter"),
            "{refused}"
        );
    }
    let data = TempDir::new();
    let app = data.0.join("dist");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("index.html"), "x").unwrap();
    let settings = [("LATCHKEY_SPA_DIR", app.to_str().unwrap())];
    let refused = told(&started(&data.0, &settings));
    assert!(
        refused.contains("the secret key is in the latter"),
        "{refused}"
    );
    let other = TempDir::new();
    std::os::unix::fs::symlink(build.path(), other.0.join("link")).unwrap();
    let around = other.0.join("..").join(build.path().file_name().unwrap());
    for data in [other.0.join("link/later"), around.join("later")] {
        let refused = told(&ended(command(&data).env("LATCHKEY_SPA_DIR", spa)));
        assert!(
            refused.contains("the secret key is in the latter"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_project_instead_of_its_build_is_warned_of_and_served() {
    let (data, build) = (TempDir::new(), Build::new());
    build.write("package.json", "{}");
    build.write(".env", "x");
    let process = Process::spawn(command(&data.0).env("LATCHKEY_SPA_DIR", build.path()));
    let said = async || process.output.lock().unwrap().clone();
    wait_until("it warns", async || {
        said()
            .await
            .contains("contains package.json and .env: it seems to be the project")
    })
    .await;
    let page = crate::pages::opened(&process.visitor(), "/notes").await;
    assert_eq!(page.status(), 200);
    let silent = Build::new();
    let data = TempDir::new();
    let settings = [("LATCHKEY_SPA_DIR", silent.path().to_str().unwrap())];
    let said = told(&started(&data.0, &settings));
    assert!(!said.contains("LATCHKEY_SPA_DIR"), "{said}");
}

/// Without the line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_names_the_settings() {
    let data = TempDir::new();
    let help = command(&data.0).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for text in [
        "\nPages:\n",
        "--demo <on|off|auto>",
        "[env: LATCHKEY_DEMO=]",
        "[env: LATCHKEY_SPA_DIR=]",
        "[env: LATCHKEY_SPA_CSP=]",
    ] {
        let is_there = help.contains(text) || words(&help).contains(text);
        assert!(is_there, "{text} in {help}");
    }
}

#[tokio::test]
async fn a_file_with_a_secret_is_not_served_wherever_it_lies() {
    let (build, data) = (Build::new(), TempDir::new());
    build.write("key.txt", crate::support::SECRET_KEY);
    let key = build.path().join("key.txt");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = command(&data.0);
    command.env("LATCHKEY_SPA_DIR", build.path());
    let process = Process::spawn(command.env("LATCHKEY_SECRET_KEY_FILE", &key));
    for (path, status) in [("/key.txt", 404), ("/index.html", 200)] {
        let answer = process.visitor().request(Method::GET, path).send().await;
        assert_eq!(answer.unwrap().status(), status, "{path}");
    }
}
