//! Files that come in by form, and files that leave.

use super::support::{BOUNDARY, MAKER, MAKERS_FILE, Part, STRANGER, TestApp, fingerprint, multipart};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LIST: &str = "/batch/batch-refunds";
const HEADER: &str = "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";

fn csv(order: &str, amount: &str) -> String {
    format!("{HEADER}\n{order},{amount},,,,,,,,,,,,,,,,,\n")
}

#[tokio::test]
async fn a_clean_file_becomes_a_batch() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let file = csv("ORD_1", "100.50");
    let answer = owner.upload(LIST, "text/html", &[Part::File("r.csv", &file)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let page = owner.get(&answer.location()).await;
    assert_eq!(page.status, 200);
    assert!(answer.location().starts_with("/batch/batch-refunds/"));

    let file = csv("ORD_2", "7.00");
    let answer = owner.upload(LIST, "application/json", &[Part::File("r2.csv", &file)]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["location"], answer.location());
    assert_eq!(json["location"], format!("{LIST}/{}", json["batch_id"].as_str().unwrap()));
}

#[tokio::test]
async fn findings_come_back_on_the_page_and_the_person_can_go_on_without_javascript() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let described =
        maker.form(&format!("{LIST}/new/description"), &[("description", "Parcels that never arrived")]).await;
    assert_eq!(described.status, 303, "{}", described.text);
    let draft = described.location().split("draft=").nth(1).unwrap().to_owned();
    let file = csv("ORD_1", "1,250.00").replace("1,250.00", "\"1,250.00\"");
    let parts = [Part::File("r.csv", &file), Part::Field("draft", &draft)];
    let page = maker.upload(LIST, "text/html", &parts).await;
    assert_eq!(page.status, 422);
    for part in ["data-finding", "data-row=\"2\"", "data-column=\"amount\"", "Invalid data type"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("<script type=\"module\""), "the form's address has no page that could be hydrated");

    let answer = maker.upload(LIST, "application/json", &parts).await;
    assert_eq!(answer.status, 422);
    let error = &answer.json()["errors"][0];
    assert_eq!(
        (&error["row"], &error["column"], &error["code"]),
        (&2.into(), &"amount".into(), &"invalid_data_type".into())
    );
    assert!(error["message"].as_str().unwrap().starts_with("Invalid data type"));
}

#[tokio::test]
async fn what_must_be_confirmed_is_an_error_until_it_is_on_every_way_in() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let row = |order: &str, amount: &str| csv(order, amount).lines().nth(1).unwrap().to_owned();
    let refunds = format!("{HEADER}\n{}\n{}\n{}\n", row("ORD_1", "1"), row("ORD_2", "2.50"), row("ORD_3", "3.50"));
    let orders = "order_id,txn_id,unique_request_id\nTotal,,\n".to_owned();
    for (path, file, column) in [(LIST, refunds, "amount"), ("/batch/batch-sync", orders, "order_id")] {
        let answer = owner.upload(path, "application/json", &[Part::File("t.csv", &file)]).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let error = &answer.json()["errors"][0];
        assert_eq!((error["code"].as_str(), error["column"].as_str()), (Some("total_line"), Some(column)));
        assert_eq!(answer.json()["warnings"].as_array().map(Vec::len), Some(0), "said once");
        // Without JavaScript: the page has the box, and the file is kept for it.
        let page = owner.upload(path, "text/html", &[Part::File("t.csv", &file)]).await;
        assert_eq!(page.status, 422);
        for part in ["name=\"confirm_warnings\"", "Upload it anyway", "must be confirmed", "data-finding"] {
            assert!(page.text.contains(part), "{part} in {}", page.text);
        }
        assert!(!page.text.contains("confirm_repeat"));
        let kept = page.text.split("name=\"upload\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let none = owner.upload(path, "text/html", &[Part::Field("upload", kept), Part::File("", "")]).await;
        assert_eq!(none.status, 422, "without the tick it stays here");
        let tick = [Part::Field("upload", kept), Part::Field("confirm_warnings", "1"), Part::File("", "")];
        assert_eq!(owner.upload(path, "text/html", &tick).await.status, 303);
        let both =
            [Part::Field("confirm_warnings", "1"), Part::Field("confirm_repeat", "1"), Part::File("t.csv", &file)];
        assert_eq!(owner.upload(path, "application/json", &both).await.status, 201);
    }
}

