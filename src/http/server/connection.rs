//! One client connection with backpressure: actix-http gets its pipelined requests one at a time.
//!
//! Left alone, actix-http parses every request that has arrived and keeps about 6 KiB for each, however many there are
//! (20 bytes can be a request) and whether or not the client reads the responses.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::pace::Pace;

/// How often a connection is checked for progress. One that makes none for two intervals in a row is closed: it is
/// idle, or its request head never ends (SECURITY E2). actix-http times only the first head, and counts a client that
/// is slow to read its response as idle.
const LOOK_EVERY: Duration = Duration::from_millis(2500);
/// The same once the server stops. A request that is on its way when the connection is accepted still arrives.
const LOOK_AT_THE_END: Duration = Duration::from_millis(100);

/// A client's stream, read only as fast as its requests are handled.
///
/// An empty line ends a request head (RFC 9112 2.1). It may also be part of a body, or junk, so nothing depends on what
/// it means: everything before the next empty line passes at once, and the line itself passes later. With no request
/// under way, that is at the next poll; otherwise, once the request wants more of its body or has ended.
pub struct Connection {
    stream: TcpStream,
    pace: Rc<Pace>,
    /// Received but not passed on yet.
    rest: Vec<u8>,
    taken: usize,
    line: Line,
    /// Only line ends have come since the last empty line; another one ends nothing.
    blank: bool,
    /// The client is not reading, so nothing more is read from it.
    blocked: bool,
    /// The next byte ends an empty line.
    held: bool,
    look: Option<Pin<Box<Sleep>>>,
    /// Ready when the server stops; `None` afterwards.
    stopping: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// [`Pace::steps`] at the last check, and whether nothing had changed since the check before.
    steps: u32,
    still: bool,
}

/// How close the bytes passed so far are to an empty line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    Within,
    #[default]
    Begun,
    /// After a carriage return, which httparse does not require.
    Return,
}

impl Connection {
    pub fn new(stream: TcpStream, stopping: impl Future<Output = ()> + 'static) -> Self {
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
            stopping: Some(Box::pin(stopping)),
            steps: 0,
            still: false,
        }
    }

    pub fn pace(&self) -> Rc<Pace> {
        self.pace.clone()
    }

    /// How many of these bytes may pass now: all of them, or those before the end of an empty line.
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

    /// Reads from the stream and keeps what may not pass yet.
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

    /// Stops before the end of an empty line. The next poll decides whether it may pass, once everything before it has
    /// been handled.
    fn hold(&mut self, cx: &mut Context<'_>) {
        self.held = true;
        if self.pace.takes_more() {
            cx.waker().wake_by_ref();
        } else {
            self.pace.wake_later(cx);
        }
    }

    /// Called when no bytes arrive. Ready once that has lasted too long, which counts as end of input.
    fn is_over(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(cx).is_ready()
        {
            self.stopping = None;
            self.look = None;
        }
        let every = match self.stopping {
            Some(_) => LOOK_EVERY,
            None => LOOK_AT_THE_END,
        };
        let new = || Box::pin(tokio::time::sleep(every));
        let look = self.look.get_or_insert_with(new);
        while look.as_mut().poll(cx).is_ready() {
            let steps = self.pace.steps();
            let still = !self.blocked && !self.pace.is_under_way() && self.steps == steps;
            if still && self.still {
                return Poll::Ready(Ok(()));
            }
            (self.steps, self.still) = (steps, still);
            look.as_mut().reset(Instant::now() + every);
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
