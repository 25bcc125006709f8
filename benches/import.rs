//! How long an import takes and how much memory: `cargo bench --bench import -- [users]`. It prints a Markdown table, one
//! row for each run (time, peak of resident memory, users in the database afterwards).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ";

/// Runs `latchkey users` on the private PostgreSQL in `data`; returns how long it took and its peak memory in KiB.
fn latchkey(data: &Path, arguments: &[&str]) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .arg("users")
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("LATCHKEY_DATA_DIR", data)
        .env("LATCHKEY_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?}");
            return (began.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn csv(path: &Path, users: usize, line: impl Fn(usize) -> String) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "username,email,password_hash,created_at,roles").unwrap();
    for user in 0..users {
        writeln!(file, "{}", line(user)).unwrap();
    }
    file.flush().unwrap();
}

fn main() {
    let users = std::env::args().find_map(|argument| argument.parse().ok());
    let users = users.unwrap_or(100_000);
    let place = std::env::temp_dir().join(format!("latchkey-bench-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let data = place.join("data");
    let data = data.as_path();
    let (all, names, same) = (
        place.join("all.csv"),
        place.join("names.csv"),
        place.join("same.csv"),
    );
    let rest = |user: usize| {
        let role = if user.is_multiple_of(5) { "editor" } else { "" };
        format!("\"{HASH}\",2026-01-02 03:04:05,{role}")
    };
    csv(&all, users, |user| {
        format!("user{user},user{user}@example.com,{}", rest(user))
    });
    csv(&names, users, |user| {
        format!(",ann.maier{}@example{user}.com,{}", user % 1000, rest(user))
    });
    csv(&same, users, |user| {
        format!("same{user},same@example.com,{}", rest(user))
    });
    let exported = place.join("export.jsonl");
    let [all, names, same, exported] =
        [&all, &names, &same, &exported].map(|path| path.to_str().unwrap());
    // Creates the database.
    latchkey(data, &["list"]);
    println!("| {users} users | s | MiB at most |\n| --- | ---: | ---: |");
    for (what, arguments) in [
        ("dry run", &["import", all][..]),
        ("import", &["import", all, "--yes"]),
        ("import again", &["import", all, "--yes"]),
        ("everybody twice", &["import", same, "--yes"]),
        ("names made", &["import", names, "--yes", "--rename"]),
        ("export", &["export", exported, "--with-hashes"]),
        (
            "import of the export, all here",
            &["import", exported, "--yes"],
        ),
    ] {
        let (took, peak) = latchkey(data, arguments);
        let (took, peak) = (took.as_secs_f64(), peak / 1024);
        println!("| {what} | {took:.1} | {peak} |");
    }
    std::fs::remove_dir_all(&place).unwrap();
}
