//! The content of a file on its way to a client, read as fast as the client takes it.
//!
//! actix-files reads 64 KiB at a time. A thousand clients that never read would hold a thousand times that (SECURITY E6),
//! and so much at once fills the socket's small send buffer, which then waits for an acknowledgement.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{self, Bytes};
use futures_util::future::{FutureExt, LocalBoxFuture};

/// Bytes per read. Reading waits for the disk, so another thread does it.
const READ: u64 = 8 * 1024;
/// Bytes per piece: the connection buffers little more than one.
const PIECE: usize = 2 * 1024;

pub struct FileBody {
    file: Arc<File>,
    /// What has not been read yet.
    offset: u64,
    length: u64,
    /// What has not been sent yet.
    read: Bytes,
    reading: Option<LocalBoxFuture<'static, Result<Bytes, Error>>>,
}

impl FileBody {
    pub fn new(file: File, offset: u64, length: u64) -> Self {
        Self {
            file: Arc::new(file),
            offset,
            length,
            read: Bytes::new(),
            reading: None,
        }
    }
}

impl MessageBody for FileBody {
    type Error = Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let this = self.get_mut();
        if this.read.is_empty() && this.length > 0 {
            let next = || read(this.file.clone(), this.offset, this.length.min(READ)).boxed_local();
            let reading = this.reading.get_or_insert_with(next);
            let read = ready!(reading.poll_unpin(cx));
            this.reading = None;
            this.read = read?;
            this.offset += this.read.len() as u64;
            this.length -= this.read.len() as u64;
        }
        let piece = this.read.split_to(this.read.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// A file that has shrunk since its length was sent cuts the connection, so nobody takes a part for the whole.
async fn read(file: Arc<File>, offset: u64, at_most: u64) -> Result<Bytes, Error> {
    let read = web::block(move || {
        let mut bytes = vec![0; usize::try_from(at_most).unwrap_or_default()];
        let count = file.read_at(&mut bytes, offset)?;
        bytes.truncate(count);
        match count {
            0 => Err(Error::from(ErrorKind::UnexpectedEof)),
            _ => Ok(Bytes::from(bytes)),
        }
    });
    read.await.map_err(Error::other)?
}
