//! The configuration of etcd, Patroni and HAProxy, after the examples in Patroni's documentation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

pub const PASSWORD: &str = "only-for-faults";

/// A PostgreSQL, and the Patroni that looks after it.
#[derive(Clone)]
pub struct Node {
    pub name: String,
    pub postgresql: SocketAddr,
    pub patroni: SocketAddr,
}

/// Who listens where.
#[derive(Clone)]
pub struct Plan {
    pub etcd: SocketAddr,
    pub etcd_peers: SocketAddr,
    pub nodes: Vec<Node>,
    /// HAProxy, when it cuts the connections to a server that fails its check, and when it does not.
    pub cutting: SocketAddr,
    pub keeping: SocketAddr,
}

impl Plan {
    /// Each machine has its own loopback address. While a node is dead, nobody's outgoing connection takes its port then,
    /// as would happen on 127.0.0.1, where those come from.
    pub fn new() -> Self {
        let node = |n: u8| Node {
            name: format!("n{n}"),
            postgresql: free(10 + n),
            patroni: free(10 + n),
        };
        Self {
            etcd: free(10),
            etcd_peers: free(10),
            nodes: (1..=3).map(node).collect(),
            cutting: free(20),
            keeping: free(20),
        }
    }

    /// A single etcd: it is no part of what dies here, and Patroni treats three alike.
    pub fn etcd(&self, directory: &Path) -> Vec<String> {
        let (clients, peers) = (self.etcd, self.etcd_peers);
        vec![
            "--name=etcd".to_owned(),
            format!("--data-dir={}", directory.display()),
            format!("--listen-client-urls=http://{clients}"),
            format!("--advertise-client-urls=http://{clients}"),
            format!("--listen-peer-urls=http://{peers}"),
            format!("--initial-advertise-peer-urls=http://{peers}"),
            format!("--initial-cluster=etcd=http://{peers}"),
        ]
    }

    /// The times are the shortest that Patroni's documentation allows (dynamic configuration, from 3.1 on): a dead primary
    /// is replaced after about 20 s.
    pub fn patroni(&self, node: &Node, programs: &Path, directory: &Path) -> String {
        let (name, postgresql, patroni) = (&node.name, node.postgresql, node.patroni);
        let (programs, directory) = (programs.display(), directory.display());
        let etcd = self.etcd;
        format!(
            "
scope: faults
name: {name}
restapi: {{listen: '{patroni}', connect_address: '{patroni}'}}
etcd3: {{host: '{etcd}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    postgresql: {{use_pg_rewind: true}}
  initdb: [encoding: UTF8, locale: C.UTF-8, data-checksums]
postgresql:
  listen: {postgresql}
  connect_address: {postgresql}
  bin_dir: {programs}
  data_dir: {directory}/data
  pgpass: {directory}/pgpass
  basebackup: [checkpoint: fast]
  authentication:
    superuser: {{username: postgres, password: {PASSWORD}}}
    replication: {{username: replicator, password: {PASSWORD}}}
    rewind: {{username: rewinder, password: {PASSWORD}}}
  pg_hba:
  - host replication replicator 127.0.0.0/8 scram-sha-256
  - host all all 127.0.0.0/8 scram-sha-256
  parameters: {{unix_socket_directories: ''}}
"
        )
    }

    /// Patroni's template, except for its `inter 3s fall 3 rise 2`: with that, HAProxy alone may need 6 s to find a new
    /// primary. The second list lacks `on-marked-down shutdown-sessions`.
    pub fn haproxy(&self) -> String {
        let list = |name: &str, address: SocketAddr, down: &str| {
            let servers = self.nodes.iter().map(|node| {
                let Node {
                    name,
                    postgresql,
                    patroni,
                } = node;
                let port = patroni.port();
                format!("    server {name} {postgresql} maxconn 100 check port {port}\n")
            });
            format!(
                "
listen {name}
    bind {address}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 500ms fall 2 rise 1 {down}
{}",
                servers.collect::<String>()
            )
        };
        format!(
            "
global
    maxconn 400

defaults
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s
{}{}",
            list("cutting", self.cutting, "on-marked-down shutdown-sessions"),
            list("keeping", self.keeping, "")
        )
    }
}

/// An unused port of 127.0.0.`host`.
fn free(host: u8) -> SocketAddr {
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
    let listener = TcpListener::bind((address, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Patroni's way to etcd.
const ETCD_MODULE: &str = "/usr/lib/python3/dist-packages/etcd";

/// A program, or a message that names the packages which are missing.
pub fn program(name: &str) -> PathBuf {
    let mut places = ["/usr/bin", "/usr/sbin"]
        .map(|place| Path::new(place).join(name))
        .into_iter();
    let found = places.find(|path| path.exists());
    found.filter(|_| Path::new(ETCD_MODULE).exists()).unwrap_or_else(|| {
        panic!("R15 needs {name}: apt-get install patroni python3-etcd etcd-server haproxy util-linux")
    })
}
