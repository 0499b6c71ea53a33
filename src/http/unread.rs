//! What nobody read of a request's body. The next request of a connection begins where a body ends, so one that was
//! refused without being read is read to its end and dropped, or the client is told that the connection ends here.

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use futures::StreamExt;
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// As much is read, and for as long, before an answer is sent that keeps the connection.
const READ_BYTES: u64 = 64 * 1024;
const READ_TIME: Duration = Duration::from_secs(1);
/// Where that is not the end, this much more is dropped behind an answer that ends the connection, for this long: a
/// browser whose connection is cut while it sends shows an error of the network instead of our answer.
const DROPPED_BYTES: u64 = 16 * 1024 * 1024;
const DROPPED_TIME: Duration = Duration::from_secs(10);

/// The layer.
pub(super) async fn drop_unread(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits = request.headers().contains_key(header::EXPECT);
    let left = Arc::new(Mutex::new(Left::Lent));
    let lent = left.clone();
    let request = request.map(|body| Body::new(Lent { body, begun: false, ended: false, left: lent }));
    let mut response = next.run(request).await;
    let left = std::mem::replace(&mut *left.lock().unwrap_or_else(PoisonError::into_inner), Left::Lent);
    let whole = match left {
        // Somebody still reads it.
        Left::Lent | Left::Nothing => true,
        // A client that waits to be told to go on has sent nothing yet, and need not.
        Left::Rest { begun: false, .. } if waits => false,
        Left::Rest { body, .. } => read_off(body).await,
    };
    if !whole {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body to its end, if it is near; otherwise drops what follows in the background.
async fn read_off(body: Body) -> bool {
    let announced = body.size_hint().lower();
    let mut stream = body.into_data_stream();
    let mut read = 0;
    let near = async {
        while read <= READ_BYTES {
            match stream.next().await {
                Some(Ok(bytes)) => read += bytes.len() as u64,
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    };
    if announced <= READ_BYTES && timeout(READ_TIME, near).await.unwrap_or(false) {
        return true;
    }
    tokio::spawn(timeout(DROPPED_TIME, async move {
        while let Some(Ok(bytes)) = stream.next().await
            && read <= DROPPED_BYTES
        {
            read += bytes.len() as u64;
        }
    }));
    false
}

/// What is left of a body.
enum Left {
    /// Whoever was given it has it still.
    Lent,
    /// It was read to its end.
    Nothing,
    /// This.
    Rest { body: Body, begun: bool },
}

/// A body that comes back when it is dropped.
struct Lent {
    body: Body,
    begun: bool,
    ended: bool,
    left: Arc<Mutex<Left>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let left = if self.ended || self.body.is_end_stream() {
            Left::Nothing
        } else {
            Left::Rest { body: std::mem::take(&mut self.body), begun: self.begun }
        };
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.begun = true;
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
