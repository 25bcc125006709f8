//! R8: instances behind Debian's nginx with TLS are restarted one after the other, under load.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::Scale;
use crate::load::{
    Caller, Outcome, Target, counts, get, log_in, me, of_kind, post, register, steady, with_status,
    worst,
};
use crate::process::{Process, TempDir};
use crate::report::Report;
use crate::server::{free_port, somebody, time_until};
use crate::shared::Shared;

/// nginx does not use an instance for this long after it has refused a connection.
const FAIL_TIMEOUT: Duration = Duration::from_secs(1);

struct Nginx {
    child: Child,
    target: Target,
    _place: TempDir,
}

impl Nginx {
    async fn start(instances: &[SocketAddr]) -> Self {
        let (place, port) = (TempDir::new(), free_port());
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(place.0.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(place.0.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let of_instance = |address: &SocketAddr| {
            format!("server {address} fail_timeout={}s;", FAIL_TIMEOUT.as_secs())
        };
        let upstream: String = instances.iter().map(of_instance).collect();
        let settings = format!(
            "daemon off; pid nginx.pid; error_log stderr; events {{}}
            http {{
                access_log off; client_body_temp_path body; proxy_temp_path proxy;
                upstream latchkey {{ {upstream} keepalive 16; }}
                server {{
                    listen 127.0.0.1:{port} ssl;
                    ssl_certificate cert.pem; ssl_certificate_key key.pem;
                    location / {{
                        proxy_pass http://latchkey; proxy_http_version 1.1;
                        proxy_set_header Connection ''; proxy_set_header Host $host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    }}
                }}
            }}"
        );
        std::fs::write(place.0.join("nginx.conf"), settings).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&place.0)
            .args(["-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .expect("R8 needs nginx: apt-get install nginx-light");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let target = Target {
            address: ([127, 0, 0, 1], port).into(),
            tls: Some(TlsConnector::from(Arc::new(config))),
        };
        let nginx = Self {
            child,
            target,
            _place: place,
        };
        let live = get("live", "/health/live", "");
        time_until(async || Caller::to(nginx.target.clone()).ask(&live).await.status == 200).await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &id]).status();
        let _ = self.child.wait();
    }
}

/// Two instances at fixed addresses, which a restart does not change.
struct Pair<'a> {
    shared: &'a Shared,
    addresses: [SocketAddr; 2],
}

impl Pair<'_> {
    async fn start(&self, number: usize) -> Process {
        let mut command = self.shared.command(&self.shared.url("postgres"));
        command
            .env("LATCHKEY_LISTEN", self.addresses[number].to_string())
            .env("LATCHKEY_PUBLIC_URL", "https://localhost")
            .env("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1");
        let start = tokio::task::spawn_blocking(move || Process::spawn(&mut command));
        start.await.unwrap()
    }
}

pub async fn behind_nginx(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let pair = Pair {
        shared: &shared,
        addresses: [local(free_port()), local(free_port())],
    };
    let mut instances = [pair.start(0).await, pair.start(1).await];
    let nginx = Nginx::start(&pair.addresses).await;
    let miguel = somebody(pair.addresses[0], "miguel").await;
    somebody(pair.addresses[1], "susan").await;
    let ask = move |n: usize| match n % 20 {
        0 => log_in("susan"),
        10 => register(&format!("n{n}")),
        5 => get("sessions", "/api/sessions", &miguel),
        15 => post("none", "/api/logout", "", "{}"),
        _ => me(&miguel),
    };
    let time = Duration::from_secs(scale.of(12, 120));
    let load = tokio::spawn(steady(nginx.target.clone(), 150, time, ask));
    let (began, mut restarts, mut code) = (Instant::now(), 0, Some(0));
    while began.elapsed() + Duration::from_secs(4) < time {
        // Until nginx uses both again.
        tokio::time::sleep(FAIL_TIMEOUT * 2).await;
        let number = restarts % 2;
        instances[number].signal("TERM");
        code = code.and(instances[number].wait().code());
        instances[number] = pair.start(number).await;
        restarts += 1;
    }
    let outcomes = load.await.unwrap();
    drop(instances);
    report.check(
        "exit codes of the restarted instances",
        format!("{code:?}"),
        "Some(0)",
        code == Some(0),
    );
    report.tell(
        &format!("nginx with TLS, {restarts} restarts one after the other: answers"),
        counts(&outcomes),
    );
    let failed = |one: &&Outcome| !(200..300).contains(&one.status);
    report.none(
        "nginx: failed requests",
        outcomes.iter().filter(failed).count(),
    );
    report.tell(
        "nginx: slowest answer",
        format!("{:.0} ms", worst(&outcomes).as_secs_f64() * 1000.0),
    );
    // One more: the login of `somebody`.
    let logins = with_status(&of_kind(&outcomes, "login"), 200) + 1;
    let missing = logins.saturating_sub(shared.events("susan", "logged_in").await);
    report.none(
        &format!("nginx: of {logins} logins, without an event"),
        missing,
    );
}
