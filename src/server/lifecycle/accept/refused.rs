//! The answer to a connection for which there is no place.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longest time that one takes.
const TIME: Duration = Duration::from_secs(1);
/// Bytes of a request that are read first: an answer to a question that was not read is lost.
const READ: usize = 8 * 1024;

const TEXT: &str = "Too many connections are open. Nothing was changed. Try again in a few seconds.\n";

/// Answers 503 and closes.
pub(super) async fn respond(mut stream: TcpStream) {
    let answered = timeout(TIME, async {
        let mut asked = Vec::new();
        let mut part = [0; 1024];
        while asked.len() < READ && !asked.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut part).await?;
            if read == 0 {
                break;
            }
            asked.extend_from_slice(part.get(..read).unwrap_or_default());
        }
        stream.write_all(response().as_bytes()).await?;
        stream.shutdown().await?;
        // What still comes is read until the other end has closed: closing before it could take the answer back.
        while stream.read(&mut part).await? > 0 {}
        std::io::Result::Ok(())
    });
    let _ = answered.await;
}

fn response() -> String {
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nretry-after: 5\r\nconnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    )
}
