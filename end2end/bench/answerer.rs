//! A gateway that answers at once, or after a fixed time, and remembers nothing: what a benchmark of the processor
//! sends to.
//!
//! `answerer PORT MILLISECONDS`. Standard library only, a thread for each connection: `rustc -O` builds it in seconds,
//! and it takes a small part of the time of those who ask it. Orders are charged with 100,000.00 INR; a refund is
//! carried out as asked.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let port: u16 = arguments[1].parse().unwrap();
    let wait = Duration::from_millis(arguments[2].parse().unwrap());
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("ready");
    for stream in listener.incoming().flatten() {
        thread::Builder::new().stack_size(64 * 1024).spawn(move || serve(stream, wait)).unwrap();
    }
}

fn serve(mut stream: TcpStream, wait: Duration) {
    stream.set_nodelay(true).unwrap();
    let (mut have, mut piece) = (Vec::with_capacity(4096), [0; 4096]);
    loop {
        let head = loop {
            if let Some(end) = have.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(n) => have.extend_from_slice(&piece[..n]),
            }
        };
        let text = String::from_utf8_lossy(&have[..head]).to_ascii_lowercase();
        let length = text.split("content-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok()).unwrap_or(0);
        while have.len() < head + length {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(n) => have.extend_from_slice(&piece[..n]),
            }
        }
        let path = String::from_utf8_lossy(&have[..head]).split(' ').nth(1).unwrap_or_default().to_owned();
        let form = String::from_utf8_lossy(&have[head..head + length]).into_owned();
        have.drain(..head + length);
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        let order = path.split('/').nth(2).unwrap_or_default();
        let field = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
        let refunds = match form.is_empty() {
            true => String::new(),
            false => format!(
                r#"{{"unique_request_id":"{key}","ref":"r{key}","amount":{amount},"status":"SUCCESS","refund_type":"STANDARD"}}"#,
                key = field("unique_request_id"),
                amount = field("amount"),
            ),
        };
        let body = format!(
            r#"{{"order_id":"{order}","status":"CHARGED","currency":"INR","amount":100000.00,"amount_refunded":0,"maximum_eligible_refund_amount":100000.00,"txn_id":"m-{order}-1","refunds":[{refunds}]}}"#
        );
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}
