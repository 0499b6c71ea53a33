//! How long the head of a form's part may be. The reader of forms keeps all of a head until it has its end, however
//! long it is; so no more is handed to it while it looks for that end.

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::multipart::Field,
};
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

/// Bytes of a part's head, with what comes before the first part.
pub(super) const HEAD_BYTES: usize = 8 * 1024;

/// Whether a head is being read, and how far.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<At>>);

#[derive(Debug, Default)]
enum At {
    #[default]
    Content,
    Head {
        read: usize,
        /// The reader was given the time to look at what it has.
        looked: bool,
    },
    TooLong,
}

impl Heads {
    /// A head is looked for from now on.
    pub(super) fn head_begins(&self) {
        self.set(At::Head { read: 0, looked: false });
    }

    /// It was found.
    pub(super) fn head_ended(&self) {
        self.set(At::Content);
    }

    /// Whether the form was cut off because a head does not end.
    pub(super) fn too_long(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), At::TooLong)
    }

    fn set(&self, at: At) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// The same body, watched.
    pub(super) fn watch(&self, body: Body) -> Body {
        Body::new(Watched { body, heads: self.clone() })
    }
}

/// Whether the head that was found is too long after all.
pub(super) fn is_too_long(field: &Field<'_>) -> bool {
    let bytes = field.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    bytes.sum::<usize>() > HEAD_BYTES
}

struct Watched {
    body: Body,
    heads: Heads,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let heads = self.heads.clone();
        let mut at = heads.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *at {
            At::Head { read, looked } if *read >= HEAD_BYTES => {
                if !std::mem::replace(looked, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                *at = At::TooLong;
            }
            At::Content | At::Head { .. } | At::TooLong => {}
        }
        if matches!(*at, At::TooLong) {
            return Poll::Ready(Some(Err(axum::Error::new("the head of a part does not end"))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), At::Head { read, .. }) = (&polled, &mut *at) {
            *read = read.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
