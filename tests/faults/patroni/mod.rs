//! A PostgreSQL cluster as in production: three nodes that Patroni manages with etcd, behind HAProxy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use latchkey::store::local::programs::Programs;
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use crate::process::TempDir;

mod config;
mod machine;
pub mod watch;

pub use config::Node;
use config::{PASSWORD, Plan, program};
use machine::{ACCOUNT, Machine};

pub const USER: &str = "latchkey";
pub const DATABASE: &str = "latchkey";

pub struct Cluster {
    pub plan: Plan,
    /// In the order of the plan. `None` while a node is dead.
    machines: Vec<Option<Machine>>,
    _etcd: Machine,
    _haproxy: Machine,
    // Last, because fields are dropped in this order.
    place: TempDir,
}

impl Cluster {
    /// Returns when there are a primary, a synchronous standby and another one, and an empty database for Latchkey.
    ///
    /// Call it on the main thread, as [`Machine::start`] says.
    pub async fn start() -> Self {
        let (etcd, haproxy) = (program("etcd"), program("haproxy"));
        let (place, plan) = (TempDir::new(), Plan::new());
        let log = |name: &str| place.0.join(name).with_extension("log");
        let data = directory(&place.0, "etcd");
        let etcd = Machine::start(&log("etcd"), etcd.as_os_str(), &plan.etcd(&data));
        let file = place.0.join("haproxy.cfg");
        std::fs::write(&file, plan.haproxy()).unwrap();
        let arguments = ["-db", "-f", &file.display().to_string()].map(str::to_owned);
        let haproxy = Machine::start(&log("haproxy"), haproxy.as_os_str(), &arguments);
        let programs =
            Programs::find(None).expect("R15 needs PostgreSQL: apt-get install postgresql");
        for node in &plan.nodes {
            let data = directory(&place.0, &node.name);
            let text = plan.patroni(node, &programs.directory, &data);
            std::fs::write(place.0.join(&node.name).with_extension("yml"), text).unwrap();
        }
        let mut cluster = Self {
            machines: plan.nodes.iter().map(|_| None).collect(),
            plan,
            place,
            _etcd: etcd,
            _haproxy: haproxy,
        };
        for node in 0..cluster.machines.len() {
            cluster.revive(node);
        }
        cluster.whole().await;
        cluster.create_database().await;
        cluster
    }

    /// Starts a node, which joins the cluster on its own.
    pub fn revive(&mut self, node: usize) {
        let name = &self.plan.nodes[node].name;
        let file = self.place.0.join(name);
        let arguments = [file.with_extension("yml").display().to_string()];
        let patroni = program("patroni");
        let machine = Machine::start(&file.with_extension("log"), patroni.as_os_str(), &arguments);
        self.machines[node] = Some(machine);
    }

    /// Kills Patroni, the postmaster and its children at once, as if the machine lost its power.
    pub fn kill(&mut self, node: usize) {
        self.machines[node].take().unwrap().die();
    }

    /// Asks Patroni to let the synchronous standby take over.
    pub async fn switch_over(&self, primary: usize) {
        let Node { name, patroni, .. } = &self.plan.nodes[primary];
        let ask = reqwest::Client::new().post(format!("http://{patroni}/switchover"));
        let answer = ask.body(format!(r#"{{"leader": "{name}"}}"#)).send().await;
        let answer = answer.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "no switchover: {text}{}", self.logs());
    }

    /// Waits until all three nodes play their part, and returns the primary. Without a synchronous standby, Patroni lets
    /// nobody take over.
    pub async fn whole(&self) -> usize {
        let began = Instant::now();
        loop {
            if let Some(primary) = self.primary().await {
                return primary;
            }
            let patience = Duration::from_secs(120);
            assert!(began.elapsed() < patience, "not whole{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn primary(&self) -> Option<usize> {
        let first = self.plan.nodes[0].patroni;
        let ask = reqwest::Client::new().get(format!("http://{first}/cluster"));
        let answer = ask.timeout(Duration::from_secs(2)).send().await.ok()?;
        let cluster: Value = answer.json().await.ok()?;
        let members = cluster["members"].as_array()?;
        let with = |role: &str| {
            let mut some = members.iter().filter(|member| member["role"] == role);
            some.next().filter(|_| some.next().is_none())
        };
        let up = |member: &Value| member["state"] == "running" || member["state"] == "streaming";
        let leader = with("leader")?;
        let same = |member: &Value| up(member) && member["timeline"] == leader["timeline"];
        let all = members.len() == self.plan.nodes.len() && members.iter().all(same);
        with("sync_standby").and(with("replica")).filter(|_| all)?;
        let named = |node: &Node| leader["name"] == *node.name;
        self.plan.nodes.iter().position(named)
    }

    async fn create_database(&self) {
        let primary = &self.plan.nodes[self.whole().await];
        let connect = |database: &'static str| async move {
            let opened = connect(primary, "postgres", database).await;
            opened.unwrap_or_else(|| panic!("no connection{}", self.logs()))
        };
        let client = connect("postgres").await;
        let role = format!("create role {USER} login password '{PASSWORD}'");
        let database = format!("create database {DATABASE} owner {USER}");
        client.batch_execute(&role).await.unwrap();
        client.batch_execute(&database).await.unwrap();
    }

    /// A `DATABASE_URL` for `host:port`, or for several with commas in between.
    pub fn url(hosts: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@{hosts}/{DATABASE}")
    }

    /// The end of every log, for whoever looks for the reason.
    fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["etcd", "haproxy", "n1", "n2", "n3"] {
            let log = std::fs::read_to_string(self.place.0.join(name).with_extension("log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(15)..].join("\n");
            text.push_str(&format!("\n\n{name}:\n{last}"));
        }
        text
    }
}

/// A connection to one node, past HAProxy.
pub async fn connect(node: &Node, user: &str, database: &str) -> Option<Client> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(node.postgresql.ip().to_string())
        .port(node.postgresql.port())
        .user(user)
        .password(PASSWORD)
        .dbname(database);
    let (client, connection) = config.connect(NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

/// A directory that PostgreSQL's account owns.
fn directory(place: &Path, name: &str) -> PathBuf {
    let path = place.join(name);
    let made = Command::new("install")
        .args(["--directory", "--owner", ACCOUNT, "--mode", "0700"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    path
}
