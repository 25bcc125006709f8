//! What `deploy/compose.yaml` starts, as processes: each container is an address of this machine.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Compose, INSTANCES, database, text_of};
use crate::support::process::{Process, TempDir};
use crate::support::smtp::Smtp;
use crate::support::wait_until;

/// First those that ask, so that nobody asks for what has ended.
pub struct Stack {
    nginx: Child,
    pub instances: Vec<Process>,
    postgres: Child,
    pub mails: Smtp,
    pub names: Names,
    pub place: TempDir,
}

/// The names and addresses of the containers, and what they are on this machine.
pub struct Names(Vec<(String, String)>);

impl Names {
    /// Each run has a network of its own in 127.0.0.0/8, so that every port can be the real one.
    fn of(compose: &Compose, place: &Path, mails: &Smtp) -> Self {
        let id = std::process::id();
        let here = format!("127.{}.{}", 64 + (id >> 8) % 128, id % 256);
        let there = compose.address("nginx").rsplit_once('.').unwrap().0;
        let of = |name: &str| compose.address(name).replace(there, &here);
        let mut all = vec![
            (
                "/run/secrets".to_owned(),
                place.join("deploy/secrets").display().to_string(),
            ),
            (
                "mailpit:1025".to_owned(),
                format!("127.0.0.1:{}", mails.port),
            ),
            ("@postgres/".to_owned(), format!("@{here}.20/")),
            ("127.0.0.1:8081".to_owned(), format!("{}:8081", of("nginx"))),
            (
                "listen 8443".to_owned(),
                format!("listen {}:8443", of("nginx")),
            ),
            (format!("{there}."), format!("{here}.")),
        ];
        for name in INSTANCES {
            all.push((format!("{name}:"), format!("{}:", of(name))));
        }
        Self(all)
    }

    pub fn here(&self, text: &str) -> String {
        let all = self.0.iter();
        all.fold(text.to_owned(), |text, (there, here)| {
            text.replace(there, here)
        })
    }
}

impl Stack {
    pub async fn start() -> Self {
        let (compose, place, mails) = (Compose::read(), TempDir::new(), Smtp::start().await);
        make_secrets(&place.0);
        let names = Names::of(&compose, &place.0, &mails);
        let url = place.0.join("deploy/secrets/database_url");
        let there = std::fs::read_to_string(&url).unwrap();
        assert_ne!(names.here(&there), there);
        std::fs::write(&url, names.here(&there)).unwrap();
        let postgres = database::start(&compose, &place.0, &names).await;
        // Together, as compose starts them: they take turns at making the tables.
        let started = INSTANCES.map(|name| {
            let mut command = instance(&compose, name, &place.0, &names);
            std::thread::spawn(move || Process::spawn(&mut command))
        });
        let instances = started.map(|one| one.join().unwrap()).into();
        let nginx = start_nginx(&place.0, &names).await;
        Self {
            nginx,
            instances,
            postgres,
            mails,
            names,
            place,
        }
    }
}

/// The commands of docs/deploy.md, as they stand there.
fn make_secrets(place: &Path) {
    let docs = text_of("docs/deploy.md");
    let mut blocks = docs
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let block = blocks
        .find(|block| block.contains("deploy/secrets"))
        .unwrap();
    std::fs::create_dir(place.join("deploy")).unwrap();
    let script = format!("set -eu\n{block}");
    let done = Command::new("sh")
        .args(["-c", &script])
        .current_dir(place)
        .output();
    let done = done.unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let mode = |name: &str| {
        let data = std::fs::metadata(place.join("deploy/secrets").join(name)).unwrap();
        data.permissions().mode() & 0o777
    };
    assert_eq!((mode("."), mode("tls_key")), (0o700, 0o644));
}

/// An instance with the environment of its image and of compose.yaml, and nothing else.
fn instance(compose: &Compose, name: &str, place: &Path, names: &Names) -> Command {
    let image = text_of("deploy/Dockerfile");
    let of_image = |variable: &str| {
        let (_, rest) = image.split_once(&format!("{variable}=")).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    let address = names.here(compose.address(name));
    let listen = of_image("LATCHKEY_LISTEN").replace("0.0.0.0", &address);
    command
        .env_clear()
        .env("LATCHKEY_LISTEN", listen)
        .env(
            "LATCHKEY_DATA_DIR",
            place.join(of_image("LATCHKEY_DATA_DIR").trim_start_matches('/')),
        )
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    for (variable, value) in compose.environment(name) {
        command.env(variable, names.here(&value));
    }
    command
}

/// With the source address that it has in its container.
async fn start_nginx(place: &Path, names: &Names) -> Child {
    let address = names.here("127.0.0.1:8081").replace(":8081", "");
    let text =
        text_of("deploy/compose/nginx.conf").replace("/tmp/", &format!("{}/", place.display()));
    let text = names.here(&text);
    let bound = text.replace("proxy_pass ", &format!("proxy_bind {address}; proxy_pass "));
    assert_ne!(bound, text);
    std::fs::write(place.join("nginx.conf"), bound).unwrap();
    let mut child = Command::new("nginx")
        .args(["-g", "daemon off;", "-c"])
        .arg(place.join("nginx.conf"))
        .stderr(std::fs::File::create(place.join("nginx.log")).unwrap())
        .spawn()
        .expect("apt-get install nginx-light");
    let child_here = std::sync::Mutex::new(&mut child);
    wait_until("nginx listens", async || {
        let ended = child_here.lock().unwrap().try_wait().unwrap();
        let log = || std::fs::read_to_string(place.join("nginx.log")).unwrap();
        assert!(ended.is_none(), "{}", log());
        TcpStream::connect((&*address, 8443)).is_ok()
    })
    .await;
    child
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.instances.clear();
        for (child, signal) in [(&mut self.nginx, "-TERM"), (&mut self.postgres, "-INT")] {
            let id = child.id().to_string();
            let _ = Command::new("kill").args([signal, &id]).status();
            let _ = child.wait();
        }
    }
}
