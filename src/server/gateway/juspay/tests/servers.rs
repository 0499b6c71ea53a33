//! The connector against servers that misbehave in ways the simulator does not.

use super::*;
use crate::domain::view::Split;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Reads one request; none when the connection ended first, or when it is not HTTP.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        text.extend_from_slice(&buffer[..read]);
        if !text[0].is_ascii_uppercase() {
            return None;
        }
        let seen = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = seen.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(seen);
        }
    }
}

/// A server that gives every request the same reply, and hands on what it was asked.
async fn canned(reply: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read_request(&mut stream).await else { continue };
            let _ = sender.send(request);
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    (url, receiver)
}

fn reply_text(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

async fn answered(status: &str, headers: &str, body: &str) -> Reply {
    let (url, _requests) = canned(reply_text(status, headers, body)).await;
    connect(&connection(&url)).unwrap().send(&request("ORD_1", "REF1").into()).await
}

#[tokio::test]
async fn what_is_sent_is_exact() {
    let (url, mut requests) = canned(reply_text("500 Oops", "", "")).await;
    let gateway = connect(&connection(&format!("{url}/base/"))).unwrap();
    let split = Split { marketplace: Some(10_000), vendors: vec![("VENDORA".to_owned(), 50)] };
    gateway.send(&RefundRequest { split: Some(split), ..request("ORD 1", "REF1") }.into()).await;
    let sent = requests.recv().await.unwrap();
    assert!(sent.starts_with("POST /base/orders/ORD%201/refunds HTTP/1.1\r\n"), "{sent}");
    for header in [
        "authorization: Basic c2ltX2FjbWU6\r\n",
        "x-merchantid: acme\r\n",
        "version: 2023-06-30\r\n",
        "x-routing-id: ORD%201\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
    ] {
        assert!(sent.contains(header), "{header} is not in {sent}");
    }
    let (_, body) = sent.split_once("\r\n\r\n").unwrap();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let details =
        r#"{"marketplace":{"refund_amount":100.00},"vendor":{"split":[{"sub_mid":"VENDORA","refund_amount":0.50}]}}"#;
    let expected =
        [("unique_request_id", "REF1"), ("amount", "100.50"), ("metadata.split_settlement_details", details)];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn an_order_id_is_one_segment_whatever_it_holds() {
    let (url, mut requests) = canned(reply_text("500 Oops", "", "")).await;
    let gateway = connect(&connection(&url)).unwrap();
    for (order_id, path) in [
        ("../../refunds", "..%2F..%2Frefunds"),
        ("a/b", "a%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("%2e%2e", "%252e%252e"),
        ("a\\b", "a%5Cb"),
        ("a\r\nx: y", "a%0D%0Ax%3A%20y"),
        ("₹;1", "%E2%82%B9%3B1"),
        ("...", "..."),
    ] {
        gateway.order(order_id).await;
        let sent = requests.recv().await.unwrap();
        assert!(sent.starts_with(&format!("GET /orders/{path} HTTP/1.1\r\n")), "{order_id}: {sent}");
    }
    for order_id in ["", ".", ".."] {
        let reply = gateway.send(&request(order_id, "REF1").into()).await;
        assert_eq!((reply.class, reply.http), (ReplyClass::Failed, None), "{order_id}");
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn replies_that_prove_nothing_are_in_doubt() {
    let unknown = ReplyClass::Unknown;
    let order =
        |refunds: &str| format!(r#"{{"order_id":"ORD_1","status":"CHARGED","currency":"INR","refunds":[{refunds}]}}"#);
    let ours = |amount: &str, status: &str| {
        format!(r#"{{"unique_request_id":"REF1","amount":{amount},"status":"{status}","ref":null}}"#)
    };
    let error = |code: &str, message: &str| {
        format!(r#"{{"status_id":"-1","status":"ERROR","error_code":"{code}","error_message":"{message}"}}"#)
    };
    for (status, body, class) in [
        ("200 OK", String::new(), unknown),
        ("200 OK", "<html>".to_owned(), unknown),
        ("200 OK", order(""), unknown),
        ("200 OK", r#"{"order_id":"ORD_1","status":"CHARGED"}"#.to_owned(), unknown),
        ("200 OK", order(&ours("100.50", "SUCCESS")).replace("ORD_1", "ORD_2"), unknown),
        ("200 OK", order(&ours("100.50", "SUCCESS").replace("REF1", "REF2")), unknown),
        ("200 OK", order(&ours("100.50", "WHATEVER")), unknown),
        ("200 OK", order(&ours("100.50", "SUCCESS")), ReplyClass::Succeeded),
        ("200 OK", order(&ours("\"100.5\"", "SUCCESS")), ReplyClass::Succeeded),
        ("200 OK", order(&ours("100.50", "PENDING")), ReplyClass::Pending),
        ("200 OK", order(&ours("100.50", "FAILURE")), ReplyClass::Failed),
        ("200 OK", order(&ours("100.50", "MANUAL_REVIEW")), ReplyClass::Review),
        ("200 OK", order(&ours("100.51", "SUCCESS")), ReplyClass::Review),
        ("200 OK", order(&ours("100.504", "SUCCESS")), ReplyClass::Review),
        ("200 OK", order(&ours("null", "SUCCESS")), ReplyClass::Review),
        ("200 OK", order(&ours("100.50", "SUCCESS")).replace("INR", "USD"), ReplyClass::Review),
        ("204 No Content", String::new(), unknown),
        ("302 Found", String::new(), unknown),
        ("400 Bad Request", String::new(), unknown),
        ("400 Bad Request", error("something.new", "Hm."), unknown),
        ("400 Bad Request", error("refund.not.allowed", "No."), ReplyClass::Failed),
        (
            "400 Bad Request",
            error("invalid.order.not_successful", "Cannot process unsuccessful order."),
            ReplyClass::Failed,
        ),
        ("400 Bad Request", error("invalid amount", "Amount is invalid."), ReplyClass::Failed),
        ("400 Bad Request", error("Mandatory fields are missing", ""), ReplyClass::Failed),
        ("404 Not Found", "<html>no such host</html>".to_owned(), unknown),
        (
            "404 Not Found",
            r#"{"status":"NOT_FOUND","status_id":"40","order_id":"ORD_1"}"#.to_owned(),
            ReplyClass::Failed,
        ),
        ("404 Not Found", r#"{"status":"NOT_FOUND","status_id":40,"order_id":"ORD_2"}"#.to_owned(), unknown),
        ("408 Request Timeout", error("refund.not.allowed", "No."), unknown),
        ("403 Forbidden", String::new(), ReplyClass::Refused),
        ("429 Too Many Requests", String::new(), ReplyClass::NotSent),
        ("500 Oops", error("refund.not.allowed", "No."), unknown),
        ("503 Busy", String::new(), unknown),
    ] {
        let reply = answered(status, "", &body).await;
        assert_eq!(reply.class, class, "{status} {body}: {reply:?}");
        if class == unknown {
            assert!(reply.code.is_some() && reply.message.is_some(), "{reply:?}");
        }
    }
    let busy = answered("503 Busy", "retry-after: 17\r\n", "").await;
    assert_eq!((busy.class, busy.wait), (unknown, Some(Duration::from_secs(17))));
    let forever = answered("429 Slow", "retry-after: 99999999\r\n", "").await;
    assert_eq!((forever.class, forever.wait), (ReplyClass::NotSent, Some(Duration::from_secs(3600))));
    let processing = error("duplicate.call", "A refund call is already processing with this amount for the order.");
    let processing = answered("400 Bad Request", "", &processing).await;
    assert!(processing.class == unknown && processing.wait.is_some_and(|wait| wait > Duration::from_secs(5)));
    let echo = answered("500 Oops", "", "your key is sim_acme, your header c2ltX2FjbWU6").await;
    assert_eq!(echo.body, "your key is [key], your header [key]");
    let quoted = answered("400 Bad Request", "", &error("refund.not.allowed", "sim_acme may not refund.")).await;
    assert_eq!(quoted.message.as_deref(), Some("[key] may not refund."));
    assert!(!format!("{quoted:?}").contains("sim_acme"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, mut requests) = canned(reply_text("200 OK", "", "{}")).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let reply = answered(status, &format!("location: {elsewhere}/orders/ORD_1/refunds\r\n"), "").await;
        assert_eq!(reply.class, ReplyClass::Unknown, "{status}");
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_reply_over_one_mebibyte_is_in_doubt_and_kept_in_part() {
    let body = format!("{{\"order_id\":\"ORD_1\",\"pad\":\"{}\"}}", "x".repeat(1024 * 1024));
    let reply = answered("200 OK", "", &body).await;
    assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::Unknown, Some("reply_too_large")));
    assert_eq!(reply.body.len(), 64 * 1024);
}

/// The one that matters most: a pooled connection that dies under a POST must not make the client send it again.
#[tokio::test]
async fn a_post_on_a_dying_connection_is_sent_once() {
    for after_bytes in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let posts = Arc::new(AtomicUsize::new(0));
        let counted = posts.clone();
        let (closed, wait_closed) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            if after_bytes {
                // The second request comes over the same connection; it is read and never answered.
                read_request(&mut stream).await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
            }
            drop(stream);
            closed.send(()).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                let counted = counted.clone();
                tokio::spawn(async move {
                    while read_request(&mut stream).await.is_some() {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await;
                    }
                });
            }
        });
        let gateway = connect(&connection(&url)).unwrap();
        gateway.send(&request("ORD_1", "REF1").into()).await;
        if after_bytes {
            let reply = gateway.send(&request("ORD_1", "REF2").into()).await;
            assert_eq!(
                (reply.class, reply.code.as_deref()),
                (ReplyClass::Unknown, Some("connection_lost")),
                "{reply:?}"
            );
            // Whatever a retry would have sent comes before the answer to this one.
            assert_eq!(gateway.send(&request("ORD_1", "REF3").into()).await.http, Some(500));
            assert_eq!(posts.load(Ordering::SeqCst), 2, "REF2 and REF3, each once");
        } else {
            // Closed while idle: hyper may notice before it begins the request, and then takes a fresh connection.
            wait_closed.await.unwrap();
            gateway.send(&request("ORD_1", "REF2").into()).await;
            gateway.send(&request("ORD_1", "REF3").into()).await;
            assert!(posts.load(Ordering::SeqCst) <= 2);
        }
        server.abort();
    }
}

#[tokio::test]
async fn no_connection_is_proof_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gateway = connect(&connection(&url)).unwrap();
    let reply = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::NotSent, Some("no_connection")), "{reply:?}");
    let Found::NoAnswer(found) = gateway.find(&request("ORD_1", "REF1").into()).await else { panic!("an answer") };
    assert_eq!(found.class, ReplyClass::Unknown);
    let OrderState::NoAnswer(order) = gateway.order("ORD_1").await else { panic!("an answer") };
    assert_eq!(order.class, ReplyClass::NotSent);

    // Nor is a connection that cannot be encrypted: the request is written after the handshake.
    let (url, mut requests) = canned(reply_text("200 OK", "", "{}")).await;
    let gateway = connect(&connection(&url.replace("http://", "https://"))).unwrap();
    let reply = gateway.send(&request("ORD_1", "REF1").into()).await;
    assert_eq!((reply.class, reply.code.as_deref()), (ReplyClass::NotSent, Some("no_connection")), "{reply:?}");
    assert!(requests.try_recv().is_err());
}
