//! One connection, and how much its client may send ahead of the answers.
//!
//! actix-http takes in all requests that have come, some 6 KiB of memory for each, however many they are and whether
//! their sender reads the answers or not (20 bytes can be a request). Here it gets one at a time.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Requests that may have come and not begun.
const AHEAD: u32 = 2;
/// What ends the head of a request (RFC 9112 2.1). It may also stand in a body, which is then handed over in parts.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A client's stream, read as fast as its requests are dealt with.
pub struct Connection {
    stream: TcpStream,
    pace: Rc<Pace>,
    /// What came behind the end of a head.
    rest: Vec<u8>,
    taken: usize,
    /// The client does not read: nothing more is read from it either.
    blocked: bool,
}

/// How far the client is ahead. Whoever deals with its requests finds it by `HttpRequest::conn_data`.
#[derive(Default)]
pub struct Pace {
    ahead: Cell<u32>,
    reader: Cell<Option<Waker>>,
}

impl Pace {
    /// One of the requests that have come begins.
    pub fn begun(&self) {
        self.set(self.ahead.get().saturating_sub(1));
    }

    /// Part of a body was taken; what ended in it was no head.
    pub fn body_taken(&self) {
        self.set(0);
    }

    fn set(&self, ahead: u32) {
        self.ahead.set(ahead);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            pace: Rc::default(),
            rest: Vec::new(),
            taken: 0,
            blocked: false,
        }
    }

    pub fn pace(&self) -> Rc<Pace> {
        self.pace.clone()
    }

    /// How much of this may be handed over: all of it, or up to the end of the first head.
    fn up_to_head(&self, bytes: &[u8]) -> usize {
        let end = bytes.windows(HEAD_END.len()).position(|at| at == HEAD_END);
        if end.is_some() {
            self.pace.ahead.set(self.pace.ahead.get() + 1);
        }
        end.map_or(bytes.len(), |at| at + HEAD_END.len())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if this.blocked || this.pace.ahead.get() >= AHEAD {
            this.pace.reader.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if this.rest.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            let came = &buffer.filled()[before..];
            let now = this.up_to_head(came);
            if now < came.len() {
                this.rest = came[now..].to_vec();
                this.taken = 0;
                buffer.set_filled(before + now);
            }
        } else {
            let rest = &this.rest[this.taken..];
            let rest = &rest[..rest.len().min(buffer.remaining())];
            let now = this.up_to_head(rest);
            buffer.put_slice(&rest[..now]);
            this.taken += now;
            if this.taken == this.rest.len() {
                this.rest = Vec::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        let was_blocked = std::mem::replace(&mut this.blocked, written.is_pending());
        if was_blocked && !this.blocked {
            this.pace.wake();
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
