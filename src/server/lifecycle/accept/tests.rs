use super::*;
use axum::{body::Bytes, routing::get};
use futures::StreamExt;
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
    time::timeout,
};

const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Against a hang only.
const LONG: Duration = Duration::from_secs(20);

/// A server within `bounds` that answers `/` at once, `/much` with more than any buffer holds, `/live` with one line
/// and no end.
async fn served(bounds: Bounds) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let much = || async { Bytes::from(vec![b'x'; 16 * 1024 * 1024]) };
    let live = || async {
        let line = futures::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"line\n"))]);
        Body::from_stream(line.chain(futures::stream::pending()))
    };
    let router = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route("/much", get(much))
        .route("/live", get(live));
    let listener = bind(HERE, "X").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    (address, stop.clone(), tokio::spawn(serve(listener, router, bounds, stop)))
}

async fn connect(server: SocketAddr, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0))).unwrap();
    socket.connect(server).await.unwrap()
}

async fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// What comes until `end` has come, or the connection ends.
async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut part = [0; 1024];
    while !text.ends_with(end) {
        match timeout(LONG, stream.read(&mut part)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(read) => text.push_str(std::str::from_utf8(&part[..read]).unwrap()),
        }
    }
    text
}

async fn answered(server: SocketAddr, from: u8) -> (TcpStream, String) {
    let mut stream = connect(server, from).await;
    ask(&mut stream, "/").await;
    let answer = read_to(&mut stream, &format!("127.0.0.{from}")).await;
    (stream, answer)
}

/// A connection on which events come, and do not end.
async fn live(server: SocketAddr, from: u8) -> TcpStream {
    let mut stream = connect(server, from).await;
    ask(&mut stream, "/live").await;
    let begun = read_to(&mut stream, "line\n\r\n").await;
    assert!(begun.starts_with("HTTP/1.1 200"), "{begun}");
    stream
}

async fn ended(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("the connection ends");
}

/// Waits until the server has cut a connection off from which nothing is read.
async fn reset(stream: &TcpStream) {
    let cut_off = async {
        while stream.take_error().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, cut_off).await.expect("the connection is cut off");
}

fn is_open(stream: &TcpStream) -> bool {
    stream.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

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
    let router = Router::new().route("/slow", get(slow));
    let served = tokio::spawn(serve(listener, router, Bounds::new(16), stop.clone()));
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
    timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_one_sentence() {
    let holder = bind(HERE, "X").await.unwrap();
    let refusal = bind(holder.local_addr().unwrap(), "BATCHDESK_LISTEN").await.unwrap_err();
    assert!(refusal.contains("in use") && refusal.contains("BATCHDESK_LISTEN"), "{refusal}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_given_up_and_one_that_waits_for_events_is_not() {
    let (server, stop, served) = served(Bounds::new(16).stall(Duration::from_millis(200))).await;
    let live = live(server, 1).await;
    let mut stalled = connect(server, 1).await;
    ask(&mut stalled, "/much").await;
    reset(&stalled).await;
    assert!(is_open(&live));
    drop(live);
    stop.cancel();
    timeout(LONG, served).await.expect("nothing is left").unwrap();
}

#[tokio::test]
async fn one_address_has_its_share_and_its_idle_connections_give_way() {
    let (server, ..) = served(Bounds::new(100).per_address(Some(3))).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(live(server, 1).await);
    }
    let (_refused, answer) = answered(server, 1).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
    assert!(answer.ends_with("seconds.\n"), "{answer}");
    // Another address is served, and this one again when one of its own has ended.
    let (_other, answer) = answered(server, 2).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(streams.pop());
    let mut idle = loop {
        let (stream, answer) = answered(server, 1).await;
        if answer.starts_with("HTTP/1.1 200") {
            break stream;
        }
    };
    let (_next, answer) = answered(server, 1).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "the idle one gives way: {answer}");
    ended(&mut idle).await;
}

#[tokio::test]
async fn a_trusted_proxy_has_no_share_of_its_own() {
    let bounds = Bounds::new(100).per_address(Some(1)).trusting(&[IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3))]);
    let (server, ..) = served(bounds).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(live(server, 3).await);
    }
    streams.push(live(server, 1).await);
    let (_refused, answer) = answered(server, 1).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn what_has_stood_still_longest_gives_way_and_live_streams_do_not() {
    let (server, ..) = served(Bounds::new(4).per_address(Some(0))).await;
    let streams = [live(server, 1).await, live(server, 1).await];
    let (mut first, answer) = answered(server, 1).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut stalled = connect(server, 1).await;
    ask(&mut stalled, "/much").await;
    stalled.peek(&mut [0; 1]).await.unwrap();
    // Full. First the idle one gives way, then either of the two that follow it, never a stream of events.
    let (_second, answer) = answered(server, 2).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    ended(&mut first).await;
    for from in 2..40 {
        let (_, answer) = answered(server, from).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    reset(&stalled).await;
    assert!(streams.iter().all(is_open));
}

#[tokio::test]
async fn slow_heads_give_way_too() {
    let (server, ..) = served(Bounds::new(2).per_address(Some(0))).await;
    let mut slow = [connect(server, 1).await, connect(server, 1).await];
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    }
    let (_stream, answer) = answered(server, 1).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (one, two) = slow.split_at_mut(1);
    tokio::select! {
        () = ended(&mut one[0]) => {}
        () = ended(&mut two[0]) => {}
    }
}

#[test]
fn half_of_the_descriptors_are_for_connections() {
    for (descriptors, connections) in [(300, 150), (1024, 512), (20, 16), (1_048_576, 10_000)] {
        assert_eq!(format!("{:?}", Bounds::of_descriptors(descriptors)), format!("{:?}", Bounds::new(connections)));
    }
}
