//! The requests alone: refunds asked for over kept connections, one thread for each, and nothing remembered. What the
//! wire and the gateway leave to a queue on this machine.
//!
//! `asker PORT CONNECTIONS REQUESTS` prints the requests a second.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

fn main() {
    let [port, connections, requests] = std::array::from_fn(|at| std::env::args().nth(at + 1).unwrap().parse::<usize>().unwrap());
    let asked = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(("127.0.0.1", port as u16)).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut piece = [0; 4096];
                loop {
                    let n = asked.fetch_add(1, Ordering::Relaxed);
                    if n >= requests {
                        return;
                    }
                    let body = format!("unique_request_id=B1R{n}&amount=1.00");
                    let request = format!(
                        "POST /orders/ORD_1_{n}/refunds HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: \
                         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(request.as_bytes()).unwrap();
                    // The answerer writes a reply in one piece.
                    assert!(stream.read(&mut piece).unwrap() > 0);
                }
            });
        }
    });
    println!("{:.0}", requests as f64 / began.elapsed().as_secs_f64());
}
