//! Serving HTTP on a listener until told to stop: HTTP/1.1 with limits on how long a request's head may take, how long
//! a reader may take nothing, and how many connections there are.

mod places;
mod refused;
mod socket;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
pub use places::Bounds;
use places::{Place, SocketTable};
use socket::Socket;
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Longest time for the head of a request, and for the pause between two requests of a connection.
const HEAD: Duration = Duration::from_secs(30);
/// A reader that takes nothing for this long is given up.
const STALL: Duration = Duration::from_secs(45);
/// Bytes of a request's head, and of what is read of a body at a time.
const READ_BYTES: usize = 64 * 1024;
/// What the kernel keeps for a reader that is behind; left alone it grows to megabytes for each.
const SEND_BYTES: u32 = 128 * 1024;
/// How long an idle connection that is to end may still take over a request that is on its way.
const LAST_HEAD: Duration = Duration::from_millis(250);
/// Connections that wait in the kernel to be taken.
const BACKLOG: u32 = 1024;

/// Binds an address; the error is one sentence that names the variable to change.
pub async fn bind(address: SocketAddr, variable: &str) -> Result<TcpListener, String> {
    listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is in use by another program. Stop it, or set {variable} to another address.")
        }
        _ => format!("{variable}: {address} cannot be listened on: {error}."),
    })
}

/// A listener whose connections inherit what is set here.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BYTES)?;
    // The kernel ends by itself what a lost network or a closed window holds, also when nobody writes any more.
    let stall = u32::try_from(STALL.as_millis()).unwrap_or(u32::MAX);
    setsockopt(&socket, sockopt::TcpUserTimeout, &stall)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is set; then no connection is taken any more, and each open one ends with the request it is in.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let places = Arc::new(SocketTable::new(bounds));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match places.enter(peer.ip()) {
                Some(place) => drop(connections.spawn(connection(stream, peer, place, router.clone(), stop.clone()))),
                None => {
                    let Some(seat) = places.wait() else { continue };
                    let (router, stop) = (router.clone(), stop.clone());
                    connections.spawn(async move {
                        let place = seat.place(peer.ip()).await;
                        let Some(place) = place else { return refused::respond(stream).await };
                        drop(seat);
                        connection(stream, peer, place, router, stop).await;
                    });
                }
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            // No file descriptors left, most likely: they come back when connections end.
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, place: Place, router: Router, stop: CancellationToken) {
    // Live events are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let standing = place.standing();
    let service = {
        let standing = standing.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let busy = standing.busy();
            let answer = router.clone().oneshot(request);
            async move { answer.await.map(|response: Response<Body>| response.map(|body| busy.until_sent(body))) }
        })
    };
    let socket = Socket::new(stream, standing.clone(), place.stall());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(READ_BYTES);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = place.asked_to_leave() => {
            // A request may be on its way already; it is answered.
            let patience = if standing.is_stalled() { Duration::ZERO } else { LAST_HEAD };
            match tokio::time::timeout(patience, &mut connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    connection.as_mut().graceful_shutdown();
                    if standing.is_moving() { connection.await } else { Ok(()) }
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended in the middle");
    }
}
