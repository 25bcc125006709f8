//! The settings of `deploy/compose.yaml` work together: curl through nginx with TLS, to either instance.

use std::process::Command;

use serde_json::{Value, json};

use super::stack::Stack;
use crate::support::{PASSWORD, wait_until};

/// Where curl comes from, as a client in another network would.
const CLIENT: &str = "127.200.0.9";

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Stack {
    /// curl as a browser: with the certificate, and with the cookies of `jar`.
    fn curl(&self, arguments: &[&str]) -> Answer {
        let address = self.names.here("127.0.0.1:8081").replace(":8081", "");
        let done = Command::new("curl")
            .args([
                "-sSi",
                "--http1.1",
                "--max-time",
                "20",
                "-b",
                "jar",
                "-c",
                "jar",
            ])
            .args([
                "--cacert",
                "deploy/secrets/tls_certificate",
                "--interface",
                CLIENT,
            ])
            .args(["--resolve", &format!("localhost:8443:{address}")])
            .args(arguments)
            .current_dir(&self.place.0)
            .output()
            .expect("apt-get install curl");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let text = String::from_utf8(done.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.curl(&[&format!("https://localhost:8443{path}")])
    }

    fn post(&self, path: &str, body: &Value, more: &[&str]) -> Answer {
        let (url, body) = (format!("https://localhost:8443{path}"), body.to_string());
        let json = ["-H", "Content-Type: application/json", "-d", &body, &url];
        self.curl(&[&json[..], more].concat())
    }

    /// Past nginx, with the session of `jar` and a claim about who asks.
    fn ask_directly(&self, instance: usize, cookie: &str, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.instances[instance].address);
        let cookie = format!("Cookie: {cookie}");
        self.curl(&["-H", &cookie, "-H", "X-Forwarded-For: 192.0.2.7", &url])
    }
}

fn log_in(stack: &Stack) -> String {
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    assert_eq!(stack.post("/api/register", &form, &[]).status, 201);
    let form = json!({"username": "susan", "password": PASSWORD});
    // What a client says about itself is not believed; what nginx adds is.
    let login = stack.post("/api/login", &form, &["-H", "X-Forwarded-For: 192.0.2.7"]);
    assert_eq!(login.status, 200, "{}", login.head);
    let cookies = login.head.lines().filter_map(|line| line.split_once(": "));
    let session = cookies
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .find_map(|(_, value)| {
            value
                .starts_with("__Host-latchkey_session=")
                .then_some(value)
        })
        .expect("a session cookie of this host");
    assert!(
        session.contains("; Secure") && session.contains("; HttpOnly"),
        "{session}"
    );
    assert!(
        login
            .head
            .to_lowercase()
            .contains("strict-transport-security: ")
    );
    session.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_settings_of_compose_work_together() {
    let mut stack = Stack::start().await;
    for instance in &stack.instances {
        let log = || instance.output.lock().unwrap().clone();
        wait_until("it has told all", async || log().contains("\"listening\"")).await;
        assert!(!log().contains("WARN"), "{}", log());
    }
    let cookie = log_in(&stack);
    for _ in 0..8 {
        assert_eq!(stack.get("/api/me").status, 200, "whichever is asked");
    }
    for instance in [0, 1] {
        let me = stack.ask_directly(instance, &cookie, "/api/me");
        assert_eq!(me.body["username"], "susan", "one key, one database");
    }
    let sessions = stack.get("/api/sessions").body;
    assert_eq!(
        sessions[0]["ip"], CLIENT,
        "nginx is believed, and nobody else"
    );
    let events = stack.ask_directly(0, &cookie, "/api/me/events");
    assert_eq!(events.status, 200);
    let mail = stack.mails.mail_to("susan@example.com").await;
    assert!(
        mail.link().starts_with("https://localhost:8443/"),
        "{}",
        mail.link()
    );
    assert_eq!(
        mail.header("From").unwrap(),
        "localhost <noreply@localhost>"
    );

    let page = stack.get("/metrics");
    assert_eq!(page.status, 404, "metrics are not for the public");
    let address = stack.names.here("http://127.0.0.1:8081/");
    assert_eq!(
        stack.curl(&[&address]).status,
        204,
        "the healthcheck of nginx"
    );

    stack.instances[0].signal("TERM");
    for _ in 0..10 {
        assert_eq!(stack.get("/api/me").status, 200, "the other one serves");
    }
    assert_eq!(stack.instances[0].wait().code(), Some(0));
    assert_eq!(stack.post("/api/logout", &json!({}), &[]).status, 204);
    assert_eq!(stack.ask_directly(1, &cookie, "/api/me").status, 401);
    assert!(
        !stack.place.0.join("var").exists(),
        "nothing is written to the file system"
    );
}
