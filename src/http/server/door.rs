//! Lets nobody in any more, before the listening socket is closed.
//!
//! Closing it resets every connection that the kernel has accepted and actix has not, and whatever was sent on it is
//! lost.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use socket2::Socket;

/// Enough for handshakes under way to end, and for actix to accept what the kernel has accepted.
const LAST_GUESTS: Duration = Duration::from_millis(100);

/// The listening socket, through which clients come in.
pub struct Door(Socket);

impl Door {
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self(listener.try_clone()?.into()))
    }

    /// From now on, the kernel ignores new connections. A client tries again by itself, after a second. Then it reaches
    /// whoever listens at this address, or is refused.
    pub async fn close(self) {
        if let Err(error) = ignore_new_connections(&self.0) {
            tracing::debug!(%error, "new connections are accepted until the end");
        }
        tokio::time::sleep(LAST_GUESTS).await;
    }
}

/// Drops packets that open a connection: those with SYN and without ACK.
#[cfg(target_os = "linux")]
fn ignore_new_connections(socket: &Socket) -> io::Result<()> {
    use socket2::SockFilter;

    // Instructions of linux/bpf_common.h. A filter sees the TCP header (RFC 9293 3.1), with the flags in byte 13.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    socket.attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn ignore_new_connections(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
