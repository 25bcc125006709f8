//! The recipes in `docs/`: their commands are run here or in CI, and the places that they and the README name exist.

use std::fs::{copy, create_dir, read_to_string, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::process::{Process, TempDir, command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands that only CI runs, and the script that does.
const RUN_BY: &[(&str, &str)] = &[
    ("cargo run --release", ".ci/run"),
    ("cargo test", ".ci/run"),
];

fn pages() -> Vec<PathBuf> {
    let recipes = std::fs::read_dir(format!("{ROOT}/docs")).unwrap();
    let mut pages: Vec<PathBuf> = recipes.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|kind| kind == "md"));
    pages.push(format!("{ROOT}/README.md").into());
    assert!(pages.len() > 5, "finds the recipes");
    pages
}

/// The commands of the `sh` blocks, without their comments.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().replace("\\\n", ""));
    let lines: Vec<String> = blocks.flat_map(|block| lines(&block)).collect();
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn lines(block: &str) -> Vec<String> {
    let bare = |line: &str| line.split("  # ").next().unwrap().trim().to_owned();
    block.lines().map(bare).collect()
}

/// A directory with what the commands expect to find, and `latchkey`, which is the binary under test.
fn place(data: &Path) -> TempDir {
    let place = TempDir::new();
    let app_db = format!("{ROOT}/tests/foreign/app.db");
    copy(app_db, place.0.join("app.db")).unwrap();
    create_dir(place.0.join("dist")).unwrap();
    write(place.0.join("dist/index.html"), "<h1>An app</h1>").unwrap();
    let page = read_to_string(format!("{ROOT}/docs/providers.md")).unwrap();
    let tables = page.split("```toml\n").skip(1);
    let tables: String = tables
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    for name in ["google", "microsoft", "keycloak", "local"] {
        assert!(tables.contains(&format!("[{name}]")));
        write(place.0.join(format!("{name}.secret")), "not a real one").unwrap();
    }
    write(place.0.join("providers.toml"), tables).unwrap();
    let shim = format!(
        "#!/bin/sh\nunset DATABASE_URL\nexport LATCHKEY_LISTEN=127.0.0.1:0\n\
         LATCHKEY_DATA_DIR=${{OTHER_DATA:-{}}} exec {} \"$@\"\n",
        data.display(),
        env!("CARGO_BIN_EXE_latchkey")
    );
    write(place.0.join("latchkey"), shim).unwrap();
    set_permissions(place.0.join("latchkey"), PermissionsExt::from_mode(0o755)).unwrap();
    place
}

fn shell(place: &Path, line: &str) -> Command {
    let mut shell = Command::new("sh");
    let line = format!("PATH={}:$PATH; {line}", place.display());
    shell.args(["-c", &line]).current_dir(place);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    shell.stderr(Stdio::piped());
    shell
}

/// Runs a command that ends, with a password on its standard input.
fn run(mut shell: Command, line: &str) {
    let mut child: Child = shell.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Most commands do not read it.
    let _ = std::io::Write::write_all(&mut input, b"green-Lamp-42-river\n");
    drop(input);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&done.stderr);
    if line.starts_with("curl") {
        assert!(said.starts_with("HTTP/1.1 200"), "{line}: {said}");
    }
    assert!(done.status.success(), "{line}: {said}");
}

