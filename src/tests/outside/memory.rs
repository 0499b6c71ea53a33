//! How much memory the program takes for what many people may do at once.

use super::{
    program::Program,
    support::{ADMIN, Browser, CHECKER, MAKER, Part, multipart},
};
use futures::future::join_all;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MIB: usize = 1024 * 1024;
const HEADER: &str = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";

/// A file of 60 MiB that is found wanting at once: what is measured is the way of its bytes.
fn file(number: usize) -> String {
    let line = format!("{number},{}\n", "x".repeat(1000));
    let mut file = String::from("not,a,header\n");
    while file.len() < 60 * MIB {
        file.push_str(&line);
    }
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_large_files_at_once_stay_within_their_budget() {
    let program = Program::start(None, &[]);
    program.sql("UPDATE batchdesk.organisation SET row_limit = 100000").await;
    let people = [
        Browser::signed_in(program.address, MAKER).await,
        Browser::signed_in(program.address, "maker2@acme.test").await,
    ];
    let idle = program.kib("VmRSS");
    program.forget_peak();
    let files: Vec<String> = (0..6).map(|number| multipart(&[Part::File("large.csv", &file(number))])).collect();
    let uploads = files.into_iter().zip(people.iter().cycle()).map(|(body, browser)| async move {
        browser.upload_body("/batch/batch-refunds", "application/json", body).await
    });
    let answers = join_all(uploads).await;
    let peak = program.kib("VmHWM");
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    println!("six files of 60 MiB at once: {statuses:?}, at most {} MiB, {} MiB before", peak / 1024, idle / 1024);
    for answer in &answers {
        match answer.status {
            422 => assert!(answer.json()["upload"].is_string(), "{}", answer.text),
            503 => {
                assert_eq!(answer.header("retry-after"), "30");
                assert!(answer.text.contains("Too many files are being read"), "{}", answer.text);
            }
            status => panic!("{status}: {}", answer.text),
        }
    }
    assert!(statuses.iter().filter(|status| **status == 422).count() >= 4, "{statuses:?}");
    // A few parts of 1 MiB each, on their way in and on their way to the database.
    assert!(peak - idle <= 160 * 1024, "{} MiB", (peak - idle) / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_becomes_a_batch_in_little_memory() {
    let program = Program::start(None, &[]);
    program.sql("UPDATE batchdesk.organisation SET row_limit = 100000").await;
    let maker = Browser::signed_in(program.address, MAKER).await;
    let line = |row: usize| format!("ORD_{row},1.00,,U{row},,,,,{}\n", format!(",{}", "x".repeat(200)).repeat(10));
    let rows: String = (1..=30_000).map(line).collect();
    let file = format!("{HEADER}\n{rows}");
    assert!(file.len() > 55 * MIB);
    let body = multipart(&[Part::File("large.csv", &file)]);
    let idle = program.kib("VmRSS");
    program.forget_peak();
    let answer = maker.upload_body("/batch/batch-refunds", "application/json", body).await;
    let peak = program.kib("VmHWM");
    println!("a file of {} MiB: at most {} MiB, {} MiB before", file.len() / MIB, peak / 1024, idle / 1024);
    assert_eq!(answer.status, 201, "{}", answer.text);
    // Held whole, as it was once several times over, it would take more than its own size beside what the demo takes
    // meanwhile.
    assert!(peak - idle <= 128 * 1024, "{} MiB", (peak - idle) / 1024);
    let original = maker.get(&format!("{}/original", answer.location())).await;
    let after = program.kib("VmHWM");
    assert_eq!((original.status, original.text == file), (200, true));
    assert!(after - idle <= 128 * 1024, "{} MiB when it was downloaded", (after - idle) / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_open_pages_take_little() {
    const EACH: usize = 10;
    const STREAMS: usize = 500;
    let program = Program::start(None, &[("BATCHDESK_CONNECTIONS_PER_ADDRESS", "0")]);
    let mut cookies = Vec::new();
    for number in 0..2 * STREAMS / EACH {
        let email = [MAKER, "maker2@acme.test", CHECKER, "viewer@acme.test"][number % 4];
        cookies.push(Browser::signed_in(program.address, email).await.cookie("batchdesk").unwrap());
    }
    let open = |cookie: String| async move {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        let request = format!(
            "GET /events?operation=refund HTTP/1.1\r\nhost: {}\r\ncookie: batchdesk={cookie}\r\naccept: \
             text/event-stream\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 \
             Firefox/140.0\r\naccept-encoding: gzip, deflate, br, zstd\r\nsec-fetch-site: same-origin\r\n\r\n",
            program.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !read.windows(15).any(|part| part == b"event: progress") {
            let more = tokio::time::timeout(Duration::from_secs(30), stream.read_buf(&mut read)).await;
            assert!(more.expect("an event in time").unwrap() > 0, "{}", String::from_utf8_lossy(&read));
        }
        stream
    };
    // As many before: they take what signing in has left, and what is made once for all.
    let mut streams = Vec::new();
    for cookie in cookies.split_off(STREAMS / EACH) {
        streams.extend(join_all((0..EACH).map(|_| open(cookie.clone()))).await);
    }
    let before = program.kib("VmRSS");
    for cookie in cookies {
        streams.extend(join_all((0..EACH).map(|_| open(cookie.clone()))).await);
    }
    let after = program.kib("VmRSS");
    let each = after.saturating_sub(before) * 1024 / STREAMS as u64;
    println!("{STREAMS} live streams, and as many more: {before} KiB, {after} KiB, {each} bytes each");
    assert!(each <= 48 * 1024, "{each} bytes for each stream");
    let admin = Browser::signed_in(program.address, ADMIN).await;
    assert_eq!(admin.get("/").await.status, 200);
    drop(streams);
}
