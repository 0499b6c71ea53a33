//! Bodies that come in parts, without a length that was announced.

use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// `bytes` as a body whose length is not known before its end.
pub(crate) fn chunked(bytes: Vec<u8>) -> reqwest::Body {
    let bytes = Bytes::from(bytes);
    let starts = (0..bytes.len()).step_by(16 * 1024);
    let chunks = starts.map(|start| bytes.slice(start..bytes.len().min(start + 16 * 1024))).collect();
    reqwest::Body::wrap(Chunks(chunks))
}
