//! Runs the curl session of the README as printed, and compares the output.

use std::process::Command;

use crate::support::process::{Process, TempDir, command};

/// The commands of the console blocks, each with its expected output.
fn session(readme: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for block in readme
        .split("```console\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
    {
        let mut continued = false;
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push((command.to_owned(), String::new())),
                None if continued => steps.last_mut().unwrap().0.push_str(&format!("\n{line}")),
                None => steps.last_mut().unwrap().1.push_str(&format!("{line}\n")),
            }
            continued = line.ends_with('\\');
        }
    }
    steps
}

/// `…` stands for anything.
fn agrees(expected: &str, actual: &str) -> bool {
    let mut rest = actual;
    let mut parts = expected.split('…');
    let Some(after) = rest.strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    rest = after;
    let mut last_is_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last_is_open = part.is_empty();
    }
    rest.is_empty() || last_is_open
}

#[tokio::test]
async fn the_curl_session_works_as_printed() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let steps = session(&readme);
    assert!(steps.len() >= 6, "finds the session");
    let (data, place) = (TempDir::new(), TempDir::new());
    let process = Process::spawn(&mut command(&data.0));
    for (command, expected) in steps {
        let here = format!("localhost:{}", process.address.port());
        let [command, expected] =
            [command, expected].map(|text| text.replace("localhost:8080", &here));
        let done = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&place.0)
            .output()
            .unwrap();
        let actual = String::from_utf8_lossy(&done.stdout).replace('\r', "");
        let actual = actual.trim_end();
        assert!(
            agrees(expected.trim_end(), actual),
            "{command}\nexpected: {expected}\nactual: {actual}"
        );
    }
}

#[test]
fn the_wildcard_does_not_hide_differences() {
    assert!(agrees("a…c", "abbc") && agrees("a…", "abbc") && agrees("abc", "abc"));
    assert!(!agrees("a…d", "abbc") && !agrees("abc", "abcd") && !agrees("…b", "abc"));
}
