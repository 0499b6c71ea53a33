//! Serving HTTP on a listener until told to stop: HTTP/1.1 with a limit on how long a request's head may take.

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{io::ErrorKind, net::SocketAddr, pin::pin, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Longest time for the head of a request, and for the pause between two requests of a connection.
const HEAD: Duration = Duration::from_secs(30);

/// Binds an address; the error is one sentence that names the variable to change.
pub async fn bind(address: SocketAddr, variable: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("{address} is in use by another program. Stop it, or set {variable} to another address.")
        }
        _ => format!("{variable}: {address} cannot be listened on: {error}."),
    })
}

/// Serves until `stop` is set; then no connection is taken any more, and each open one ends with the request it is in.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => drop(connections.spawn(connection(stream, peer, router.clone(), stop.clone()))),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
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

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // Live events are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended in the middle");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_word_to_stop_and_idle_connections_end() {
        let (begun, finish) = (CancellationToken::new(), CancellationToken::new());
        let slow = {
            let (begun, finish) = (begun.clone(), finish.clone());
            move |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
                begun.cancel();
                finish.cancelled().await;
                peer.ip().to_string()
            }
        };
        let listener = bind(HERE, "X").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, Router::new().route("/slow", get(slow)), stop.clone()));
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        begun.cancelled().await;
        stop.cancel();
        let mut nothing = String::new();
        idle.read_to_string(&mut nothing).await.unwrap();
        assert!(nothing.is_empty());
        assert!(!served.is_finished());
        finish.cancel();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_taken_port_is_one_sentence() {
        let holder = bind(HERE, "X").await.unwrap();
        let refusal = bind(holder.local_addr().unwrap(), "BATCHDESK_LISTEN").await.unwrap_err();
        assert!(refusal.contains("in use") && refusal.contains("BATCHDESK_LISTEN"), "{refusal}");
    }
}
