//! Requests that are refused before anybody reads their body: what comes after them on the same connection.

use super::support::{MAKER, TestApp};
use futures::future::join_all;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CONNECTIONS: usize = 40;

/// One answer with its body.
async fn read_response(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut part = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.map_or(body.ends_with("0\r\n\r\n"), |length| body.len() >= length.parse::<usize>().unwrap()) {
                return Some(text);
            }
        }
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut part)).await.expect("an answer");
        match read {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.push_str(std::str::from_utf8(&part[..read]).unwrap()),
        }
    }
}

/// Sends head and body apart: the answer to it, and what was answered to the next request.
async fn twice(app: &TestApp, head: &str, body: &[u8]) -> (String, Option<String>) {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let host = app.address;
    let head = format!("{head}\r\nhost: {host}\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // A second packet: not in time for whoever answers without it.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let _ = stream.write_all(body).await;
    let first = read_response(&mut stream).await.expect("an answer to the first request");
    if stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.is_err() {
        return (first, None);
    }
    (first, read_response(&mut stream).await)
}

#[tokio::test]
async fn the_next_request_is_answered_after_every_kind_of_refusal() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let session = format!("cookie: batchdesk={}", maker.cookie("batchdesk").unwrap());
    let refusals = [
        ("403", "POST /theme HTTP/1.1\r\nsec-fetch-site: cross-site".to_owned()),
        ("401", "POST /api/home HTTP/1.1\r\nsec-fetch-site: same-origin".to_owned()),
        ("401", "POST /batch/batch-refunds HTTP/1.1\r\nsec-fetch-site: same-origin".to_owned()),
        ("415", "POST /theme HTTP/1.1\r\nsec-fetch-site: same-origin\r\ncontent-encoding: gzip".to_owned()),
        ("404", "POST /nothing HTTP/1.1\r\nsec-fetch-site: same-origin".to_owned()),
        ("405", "POST /healthz HTTP/1.1\r\nsec-fetch-site: same-origin".to_owned()),
        ("403", format!("POST /settings/limits HTTP/1.1\r\nsec-fetch-site: cross-site\r\n{session}")),
    ];
    for (status, head) in refusals {
        let body = vec![b'x'; 2000];
        let all = join_all((0..CONNECTIONS).map(|_| twice(&app, &head, &body))).await;
        let answered =
            all.iter().filter(|(_, next)| next.as_ref().is_some_and(|next| next.starts_with("HTTP/1.1 200"))).count();
        for (first, _) in &all {
            assert!(first.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {first}");
        }
        assert_eq!(answered, CONNECTIONS, "{status}: {head}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_to_read_off_ends_the_connection_and_the_answer_says_so() {
    let app = TestApp::start().await;
    let body = vec![b'x'; 200 * 1024];
    for head in ["POST /theme HTTP/1.1\r\nsec-fetch-site: cross-site", "POST /login HTTP/1.1"] {
        let (first, next) = twice(&app, head, &body).await;
        assert!(first.contains("connection: close\r\n"), "{head}: {first}");
        assert_eq!(next, None);
    }
    // Half a body that never comes to its end: a second, and no longer.
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /theme HTTP/1.1\r\nhost: x\r\nsec-fetch-site: cross-site\r\ncontent-length: 2000\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    let first = read_response(&mut stream).await.expect("an answer");
    assert!(first.starts_with("HTTP/1.1 403") && first.contains("connection: close\r\n"), "{first}");
    // One that waits for the word to go on is not told to.
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /theme HTTP/1.1\r\nhost: x\r\nsec-fetch-site: cross-site\r\ncontent-length: 2000\r\nexpect: \
                100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let first = read_response(&mut stream).await.expect("an answer");
    assert!(first.starts_with("HTTP/1.1 403") && first.contains("connection: close\r\n"), "{first}");
}

#[tokio::test]
async fn a_compressed_body_is_refused_whatever_the_address() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    for route in batchdesk::http::routes() {
        for coding in ["gzip", "br", "identity, gzip", "x-unknown"] {
            let path = route.path.replace("{id}", "1").replace("{row}", "1");
            let request = maker.request(route.method.as_str(), &path).header("content-encoding", coding);
            let answer = maker.send(request.header("accept", "application/json").body("x=1")).await;
            assert_eq!(answer.status, 415, "{} {path} {coding}: {}", route.method, answer.text);
            assert_eq!(answer.header("accept-encoding"), "identity");
        }
    }
    let request = maker.request("POST", "/theme").header("content-encoding", "identity");
    assert_eq!(maker.send(request.form(&[("theme", "dark")])).await.status, 303);
}
