//! R10: PostgreSQL's disk is full, and then has space again.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Scale;
use crate::load::{Caller, counts, get, log_in, me, post, register, with_status};
use crate::process::{Process, TempDir};
use crate::report::Report;
use crate::server::{postmaster, somebody, time_until, unlimited};

/// A small file system that is mounted as long as this lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let place = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs"])
            .arg(&place.0)
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "R10 needs to mount a small file system: run as root"
        );
        Self(place)
    }

    /// Uses up all remaining space.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.0.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

pub async fn full(report: &mut Report, scale: Scale) {
    let disk = SmallDisk::mount();
    let data = disk.0.0.join("data");
    let process = Process::spawn(&mut unlimited(&data));
    let address = process.address;
    let miguel = somebody(address, "miguel").await;
    somebody(address, "susan").await;
    let (pid, postgresql) = (process.child.id(), postmaster(&data));
    for round in 0..scale.of(1, 5) {
        disk.fill();
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        let mut caller = Caller::to(address);
        for n in 0..scale.of(300, 600) {
            writes.push(caller.ask(&register(&format!("d{round}-{n}"))).await);
            writes.push(caller.ask(&log_in("susan")).await);
            reads.push(caller.ask(&me(&miguel)).await);
            reads.push(caller.ask(&get("sessions", "/api/sessions", &miguel)).await);
        }
        report.tell("writes on a full disk", counts(&writes));
        report.tell("reads on a full disk", counts(&reads));
        let refused = with_status(&writes, 503);
        report.check("writes refused with 503", refused, "> 0", refused > 0);
        let other = writes.len() - refused - with_status(&writes, 200) - with_status(&writes, 201);
        report.none("writes answered in another way", other);
        let silent = |outcome: &&crate::load::Outcome| outcome.status == 503 && !outcome.says_when;
        report.none(
            "503 without Retry-After",
            writes.iter().filter(silent).count(),
        );
        report.none("failed reads", reads.len() - with_status(&reads, 200));
        std::fs::remove_file(disk.ballast()).unwrap();
        let name = format!("after{round}");
        let back = time_until(async || {
            let mut caller = Caller::to(address);
            caller.ask(&register(&name)).await.status == 201
                && caller.ask(&log_in(&name)).await.status == 200
        })
        .await;
        report.within(
            "space again to the first registration",
            back,
            Duration::from_secs(5),
        );
    }
    let left = Caller::to(address)
        .ask(&post("logout", "/api/logout", &miguel, "{}"))
        .await;
    let same = pid == process.child.id() && postgresql == postmaster(&data) && left.status == 204;
    report.check(
        "neither Latchkey nor PostgreSQL was restarted",
        same,
        "true",
        same,
    );
    assert!(Path::new(&data).exists());
}
