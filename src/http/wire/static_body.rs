//! A response body that never changes, shared by all readers and sent in small pieces.
//!
//! actix-http copies as much of an ordinary body as it can into the write buffer, so a thousand clients that never read
//! would hold a thousand copies of the largest file.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// Bytes per piece.
const PIECE: usize = 2 * 1024;

pub struct StaticBody(pub Bytes);

impl MessageBody for StaticBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let rest = &mut self.get_mut().0;
        let piece = rest.split_to(rest.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}
