//! A crowd of readers that ask and take nothing, and somebody beside them who only wants a page.

use super::program::Program;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Pages that the healthy client asks for, before and during.
const ASKED: usize = 300;

/// The answer's status and text; a new connection each time.
async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Asks again and again: how many failed, and the time within which 99 of 100 were answered.
async fn ask(address: SocketAddr) -> (usize, Duration) {
    let mut failures = 0;
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        let answered = tokio::time::timeout(Duration::from_secs(30), get(address, "/healthz")).await;
        failures += usize::from(!matches!(answered, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200")));
        times.push(begun.elapsed());
    }
    times.sort();
    (failures, times[ASKED * 99 / 100])
}

/// A connection that asks for more than any buffer holds and reads nothing of it.
async fn reader(address: SocketAddr, path: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(100);
    stream.write_all(request.as_bytes()).await.ok()?;
    Some(stream)
}

async fn beside(readers: usize, descriptors: Option<u32>) {
    let program = Program::start(descriptors, &[]);
    let address = program.address;
    let page = get(address, "/login").await.unwrap();
    let sheet =
        page.split('"').find(|part| part.starts_with("/pkg/") && part.ends_with(".css")).expect("a style sheet");
    let (failures, baseline) = ask(address).await;
    assert_eq!(failures, 0, "with nobody beside");
    let crowd = tokio::spawn({
        let sheet = sheet.to_owned();
        async move {
            let mut crowd = Vec::new();
            for _ in 0..readers {
                crowd.extend(reader(address, &sheet).await);
            }
            crowd
        }
    });
    let (early, _) = ask(address).await;
    let crowd = crowd.await.unwrap();
    let (late, p99) = ask(address).await;
    let many = descriptors.map_or_else(|| "all".to_owned(), |number| number.to_string());
    println!(
        "{readers} readers that take nothing ({} connected), {many} descriptors: {early} + {late} of {ASKED} + {ASKED} \
         failed, 99 of 100 within {p99:?}, {baseline:?} with nobody beside; {} KiB",
        crowd.len(),
        program.kib("VmRSS")
    );
    // While the crowd comes, more may be on the move than there are places and seats; how many is the machine's doing.
    // Readers that stand still take nothing from anybody.
    assert_eq!(late, 0, "{early} + {late} failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_readers_that_take_nothing_disturb_nobody() {
    beside(1000, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_readers_than_there_are_places_disturb_nobody() {
    beside(290, Some(300)).await;
}
