//! PostgreSQL made and started as its image does it: with the password of the file, over TCP.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use latchkey::store::local::programs::Programs;

use super::Compose;
use super::stack::Names;
use crate::support::{as_account, postgres_account, wait_until};

struct Cluster {
    programs: Programs,
    directory: PathBuf,
}

impl Cluster {
    fn in_place(place: &Path) -> Self {
        let directory = place.join("postgres");
        std::fs::create_dir(&directory).unwrap();
        if let Some((uid, gid)) = postgres_account() {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid)).unwrap();
        }
        Self {
            programs: Programs::find(None).expect("PostgreSQL's programs"),
            directory,
        }
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.programs.command(name);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        as_account(&mut command, postgres_account());
        command
    }
}

pub async fn start(compose: &Compose, place: &Path, names: &Names) -> Child {
    let environment = compose.environment("postgres");
    let of = |wanted: &str| {
        let mut all = environment.iter();
        let found = all.find_map(|(name, value)| (name == wanted).then(|| names.here(value)));
        found.unwrap_or_else(|| panic!("{wanted} is not set"))
    };
    let cluster = Cluster::in_place(place);
    let (user, database) = (of("POSTGRES_USER"), of("POSTGRES_DB"));
    let password = cluster.directory.join("password");
    std::fs::copy(of("POSTGRES_PASSWORD_FILE"), password).unwrap();
    let how = [
        "-U",
        &user,
        "--pwfile=password",
        "--auth-host=scram-sha-256",
    ];
    let initdb = [&how[..], &["-D", "data"]].concat();
    assert!(
        cluster
            .program("initdb", &initdb)
            .status()
            .unwrap()
            .success()
    );

    let address = names.here("@postgres/").replace(['@', '/'], "");
    let listen = format!("listen_addresses={address}");
    let here = cluster.directory.display().to_string();
    let sockets = format!("unix_socket_directories={here}");
    let settings = ["-c", &*listen, "-c", &*sockets, "-c", "fsync=off"];
    let arguments = [&["-D", "data"], &settings[..]].concat();
    let server = cluster.program("postgres", &arguments).spawn().unwrap();
    wait_until("the database is created", async || {
        let create = ["-h", &*here, "-U", &*user, &*database];
        cluster
            .program("createdb", &create)
            .status()
            .unwrap()
            .success()
    })
    .await;
    server
}
