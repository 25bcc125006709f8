//! The answer to HEAD: it has the length of a body, and none.
//!
//! actix-http would read the whole body, such as a large file, and throw it away.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;

struct NoBody(BodySize);

pub fn leave_out(answer: ServiceResponse) -> ServiceResponse {
    answer.map_body(|_, body| BoxBody::new(NoBody(body.size())))
}

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
