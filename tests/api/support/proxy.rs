//! A TCP proxy in front of the database's socket, as a network that can be cut, slow, dead, or drop notifications.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The state of the network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Good,
    /// Drops notifications, as a pooler in transaction mode does.
    Deaf,
    /// Delays everything.
    Slow(Duration),
    /// Delivers nothing and reports no error.
    Dead,
}

/// Forwards connections to the database's socket.
pub struct Proxy {
    pub port: u16,
    task: Option<JoinHandle<()>>,
    socket: PathBuf,
    line: watch::Sender<Line>,
}

impl Proxy {
    pub async fn start(socket: PathBuf, line: Line) -> Self {
        let mut proxy = Self {
            port: 0,
            task: None,
            socket,
            line: watch::Sender::new(line),
        };
        proxy.open().await;
        proxy
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (socket, line) = (self.socket.clone(), self.line.subscribe());
        self.task = Some(tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                // Resets cut connections instead of closing them cleanly.
                near.set_zero_linger().unwrap();
                let far = UnixStream::connect(&socket).await.unwrap();
                open.spawn(pass(near, far, line.clone()));
            }
        }));
    }

    /// Cuts every connection and accepts no new ones.
    pub async fn close(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn pass(near: TcpStream, far: UnixStream, line: watch::Receiver<Line>) {
    let (from_near, to_near) = near.into_split();
    let (mut from_far, to_far) = far.into_split();
    let back = async {
        if *line.borrow() != Line::Deaf {
            return copy(from_far, to_near, line.clone()).await;
        }
        let mut to_near = to_near;
        // Each message is a type byte, a four-byte length that includes itself, and the rest. `A` is a notification.
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
        _ = copy(from_near, to_far, line.clone()) => {}
        _ = back => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16_384];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let now = *line.borrow_and_update();
        match now {
            Line::Good | Line::Deaf => {}
            Line::Slow(time) => tokio::time::sleep(time).await,
            Line::Dead => {
                let _ = line.wait_for(|line| *line != Line::Dead).await;
            }
        }
        to.write_all(&buffer[..length]).await?;
    }
}
