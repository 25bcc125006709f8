//! One connection, and how much its client may send ahead of the answers.
//!
//! actix-http takes in all requests that have come, some 6 KiB of memory for each, however many they are and whether
//! their sender reads the answers or not (20 bytes can be a request). Here it gets them one by one.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::pace::Pace;

/// A connection on which nothing gets on from one look to the next and the one after is over: idle, or in a head that does
/// not end (SECURITY E2). actix-http has a time for the first head only, and counts the time of a client that does not
/// read yet as idle.
const LOOK_EVERY: Duration = Duration::from_millis(2500);

/// A client's stream, read as fast as its requests are dealt with.
///
/// An empty line ends the head of a request (RFC 9112 2.1). It may also stand in a body, or nowhere in particular, so
/// nothing depends on what it is: up to the next empty line everything is handed over at once, and the line itself when
/// its time has come. With no request under way that is at the next poll. Later ones wait: until the request wants more
/// of its body, or has ended.
pub struct Connection {
    stream: TcpStream,
    pace: Rc<Pace>,
    /// What came and is not handed over yet.
    rest: Vec<u8>,
    taken: usize,
    line: Line,
    /// Since the last empty line nothing but line ends came: further ones end nothing.
    blank: bool,
    /// The client does not read: nothing more is read from it either.
    blocked: bool,
    /// The end of an empty line is next.
    held: bool,
    look: Option<Pin<Box<Sleep>>>,
    /// What [`Pace::steps`] was at the last look, and whether nothing had changed since the one before.
    steps: u32,
    still: bool,
}

/// How far the bytes handed over are from an empty line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    Within,
    #[default]
    Begun,
    /// A carriage return, which httparse does not insist on.
    Return,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            pace: Rc::default(),
            rest: Vec::new(),
            taken: 0,
            line: Line::default(),
            blank: true,
            blocked: false,
            held: false,
            look: None,
            steps: 0,
            still: false,
        }
    }

    pub fn pace(&self) -> Rc<Pace> {
        self.pace.clone()
    }

    /// How many of these bytes may be handed over now: all, or those before the end of an empty line.
    fn may_pass(&mut self, bytes: &[u8]) -> usize {
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'\n', &bytes[from..]).map(|at| from + at) {
            let before = match (at - from, bytes.get(at.wrapping_sub(1))) {
                (0, _) => self.line,
                (1, Some(b'\r')) if self.line == Line::Begun => Line::Return,
                _ => Line::Within,
            };
            let empty = before != Line::Within;
            if empty && !self.blank && !self.pace.use_grant() {
                self.line = before;
                return at;
            }
            self.blank = empty;
            self.line = Line::Begun;
            from = at + 1;
        }
        self.line = match &bytes[from..] {
            [] => self.line,
            [b'\r'] if self.line == Line::Begun => Line::Return,
            _ => {
                self.blank = false;
                Line::Within
            }
        };
        bytes.len()
    }

    /// Reads from the stream, and keeps back what may not pass yet.
    fn read_stream(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let pass = self.may_pass(&buffer.filled()[before..]);
        self.rest = buffer.filled()[before + pass..].to_vec();
        self.taken = 0;
        buffer.set_filled(before + pass);
        Poll::Ready(Ok(()))
    }

    fn read_rest(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = std::mem::take(&mut self.rest);
        let bytes = &rest[self.taken..];
        let bytes = &bytes[..bytes.len().min(buffer.remaining())];
        let pass = self.may_pass(bytes);
        buffer.put_slice(&bytes[..pass]);
        self.taken += pass;
        if self.taken < rest.len() {
            self.rest = rest;
        }
    }

    /// Nothing passes: the end of an empty line is next. Whether it may is decided at the next poll, when what passed
    /// before it has been dealt with.
    fn hold(&mut self, cx: &mut Context<'_>) {
        self.held = true;
        if self.pace.takes_more() {
            cx.waker().wake_by_ref();
        } else {
            self.pace.wake_later(cx);
        }
    }

    /// Nothing comes. Ready when that has been so for too long: it counts as the end of what comes.
    fn is_over(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let new = || Box::pin(tokio::time::sleep(LOOK_EVERY));
        let look = self.look.get_or_insert_with(new);
        while look.as_mut().poll(cx).is_ready() {
            let steps = self.pace.steps();
            let still = !self.blocked && !self.pace.is_under_way() && self.steps == steps;
            if still && self.still {
                return Poll::Ready(Ok(()));
            }
            (self.steps, self.still) = (steps, still);
            look.as_mut().reset(Instant::now() + LOOK_EVERY);
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if std::mem::take(&mut this.held) && this.pace.takes_more() {
            this.pace.grant();
        }
        if this.blocked {
            this.pace.wake_later(cx);
        } else if this.rest.is_empty() {
            let read = this.read_stream(cx, buffer)?;
            if read.is_ready() && this.rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
        } else {
            this.read_rest(buffer);
        }
        if buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        if !this.blocked && !this.rest.is_empty() {
            this.hold(cx);
        }
        this.is_over(cx)
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
            this.pace.step();
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
