//! A strict SMTP server (RFC 5321) that keeps what it gets, and that can refuse, stall and hang up.

mod received;
mod session;
mod transaction;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

pub use received::Received;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "STARTTLS is one word")]
pub enum Tls {
    #[default]
    None,
    /// No mail and no login before STARTTLS.
    StartTls,
    Implicit,
}

#[derive(Clone, Copy, Default)]
pub struct Options {
    pub tls: Tls,
    /// The user and the password without which no mail is accepted.
    pub login: Option<(&'static str, &'static str)>,
    /// Does not offer SMTPUTF8 (RFC 6531).
    pub ascii_only: bool,
}

/// How the server behaves from its next answer on.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Normal,
    /// 550 for this recipient, while others are accepted.
    RefuseRecipient(String),
    /// 553 for the sender, with a status that is about the sender's address.
    RefuseSender,
    /// 451 for every recipient.
    Greylist,
    /// Hangs up in the middle of the next mails.
    DropMidData(usize),
    /// Keeps the next mails, but hangs up instead of saying so.
    AcceptThenDrop(usize),
    /// Accepts connections and says nothing. A connection that met this stays silent.
    Silent,
    /// Waits before each answer.
    Slow(Duration),
    /// 535 for every login.
    RefuseLogin,
}

/// Runs on the caller's runtime until it is dropped.
pub struct Smtp {
    pub port: u16,
    server: Arc<Server>,
    /// Bound but not listening: keeps others from the port while the server is down.
    _reserved: TcpSocket,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What the connections share.
#[derive(Default)]
struct Server {
    options: Options,
    mode: Mutex<Mode>,
    mails: watch::Sender<Vec<Received>>,
    connections: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Smtp {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        Self::on_port(0, options).await
    }

    pub async fn on_port(port: u16, options: Options) -> Self {
        let reserved = bind(port);
        let mut smtp = Self {
            port: reserved.local_addr().unwrap().port(),
            server: Arc::new(Server {
                options,
                ..Server::default()
            }),
            _reserved: reserved,
            running: None,
        };
        smtp.open().await;
        smtp
    }

    /// Listens again after `stop`, with the same port, mode and mails.
    pub async fn open(&mut self) {
        self.stop().await;
        let listener = bind(self.port).listen(1024).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, self.server.clone(), stopped));
        self.running = Some((stop, task));
    }

    /// Cuts every connection and refuses new ones.
    pub async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            drop(stop);
            task.await.unwrap();
        }
    }

    pub fn set(&self, mode: Mode) {
        *self.server.mode.lock().unwrap() = mode;
    }

    /// The certificate to trust, the same for every server of this process.
    pub fn ca_pem() -> &'static str {
        &CERTIFICATES.0
    }

    /// Every mail that was accepted, the oldest first.
    pub fn mails(&self) -> Vec<Received> {
        self.server.mails.borrow().clone()
    }

    /// Waits until at least this many mails have arrived.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} mails");
        self.wait_until(&what, |mails| mails.len() >= count).await
    }

    /// The newest mail to an address, as soon as there is one.
    pub async fn mail_to(&self, address: &str) -> Received {
        let is_to = |mail: &Received| mail.to.iter().any(|to| to == address);
        let what = format!("a mail to {address}");
        let mails = self.wait_until(&what, |mails| mails.iter().any(is_to));
        mails.await.into_iter().rfind(is_to).unwrap()
    }

    async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&Vec<Received>) -> bool,
    ) -> Vec<Received> {
        let mut mails = self.server.mails.subscribe();
        let found = mails.wait_for(condition);
        if let Ok(mails) = tokio::time::timeout(Duration::from_secs(15), found).await {
            return mails.unwrap().clone();
        }
        let summary = |mail: &Received| (mail.to.clone(), mail.header("Subject"));
        let got: Vec<_> = self.mails().iter().map(summary).collect();
        panic!("waited for {what}, got {got:?}");
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.server.connections.load(Ordering::Relaxed)
    }

    /// The most connections that were open at the same time.
    pub fn most_at_once(&self) -> usize {
        self.server.most_at_once.load(Ordering::Relaxed)
    }
}

fn bind(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    socket
}

async fn accept(listener: TcpListener, server: Arc<Server>, mut stopped: oneshot::Receiver<()>) {
    let mut open = JoinSet::new();
    loop {
        let tcp = tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        // Connections that the client closed before it opened this one end first.
        tokio::task::yield_now().await;
        while open.try_join_next().is_some() {}
        let number = server.connections.fetch_add(1, Ordering::Relaxed) + 1;
        open.spawn(session::serve(tcp, server.clone(), number));
        let most = &server.most_at_once;
        most.fetch_max(open.len(), Ordering::Relaxed);
    }
    drop(listener);
    open.shutdown().await;
}

impl Server {
    fn mode(&self) -> Mode {
        self.mode.lock().unwrap().clone()
    }

    /// Whether the mode says to hang up at this mail. Counts it.
    fn hangs_up(&self, when: fn(usize) -> Mode) -> bool {
        let mut mode = self.mode.lock().unwrap();
        let (Mode::DropMidData(left) | Mode::AcceptThenDrop(left)) = *mode else {
            return false;
        };
        if left == 0 || *mode != when(left) {
            return false;
        }
        *mode = match left {
            1 => Mode::Normal,
            _ => when(left - 1),
        };
        true
    }

    fn keep(&self, mail: Received) {
        self.mails.send_modify(|mails| mails.push(mail));
    }
}

/// The CA as PEM, and what a server needs that has a certificate from it. One for all, so that a server that comes back is still trusted.
static CERTIFICATES: LazyLock<(String, TlsAcceptor)> = LazyLock::new(|| {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&ca_key).unwrap();
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, ca_key))
        .unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
});