#[tokio::test]
async fn whatever_a_file_holds_the_answer_and_what_is_kept_of_it_are_small() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let header = format!("{},amount\n{}", "x".repeat(250_000), "a\"b,1\n".repeat(900));
    let unseen = format!("{HEADER}\n{}", format!("{}\n", vec!["\u{202e}".repeat(120); 19].join(",")).repeat(600));
    let names =
        format!("order_id,{}\nA\n", (0..200).map(|name| format!("{name}{},", "é".repeat(2_000))).collect::<String>());
    for (name, file) in [("header", header), ("unseen", unseen), ("names", names)] {
        for path in [LIST, "/batch/batch-sync"] {
            let answer = owner.upload(path, "application/json", &[Part::File("h.csv", &file)]).await;
            assert_eq!(answer.status, 422, "{name}");
            assert!(answer.text.len() <= 256 * 1024, "{name} {path}: {} bytes", answer.text.len());
            let page = owner.upload(path, "text/html", &[Part::File("h.csv", &file)]).await;
            assert_eq!(page.status, 422, "{name}");
            println!("{name} {path}: {} bytes of JSON, {} of the page", answer.text.len(), page.text.len());
        }
    }
    let mut admin = app.database().await;
    let (kept,): (i64,) = sqlx::query_as("SELECT max(length(findings) + length(repeats))::bigint FROM draft")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(kept > 0 && kept <= 256 * 1024, "{kept} bytes in a draft");
}

#[tokio::test]
async fn a_description_that_is_too_long_comes_back_as_typed() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let typed = format!("a<b {}", "x".repeat(500));
    let page = maker.form(&format!("{LIST}/new/description"), &[("description", &typed)]).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("a&lt;b") && !page.text.contains("a<b"), "kept, and escaped");
}

#[tokio::test]
async fn forms_that_make_no_sense_change_nothing() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let before = fingerprint(&app).await;
    let file = csv("ORD_1", "1.00");
    let none: [Part<'_>; 0] = [];
    let empty = [Part::File("", "")];
    let two = [Part::File("a.csv", &file), Part::File("b.csv", &file)];
    let long = "x".repeat(10_000);
    let long_field = [Part::Field("description", &long), Part::File("a.csv", &file)];
    let many: Vec<_> = (0..30).map(|_| Part::Field("x", "1")).collect();
    for (name, parts) in [
        ("nothing", none.as_slice()),
        ("no file chosen", &empty),
        ("two files", &two),
        ("a field too long", &long_field),
        ("too many fields", &many),
    ] {
        for accept in ["text/html", "application/json"] {
            let answer = owner.upload(LIST, accept, parts).await;
            assert_eq!(answer.status, 422, "{name}: {}", answer.text);
            if accept == "application/json" {
                assert!(!answer.json()["errors"][0]["message"].as_str().unwrap().is_empty(), "{name}");
            }
        }
    }
    let whole = multipart(&[Part::File("a.csv", &file)]);
    for (name, content_type, body) in [
        ("no boundary", "multipart/form-data".to_owned(), whole.clone()),
        ("another type", "application/x-www-form-urlencoded".to_owned(), whole.clone()),
        ("another boundary", "multipart/form-data; boundary=other".to_owned(), whole.clone()),
        ("cut in the middle", format!("multipart/form-data; boundary={BOUNDARY}"), whole[..whole.len() / 2].to_owned()),
    ] {
        let request = owner.request("POST", LIST).header("accept", "application/json");
        let answer = owner.send(request.header("content-type", content_type).body(body)).await;
        assert_eq!(answer.status, 422, "{name}: {}", answer.text);
    }
    assert_eq!(fingerprint(&app).await, before);
}

