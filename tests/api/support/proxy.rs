//! A TCP proxy in front of the database's socket, to take the database away or to swallow notifications.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::Database;

/// Passes connections on to the database's socket until it is told not to.
pub struct Proxy {
    pub port: u16,
    task: Option<JoinHandle<()>>,
    sockets: std::path::PathBuf,
    /// Drops notifications, as a pooler in transaction mode does.
    deaf: bool,
}

impl Proxy {
    pub async fn start(database: &Database, deaf: bool) -> Self {
        let sockets = database.sockets().join(".s.PGSQL.5432");
        let mut proxy = Self {
            port: 0,
            task: None,
            sockets,
            deaf,
        };
        proxy.open().await;
        proxy
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (sockets, deaf) = (self.sockets.clone(), self.deaf);
        self.task = Some(tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&sockets).await.unwrap();
                open.spawn(pass(near, far, deaf));
            }
        }));
    }

    /// Cuts every connection and takes no new ones.
    pub async fn close(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }
}

async fn pass(near: TcpStream, far: UnixStream, deaf: bool) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let there = copy(&mut from_near, &mut to_far);
    let back = async {
        if !deaf {
            return copy(&mut from_far, &mut to_near).await.map(drop);
        }
        // Each message is a letter, its length with itself, and that much less four bytes. A is a notification.
        loop {
            let mut head = [0; 5];
            from_far.read_exact(&mut head).await?;
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            let mut rest = vec![0; length as usize - 4];
            from_far.read_exact(&mut rest).await?;
            if head[0] != b'A' {
                to_near.write_all(&head).await?;
                to_near.write_all(&rest).await?;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        _ = back => {}
    }
}
