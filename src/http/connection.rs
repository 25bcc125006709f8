//! One connection, and how much its client may send ahead of the answers.
//!
//! actix-http takes in all requests that have come, some 6 KiB of memory for each, however many they are and whether
//! their sender reads the answers or not (20 bytes can be a request). Here it gets them one by one.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Empty lines that pass while a request is under way: a body in chunks may have three of them between two pieces of what
/// is in it.
const PASS_MEANWHILE: u32 = 4;

/// A little longer than the first head may take, which is answered with 408 (SECURITY E2).
const HEAD_WITHIN: Duration = Duration::from_secs(6);

/// A client's stream, read as fast as its requests are dealt with.
///
/// An empty line ends the head of a request (RFC 9112 2.1). It may also stand in a body, or nowhere in particular, so
/// nothing depends on what it is: up to the next empty line everything is handed over at once, and the line itself when
/// its time has come. That is at the next poll; but of those that come while a request is under way only the first few,
/// and more when it took some of its body or ended.
pub struct Connection {
    stream: TcpStream,
    pace: Rc<Pace>,
    /// What came and is not handed over yet.
    rest: Vec<u8>,
    taken: usize,
    line: Line,
    /// Since the last empty line nothing but line ends came.
    blank: bool,
    /// The last that was handed over ended a head, which will begin a request.
    whole: bool,
    /// Runs while a head is awaited that has begun to come. actix-http does this for the first one only.
    patience: Option<Pin<Box<Sleep>>>,
    /// The client does not read: nothing more is read from it either.
    blocked: bool,
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

/// How a connection's requests get on. Whoever deals with them finds it by `HttpRequest::conn_data`.
#[derive(Default)]
pub struct Pace {
    under_way: Cell<u32>,
    /// Empty lines that were handed over since a request began, took some of its body, or ended.
    passed: Cell<u32>,
    /// Bytes were handed over since the last request began or ended.
    came: Cell<bool>,
    reader: Cell<Option<Waker>>,
}

/// A request that is dealt with, until this is dropped.
pub struct UnderWay(Rc<Pace>);

impl Pace {
    pub fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.passed.set(0);
        self.came.set(false);
        UnderWay(self.clone())
    }

    /// Whether an empty line may pass; then it is counted.
    fn may_pass(&self) -> bool {
        let most = if self.under_way.get() > 0 {
            PASS_MEANWHILE
        } else {
            1
        };
        let may = self.passed.get() < most;
        self.passed.set(self.passed.get() + u32::from(may));
        may
    }

    /// Part of a body was taken: there may have been an empty line in it.
    pub fn body_taken(&self) {
        self.passed.set(0);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let pace = &self.0;
        pace.under_way.set(pace.under_way.get() - 1);
        pace.passed.set(0);
        pace.came.set(false);
        pace.wake();
    }
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
            whole: false,
            patience: None,
            blocked: false,
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
            if empty && !self.blank && !self.pace.may_pass() {
                self.line = before;
                return at;
            }
            self.whole = empty && !self.blank;
            self.blank = empty;
            self.line = Line::Begun;
            from = at + 1;
        }
        self.line = match &bytes[from..] {
            [] => self.line,
            [b'\r'] if self.line == Line::Begun => Line::Return,
            _ => {
                (self.blank, self.whole) = (false, false);
                Line::Within
            }
        };
        bytes.len()
    }

    fn read_stream(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        if Pin::new(&mut self.stream)
            .poll_read(cx, buffer)?
            .is_pending()
        {
            return self.wait(cx);
        }
        let came = buffer.filled().len() - before;
        let pass = self.may_pass(&buffer.filled()[before..]);
        if pass < came {
            self.rest = buffer.filled()[before + pass..].to_vec();
            self.taken = 0;
            buffer.set_filled(before + pass);
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing comes. An end of what comes, where a head was awaited for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.whole || !self.pace.came.get() || self.pace.under_way.get() > 0 {
            return Poll::Pending;
        }
        let new = || Box::pin(tokio::time::sleep(HEAD_WITHIN));
        let patience = self.patience.get_or_insert_with(new);
        patience.as_mut().poll(cx).map(Ok)
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
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.pace.under_way.get() > 0 || !this.pace.came.get() {
            this.patience = None;
        }
        if this.blocked {
            this.pace.reader.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        if this.rest.is_empty() {
            ready!(this.read_stream(cx, buffer))?;
        } else {
            this.read_rest(buffer);
        }
        if this.rest.is_empty() || buffer.filled().len() > before {
            this.pace.came.set(true);
            return Poll::Ready(Ok(()));
        }
        // Nothing passes: an empty line is next.
        if this.pace.under_way.get() == 0 {
            this.pace.passed.set(0);
            cx.waker().wake_by_ref();
        } else {
            this.pace.reader.set(Some(cx.waker().clone()));
        }
        Poll::Pending
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