/// Runs the commands of a recipe, one after the other, beside a server. `people` have an account.
fn follow(name: &str, people: &[&str]) {
    let recipe = read_to_string(format!("{ROOT}/docs/{name}.md")).unwrap();
    let (data, other) = (TempDir::new(), TempDir::new());
    let trusted = "http://localhost:5173";
    let server = Process::spawn(command(&data.0).env("LATCHKEY_TRUSTED_ORIGINS", trusted));
    let place = place(&data.0);
    for person in people {
        let line = format!("latchkey users add {person} {person}@example.com");
        run(shell(&place.0, &line), &line);
    }
    let commands = commands(&recipe);
    assert!(!commands.is_empty());
    for line in commands {
        let here = line.replace("localhost:8080", &server.address.to_string());
        let here = here.replace("127.0.0.1:9090", "127.0.0.1:0");
        let here = here.replace('…', "susan-walks-9-dogs");
        if line.ends_with(" latchkey") {
            let mut shell = shell(&place.0, &format!("exec env {here}"));
            let mut own = Process::spawn(shell.env("OTHER_DATA", &other.0));
            own.signal("TERM");
            assert!(own.wait().success(), "{line}");
        } else {
            let mut shell = shell(&place.0, &here);
            let public_url = format!("http://localhost:{}", server.address.port());
            shell.env("LATCHKEY_PUBLIC_URL", public_url);
            shell.env("LATCHKEY_TRUSTED_ORIGINS", trusted);
            run(shell, &line);
        }
    }
}

#[test]
fn people_are_administered_as_printed() {
    follow("administration", &["susan", "miguel"]);
}

#[test]
fn frontends_are_served_as_printed() {
    follow("frontend", &[]);
}

#[test]
fn users_move_in_and_out_as_printed() {
    follow("moving-in", &[]);
}

#[test]
fn the_server_is_watched_as_printed() {
    follow("watching", &[]);
}

#[test]
fn providers_are_named_as_printed() {
    follow("providers", &[]);
}

#[test]
fn the_commands_of_the_readme_are_those_that_ci_runs() {
    let elsewhere = [
        "administration",
        "frontend",
        "moving-in",
        "providers",
        "watching",
        "deploy",
    ];
    for page in pages() {
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        if elsewhere.contains(&name.as_str()) {
            continue;
        }
        for line in commands(&read_to_string(&page).unwrap()) {
            let runner = RUN_BY.iter().find(|(command, _)| line == *command);
            let (_, script) = runner.unwrap_or_else(|| panic!("{name}: nothing runs {line}"));
            let script = read_to_string(format!("{ROOT}/{script}")).unwrap();
            assert!(script.contains(&line), "{name}: CI does not run {line}");
        }
    }
}

fn between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    let rest = text.split(start).skip(1);
    rest.map(move |rest| rest.split(end).next().unwrap())
}

/// Except `docker compose` itself: the page says that nobody could.
#[test]
fn deployments_are_run_by_their_script() {
    let read = |path: &str| read_to_string(format!("{ROOT}/{path}")).unwrap();
    let page = read("docs/deploy.md");
    let (script, compose) = (
        read("tests/deploy/run"),
        read("tests/proxies/compose/stack.rs"),
    );
    assert!(read(".ci/run").contains("tests/deploy/run"));
    let quoted = between(&script, "run_block '", '\'');
    let patterns: Vec<&str> = quoted.chain(between(&script, "block sh ", ')')).collect();
    assert!(patterns.len() >= 5, "{patterns:?}");
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let is_run = patterns.iter().any(|pattern| block.contains(pattern));
        let makes_secrets = block.contains("deploy/secrets") && compose.contains("deploy/secrets");
        let is_compose = block.contains("docker compose");
        assert!(
            is_run || makes_secrets || is_compose,
            "nothing runs {block}"
        );
    }
}

/// Links, and paths between backticks.
#[test]
fn what_the_pages_name_exists() {
    let rooms = [
        "src/",
        "tests/",
        "docs/",
        "deploy/",
        "examples/",
        "benches/",
        "openapi/",
    ];
    for page in pages() {
        let text = read_to_string(&page).unwrap();
        let links = text.split("](").skip(1);
        let links = links.map(|rest| rest.split(')').next().unwrap());
        let links = links.filter(|link| !link.contains(':') && !link.starts_with('#'));
        for link in links {
            let target = page.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link}", page.display());
        }
        for word in text.split('`').skip(1).step_by(2) {
            if rooms.iter().any(|room| word.starts_with(room)) && !word.contains(['*', ' ']) {
                let target = Path::new(ROOT).join(word);
                assert!(target.exists(), "{}: {word}", page.display());
            }
        }
    }
}
