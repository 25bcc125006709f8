//! The progress of one connection's requests, shared by their handlers and the stream they come from.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The progress of a connection's requests. Handlers get it from `HttpRequest::conn_data`.
pub struct Pace {
    under_way: Cell<bool>,
    body_wanted: Cell<bool>,
    /// The next empty line may pass.
    granted: Cell<bool>,
    /// Counts progress: a request began or ended, or a client started reading again.
    steps: Cell<u32>,
    reader: Cell<Option<Waker>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            under_way: Cell::new(false),
            body_wanted: Cell::new(false),
            granted: Cell::new(true),
            steps: Cell::new(0),
            reader: Cell::new(None),
        }
    }
}

/// A request is under way until this is dropped.
pub struct UnderWay(Rc<Pace>);

/// A request wants more of its body until this is dropped.
pub struct BodyWanted(Rc<Pace>);

impl Pace {
    pub fn begin(self: &Rc<Self>) -> UnderWay {
        self.set(true, false);
        UnderWay(self.clone())
    }

    pub fn want_body(self: &Rc<Self>) -> BodyWanted {
        self.body_wanted.set(true);
        self.wake();
        BodyWanted(self.clone())
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way.get()
    }

    pub fn steps(&self) -> u32 {
        self.steps.get()
    }

    /// Whether no request is under way, or the one that is wants more of its body.
    pub fn takes_more(&self) -> bool {
        !self.under_way.get() || self.body_wanted.get()
    }

    fn set(&self, under_way: bool, granted: bool) {
        self.under_way.set(under_way);
        self.granted.set(granted);
        self.step();
    }

    /// Records progress.
    pub fn step(&self) {
        self.steps.set(self.steps.get().wrapping_add(1));
    }

    pub fn grant(&self) {
        self.granted.set(true);
    }

    pub fn use_grant(&self) -> bool {
        self.granted.replace(false)
    }

    /// Registers the reader, to be woken when more may pass.
    pub fn wake_later(&self, cx: &Context<'_>) {
        self.reader.set(Some(cx.waker().clone()));
    }

    pub fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(false, true);
        self.0.wake();
    }
}

impl Drop for BodyWanted {
    fn drop(&mut self) {
        self.0.body_wanted.set(false);
    }
}