#[tokio::test]
async fn hostile_file_names_are_only_names() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    for (number, name) in [
        "../../etc/passwd",
        "a\\b\\c.csv",
        "<img src=x onerror=alert(1)>.csv",
        "</title><script>alert(1)</script>.csv",
        "\\</title><script>alert(1)<\\/script>.csv",
        "%2e%2e%2fx.csv",
        "\u{202e}vsc.exe",
        "CON",
    ]
    .into_iter()
    .enumerate()
    {
        let file = csv(&format!("ORD_{number}"), "1.00");
        let answer = owner.upload(LIST, "application/json", &[Part::File(name, &file)]).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
        let location = answer.location();
        let page = owner.get(&location).await;
        assert_eq!(page.status, 200, "{name}");
        // A title is text up to its end, whatever is in it: it must not hold that end.
        assert_eq!(page.text.matches("</title").count(), 1, "{name}: the title can be left");
        let (head, body) = page.text.split_once("</title").unwrap();
        let head = head.split_once("<title").unwrap().0;
        for part in [head, body] {
            assert!(!part.contains("<img src=x") && !part.contains("<script>alert"), "{name}: not escaped");
        }
        let original = owner.get(&format!("{location}/original")).await;
        assert_eq!((original.status, original.text.as_str()), (200, file.as_str()), "{name}");
        let disposition = original.header("content-disposition");
        assert!(disposition.starts_with("attachment; filename=\""), "{name}: {disposition}");
        let plain = disposition.split('"').nth(1).unwrap();
        assert!(!plain.is_empty() && !plain.contains(['/', '\\']), "{name}: {disposition}");
    }
}

/// Sends a form of `size` bytes by hand and stops when an answer comes: how much was taken, and the answer.
async fn push(app: &TestApp, cookie: &str, announced: bool, size: usize) -> (usize, String) {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let start = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.csv\"\r\n\r\n");
    let length = if announced { format!("content-length: {size}") } else { "transfer-encoding: chunked".to_owned() };
    let head = format!(
        "POST {LIST} HTTP/1.1\r\nhost: {}\r\ncookie: batchdesk={cookie}\r\nsec-fetch-site: same-origin\r\n\
         accept: application/json\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\n{length}\r\n\r\n",
        app.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let chunk = vec![b'a'; 64 * 1024];
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        let frame = |bytes: &[u8]| {
            if announced {
                bytes.to_vec()
            } else {
                [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
            }
        };
        if writer.write_all(&frame(start.as_bytes())).await.is_err() {
            return sent;
        }
        while sent < size {
            if writer.write_all(&frame(&chunk)).await.is_err() {
                return sent;
            }
            sent += chunk.len();
        }
        sent
    });
    let mut answer = vec![0; 16 * 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), reader.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    drop(reader);
    (sending.await.unwrap(), answer)
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_without_reading_it_all() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let cookie = owner.cookie("batchdesk").unwrap();
    const SIZE: usize = 100 * 1024 * 1024;
    let before = fingerprint(&app).await;
    for announced in [true, false] {
        let (sent, answer) = push(&app, &cookie, announced, SIZE).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "announced {announced}: {answer}");
        assert!(answer.contains("file_too_large"), "{answer}");
        // The limit is 5 MiB; 16 MiB more are read and dropped, and some lie in the buffers of the connection.
        assert!(sent < 40 * 1024 * 1024, "announced {announced}: {sent} bytes were read");
    }
    assert_eq!(fingerprint(&app).await, before);

    // A little over the limit: the page comes back.
    let file = format!("{}{}", csv("ORD_1", "1.00"), "\n".repeat(5 * 1024 * 1024));
    let page = owner.upload(LIST, "text/html", &[Part::File("r.csv", &file)]).await;
    assert_eq!(page.status, 413);
    assert!(page.text.contains("File too large"), "the page says so");
}

#[tokio::test]
async fn nobody_elses_bytes_are_read() {
    let app = TestApp::start().await;
    let viewer = app.signed_in(super::support::VIEWER).await;
    let cookie = viewer.cookie("batchdesk").unwrap();
    for (cookie, status) in [(cookie.as_str(), "403"), ("AAAAAAAAAAAAAAAAAAAAAA", "401")] {
        let (sent, answer) = push(&app, cookie, true, 50 * 1024 * 1024).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(sent < 50 * 1024 * 1024);
    }
}

