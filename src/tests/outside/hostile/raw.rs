//! Requests that are none, byte by byte.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Requests that no client of ours could make, byte by byte. The first line of each answer.
pub(super) async fn answers(base: &str) -> Vec<(String, String)> {
    let long = "a".repeat(300_000);
    let headers = "x: y\r\n".repeat(2_000);
    let end = "Host: a\r\nConnection: close\r\n\r\n";
    let requests = [
        ("no request at all", "\0\u{1}\u{2}\r\n\r\n".to_owned()),
        ("an endless path", format!("GET /{long} HTTP/1.1\r\n{end}")),
        ("an endless header", format!("GET / HTTP/1.1\r\nx: {long}\r\n{end}")),
        ("headers without end", format!("GET / HTTP/1.1\r\n{headers}{end}")),
        ("two lengths", format!("POST /login HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n{end}aaaaa")),
        ("a length out of range", format!("POST /login HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n{end}")),
        (
            "a length and chunks",
            format!("POST /login HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n{end}zz\r\n"),
        ),
        (
            "chunks that are none",
            format!("POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{end}ffffffffffffffffff\r\na"),
        ),
        (
            "a body that breaks off",
            format!(
                "POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: \
                 500\r\n{end}a=b"
            ),
        ),
        ("no address of ours", format!("GET http://example.invalid:99999/ HTTP/1.1\r\n{end}")),
        ("a star", format!("OPTIONS * HTTP/1.1\r\n{end}")),
        ("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a file that is not ours", format!("GET /pkg/../../../../etc/passwd HTTP/1.1\r\n{end}")),
        ("a method of its own", format!("PROPFIND / HTTP/1.1\r\n{end}")),
        ("bytes in the path", format!("GET /orders/\u{e9}\u{7f} HTTP/1.1\r\n{end}")),
        ("double slashes", format!("GET //example.invalid//..;/ HTTP/1.1\r\n{end}")),
    ];
    let mut answers = Vec::new();
    for (what, request) in requests {
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
        let mut answer = Vec::new();
        // It may be cut off while it still sends.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{what}: no end after 60 s");
        let first = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
        answers.push((what.to_owned(), first));
    }
    answers
}
