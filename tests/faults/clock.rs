//! R11: the clock jumps, for Latchkey and its PostgreSQL alike.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Scale;
use crate::load::{Caller, log_in};
use crate::process::{Process, TempDir, command};
use crate::report::Report;
use crate::server::{psql, sockets, somebody, status_of_me, time_until};

/// libfaketime, as Debian's `faketime` package installs it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap();
    let found = folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|library| library.exists());
    found.unwrap_or_else(|| panic!("R11 needs libfaketime: apt-get install faketime"))
}

/// The file holds the clock offset. libfaketime reads it at every call.
fn set(file: &Path, offset: &str) {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, format!("{offset}\n")).unwrap();
    std::fs::rename(&fresh, file).unwrap();
}

pub async fn jumps(report: &mut Report, _: Scale) {
    let (data, place) = (TempDir::new(), TempDir::new());
    let clock = place.0.join("clock");
    set(&clock, "+0");
    let mut command = command(&data.0);
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let process = Process::spawn(&mut command);
    let address = process.address;
    let susan = somebody(address, "susan").await;
    let mut failed = 0;
    for (jump, offset, expected) in [
        ("an hour back", "-1h", 200),
        ("an hour ahead", "+1h", 200),
        ("40 days ahead", "+40d", 401),
        ("and back", "+0", 401),
    ] {
        set(&clock, offset);
        assert!(database_clock_is(&sockets(&data.0), offset).await);
        // The cache uses the monotonic clock. Without a listener it is empty, so the database is asked.
        cut(&sockets(&data.0)).await;
        let status = status_once_answered(address, &susan).await;
        let what = format!("{jump}: an earlier session");
        report.check(&what, status, &expected.to_string(), status == expected);
        let login = Caller::to(address).ask(&log_in("susan")).await.status;
        failed += usize::from(login != 200);
    }
    report.none("logins that failed after a jump", failed);
    let log = process.output.lock().unwrap().clone();
    let panics = log.matches("panicked").count() + log.matches("ERROR").count();
    report.none("panics and errors in the log", panics);
}

/// Whether PostgreSQL sees the new clock.
async fn database_clock_is(sockets: &Path, offset: &str) -> bool {
    let client = psql(sockets).await.unwrap();
    let hours = match offset {
        "-1h" => -1.0,
        "+1h" => 1.0,
        "+40d" => 960.0,
        _ => 0.0,
    };
    // Our own clock is unaffected.
    let real = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() / 3600.0;
    let seen = client.query_one("select extract(epoch from now())::float8 / 3600", &[]);
    (seen.await.unwrap().get::<_, f64>(0) - real - hours).abs() < 0.1
}

async fn cut(sockets: &Path) {
    let client = psql(sockets).await.unwrap();
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'latchkey%'";
    client.batch_execute(sql).await.unwrap();
}

async fn status_once_answered(address: SocketAddr, cookie: &str) -> u16 {
    let answered = async || status_of_me(address, cookie).await != 503;
    time_until(answered).await;
    status_of_me(address, cookie).await
}