#[tokio::test]
async fn downloads_are_attachments_with_the_names_of_the_specification() {
    let app = TestApp::start().await;
    let maker = app.signed_in(MAKER).await;
    let batch = app.batch(MAKERS_FILE).await;
    let data = maker.get(&format!("{LIST}/{batch}/batch_refund.csv")).await;
    assert_eq!(data.header("content-disposition"), "attachment; filename=\"batch_refund.csv\"");
    assert_eq!(data.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(data.text.lines().count(), 121);
    let path = format!("{LIST}/{batch}/batch_refund.xlsx");
    let sheet = maker.send(maker.request("GET", &path).header("accept-encoding", "gzip, br")).await;
    assert_eq!(sheet.header("content-disposition"), "attachment; filename=\"batch_refund.xlsx\"");
    assert_eq!(sheet.header("content-type"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    assert_eq!(sheet.header("content-encoding"), "", "an archive is not compressed once more");
    assert!(sheet.text.starts_with("PK\u{3}\u{4}"));
    let log = maker.get(&format!("{LIST}/{batch}/activity")).await.text;
    for file in ["batch_refund.csv", "batch_refund.xlsx"] {
        assert!(log.contains(&format!("Downloaded {file}")), "each download is audited: {file}");
    }
    for sample in ["batch_refunds_sample.csv", "batch_refunds_split_sample.csv"] {
        let answer = maker.get(&format!("/samples/{sample}")).await;
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{sample}\""));
        assert!(answer.text.starts_with("order_id,amount,"));
    }
}

/// Sends a part whose head has `size` bytes, in pieces: the answer.
async fn push_head(app: &TestApp, cookie: &str, before: &str, size: usize) -> String {
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nX-More: ");
    let length = before.len() + head.len() + size;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!(
        "POST {LIST} HTTP/1.1\r\nhost: {}\r\ncookie: batchdesk={cookie}\r\nsec-fetch-site: same-origin\r\naccept: \
         application/json\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: \
         {length}\r\n\r\n{before}{head}",
        app.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while sent < size && writer.write_all(&[b'x'; 4096]).await.is_ok() {
            sent += 4096;
        }
        writer
    });
    let mut answer = vec![0; 16 * 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), reader.read(&mut answer)).await.unwrap().unwrap();
    drop(sending.await.unwrap());
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn the_head_of_a_part_has_an_end() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let cookie = owner.cookie("batchdesk").unwrap();
    let field = multipart(&[Part::Field("description", "x")]).replace(&format!("--{BOUNDARY}--\r\n"), "");
    for (before, size) in
        [("", 12 * 1024), ("", 3 * 1024 * 1024), (field.as_str(), 3 * 1024 * 1024), ("no boundary ", 64 * 1024)]
    {
        let answer = push_head(&app, &cookie, before, size).await;
        assert!(answer.starts_with("HTTP/1.1 422"), "{size}: {answer}");
        assert!(answer.contains("more than 8 KB of headers"), "{size}: {answer}");
    }
    // One that came whole with the file behind it.
    let long = "x".repeat(9 * 1024);
    let file = csv("ORD_1", "1.00");
    let body = multipart(&[Part::File("a.csv", &file)]);
    let body = body.replace("Content-Type: text/csv", &format!("Content-Type: text/csv\r\nX-More: {long}"));
    let answer = owner.upload_body(LIST, "application/json", body).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("more than 8 KB of headers"), "{}", answer.text);
    // A long one within the limit is taken.
    let body = multipart(&[Part::File(&"n".repeat(6 * 1024), &file)]);
    assert_eq!(owner.upload_body(LIST, "application/json", body).await.status, 201);
}

#[tokio::test]
async fn one_person_has_four_files_on_their_way_and_the_next_is_told_to_wait() {
    let app = TestApp::start().await;
    let owner = app.signed_in(STRANGER).await;
    let cookie = owner.cookie("batchdesk").unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let request = format!(
            "POST {LIST} HTTP/1.1\r\nhost: {}\r\ncookie: batchdesk={cookie}\r\nsec-fetch-site: \
             same-origin\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: \
             1000000\r\nexpect: 100-continue\r\n\r\n",
            app.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        // The word to go on comes when the form begins to be read.
        let mut word = [0; 25];
        stream.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        open.push(stream);
    }
    let file = csv("ORD_1", "1.00");
    for accept in ["application/json", "text/html"] {
        let answer = owner.upload(LIST, accept, &[Part::File("a.csv", &file)]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "30"), "{}", answer.text);
        assert!(answer.text.contains("4 files of yours are being read already"), "{}", answer.text);
    }
    drop(open);
    super::support::until("the files that were given up are forgotten", || async {
        let answer = owner.upload(LIST, "application/json", &[Part::File("a.csv", &file)]).await;
        (answer.status == 201).then_some(())
    })
    .await;
}
