//! Orders by plain forms: what is offered to whom, values that are kept, names that would lead elsewhere.

use super::support::{MAKER, MAKER2S_ORDERS, STRANGER, TestApp, TestResponse, VIEWER, fingerprint};

/// An application where Acme's store has these orders: charged 100.00, so much of it refundable.
async fn app(orders: &[(&str, i64)]) -> TestApp {
    let app = TestApp::start().await;
    let batch = app.batch(MAKER2S_ORDERS).await;
    let mut database = app.database().await;
    // What the statement sets off belongs to the organisation too.
    let tenant = "SELECT set_config('app.organisation', organisation_id::text, false) FROM batch WHERE id = $1::uuid";
    sqlx::query(tenant).bind(&batch).execute(&mut database).await.unwrap();
    for (order, refundable) in orders {
        let statement = "INSERT INTO stored_order (organisation_id, order_id, gateway_id, batch_id, status, charged,
                         amount_minor, currency, refunded_minor,
                refundable_minor, transactions, refunds, body, content_sha256, seen_at)
             SELECT b.organisation_id, $2, b.gateway_id, b.id, 'CHARGED', true, 10000, 'INR', 10000 - $3, $3,
               ARRAY['txn-' || $2], '[]', '{\"card\":\"4242\"}',
                decode(repeat('00', 32), 'hex'), now() FROM batch b WHERE b.id = $1::uuid";
        sqlx::query(statement).bind(&batch).bind(order).bind(refundable).execute(&mut database).await.unwrap();
    }
    app
}

/// What stands in the fields called so, in order.
fn values(page: &TestResponse, name: &str) -> Vec<String> {
    page.text
        .split("<input")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
        .filter(|field| field.contains(&format!("name=\"{name}\"")))
        .map(|field| field.split(" value=\"").nth(1).unwrap_or_default().split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_form_is_there_for_who_may_refund_and_refused_to_others() {
    let app = app(&[("A-1", 10_000), ("A-2", 0)]).await;
    let maker = app.signed_in(MAKER).await;
    let list = maker.get("/orders").await;
    assert_eq!(list.status, 200);
    assert_eq!(values(&list, "order").len(), 2);
    assert!(list.text.contains("Refund selected orders") && list.text.contains("Nothing is left to refund"));
    assert!(list.text.contains("A-2 cannot be refunded"), "the box says why it cannot be ticked");
    let page = maker.get("/orders/A-1").await;
    assert!(page.text.contains("Refund this order") && page.text.contains("action=\"/orders/A-1/sync\""));
    assert!(!maker.get("/orders/A-2").await.text.contains("Refund this order"));

    let viewer = app.signed_in(VIEWER).await;
    let before = fingerprint(&app).await;
    for path in ["/orders", "/orders/A-1"] {
        let page = viewer.get(path).await;
        assert_eq!(page.status, 200);
        assert!(
            !page.text.contains("/orders/refund")
                && !page.text.contains("/sync\"")
                && values(&page, "order").is_empty()
        );
    }
    let send = [("order", "A-1"), ("amount", "1"), ("description", "x"), ("do", "send")];
    assert_eq!(viewer.form("/orders/refund", &send).await.status, 403);
    assert_eq!(viewer.form("/orders/A-1/sync", &[]).await.status, 403);
    let stranger = app.signed_in(STRANGER).await;
    assert_eq!(stranger.get("/orders/A-1").await.status, 404);
    assert!(!stranger.get("/orders?q=A-").await.text.contains("A-1</a>"));
    let theirs = stranger.form("/orders/refund", &send).await;
    assert_eq!(theirs.status, 422);
    assert!(theirs.text.contains("never seen at the gateway"));
    assert_eq!(stranger.form("/orders/A-1/sync", &[]).await.status, 404);
    assert_eq!(fingerprint(&app).await, before, "nothing was made");
}

#[tokio::test]
async fn what_is_typed_is_kept_until_it_is_sent() {
    let app = app(&[("A-1", 10_000), ("A-2", 5_000), ("A-3", 5_000)]).await;
    let maker = app.signed_in(MAKER).await;
    let page = maker.get("/orders/refund?order=A-1&order=A-2&order=A-3").await;
    assert_eq!((page.status, values(&page, "amount")), (200, ["100.00", "50.00", "50.00"].map(str::to_owned).to_vec()));
    let typed = |wish: &'static str| {
        vec![
            ("order", "A-1"),
            ("amount", "1<2"),
            ("unique_id", "U1"),
            ("order", "A-2"),
            ("amount", "50.01"),
            ("unique_id", ""),
            ("order", "A-3"),
            ("amount", "7"),
            ("unique_id", ""),
            ("description", "</textarea>lost"),
            ("do", wish),
        ]
    };
    let page = maker.form("/orders/refund", &typed("send")).await;
    assert_eq!(page.status, 422);
    assert_eq!(values(&page, "amount"), ["1&lt;2", "50.01", "7"]);
    assert_eq!(values(&page, "unique_id"), ["U1", "", ""]);
    assert!(page.text.contains("&lt;/textarea&gt;lost") && page.text.contains("2 errors. Nothing was made."));
    assert!(
        page.text.contains("data-row=\"2\" data-column=\"amount\"")
            && page.text.contains("Too much: ₹50.00 can be refunded.")
    );
    // Leaving one out and looking again are no sending.
    let page = maker.form("/orders/refund", &typed("drop:A-2")).await;
    assert_eq!((page.status, values(&page, "order")), (200, ["A-1", "A-3"].map(str::to_owned).to_vec()));
    assert_eq!(maker.form("/orders/refund", &typed("")).await.status, 200);
    // Without a description nothing goes to a checker.
    let bare = [("order", "A-1"), ("amount", "1"), ("do", "send")];
    let page = maker.form("/orders/refund", &bare).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("Describe the refunds") && page.text.contains("description-error"));
    let good =
        [("order", "A-1"), ("amount", "1"), ("order", "A-3"), ("amount", "7"), ("description", "lost"), ("do", "send")];
    let done = maker.form("/orders/refund", &good).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(done.location().starts_with("/batch/batch-refunds/"));
    let batch = maker.get(&done.location()).await;
    assert!(batch.text.contains("2 refunds wait for a decision") && batch.text.contains("orders-"));
    // The same again is asked about, and a ticked box is the word.
    let again = maker.form("/orders/refund", &good).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("went out before") && again.text.contains("name=\"confirm_repeat\""));
    let seal =
        again.text.split("name=\"confirm_repeat\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let mut sure = good.to_vec();
    sure.push(("confirm_repeat", "1"));
    assert_eq!(maker.form("/orders/refund", &sure).await.status, 422, "a tick that was not shown with these lines");
    sure.pop();
    sure.push(("confirm_repeat", seal));
    assert_eq!(maker.form("/orders/refund", &sure).await.status, 303);
}

#[tokio::test]
async fn refunds_of_which_one_is_the_sum_of_the_others_are_confirmed_with_a_box_of_their_own() {
    let app = app(&["B-1", "B-2", "B-3"].map(|name| (name, 10_000))).await;
    let maker = app.signed_in(MAKER).await;
    let typed = |last: &'static str| {
        let lines =
            [("order", "B-1"), ("amount", "1"), ("order", "B-2"), ("amount", "2"), ("order", "B-3"), ("amount", last)];
        [&lines[..], &[("description", "lost"), ("do", "send")]].concat()
    };
    let asked = maker.form("/orders/refund", &typed("3")).await;
    assert_eq!(asked.status, 422);
    assert!(asked.text.contains("must be confirmed") && asked.text.contains("Refund them anyway"), "{}", asked.text);
    let seal =
        asked.text.split("name=\"confirm_warnings\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let with = |last: &'static str, tick: &'static str| [typed(last), vec![("confirm_warnings", tick)]].concat();
    assert_eq!(
        maker.form("/orders/refund", &with("3", "1")).await.status,
        422,
        "a tick that was not shown with these lines"
    );
    let sure = [typed("3"), vec![("confirm_warnings", seal)]].concat();
    assert_eq!(maker.form("/orders/refund", &sure).await.status, 303);
}

#[tokio::test]
async fn an_order_has_its_page_whatever_it_is_called() {
    let names = ["refund", "sync", "A/B", "a b?c#d%41", "é–ü", "..%2F", "<b>x"];
    let app = app(&names.map(|name| (name, 10_000))).await;
    let maker = app.signed_in(MAKER).await;
    let list = maker.get("/orders").await.text;
    let links: Vec<&str> = list
        .split("<tr role=\"row\" data-order")
        .skip(1)
        .filter_map(|row| row.split("href=\"").nth(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(links.len(), names.len());
    for (name, escaped) in
        names.map(|name| (name, name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")))
    {
        let found: Vec<&&str> =
            links.iter().filter(|link| percent(link.strip_prefix("/orders/").unwrap()) == name).collect();
        assert_eq!(found.len(), 1, "{name}: {links:?}");
        let page = maker.get(found[0]).await;
        assert_eq!(page.status, 200, "{name} at {}", found[0]);
        assert!(page.text.contains(&format!("<h1>{escaped}<")), "{name}: {}", page.text);
        assert!(page.text.contains("Answer as it came") && !page.text.contains("4242"));
        let synced = maker.form(&format!("{}/sync", found[0]), &[]).await;
        // What no file of orders may name is not asked about either.
        assert!([303, 422].contains(&synced.status), "{name}: {}", synced.status);
    }
    assert!(maker.get("/orders/refund").await.text.contains("No order is chosen"), "the page, not the order");
}

fn percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
