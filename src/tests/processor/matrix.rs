//! Every ambiguous outcome with every class of gateway, over real sockets: what Batchdesk says of each row against the
//! gateway's own ledger. BATCHDESK_MATRIX_ROWS sets the rows of a cell (12).

pub(super) mod connectors;
pub(super) mod server;

use super::super::support::{TestState, config, refunds};
use crate::server::{clock::Clock, config::Config, gateway::GatewayClass, live::Live, processor, state::AppState};
use connectors::{Connectors, Mistake};
use server::{Fault, Kind, Server, Times};
use sqlx::ConnectOptions;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_millis(1_500);
const RESOLVE_AFTER: Duration = Duration::from_millis(2_500);
const TIMES: Times = Times {
    hang: Duration::from_secs(60),
    // After the first question, so that the first answer is "there is no such refund".
    late: Duration::from_millis(4_000),
    stale: Duration::from_millis(6_000),
    window: Duration::from_secs(24 * 3600),
    latency: Duration::from_millis(2),
    retry_after: 1,
};

fn rows_of_a_cell() -> usize {
    std::env::var("BATCHDESK_MATRIX_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(12)
}

/// A test state whose connection is to a gateway of `kind`, stored as one of `class`.
pub(super) struct GatewayMatrix {
    pub(super) test: TestState,
    pub(super) server: Server,
    kind: Kind,
    mistake: Mistake,
}

impl GatewayMatrix {
    pub(super) async fn new(kind: Kind, class: GatewayClass, times: Times, mistake: Mistake) -> Self {
        let test = TestState::new().await;
        let declared = connectors::descriptor(kind);
        let sql = format!(
            "UPDATE gateway_promise SET class = '{}', key_window = '24 hours';
             UPDATE gateway SET preflight = {}, balances = {}, concurrency = 24;
             UPDATE organisation SET row_limit = 100000",
            class.code(),
            declared.reads_orders,
            declared.balances_known,
        );
        test.as_superuser(&sql).await.unwrap();
        Self { test, server: Server::start(kind, times).await, kind, mistake }
    }

    /// A worker process's part, over the same database.
    pub(super) fn start(&self) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let config = Config { gateway_timeout: TIMEOUT, resolve_after: RESOLVE_AFTER, ..config() };
        let db = self.test.state.db.clone();
        let state = AppState::new(config, db, Clock::system(), Live::default(), CancellationToken::new());
        let connect = Connectors { kind: self.kind, url: self.server.url.clone(), mistake: self.mistake };
        let soft = CancellationToken::new();
        let task = tokio::spawn(processor::run(state, Arc::new(connect), soft.clone(), CancellationToken::new()));
        (soft, task)
    }

    async fn shorten(&self) {
        // Back-offs of minutes and hours are a second here; the wait before the first question stays.
        let sql = "UPDATE open_task SET run_at = now() + interval '1 second' WHERE owner IS NULL AND state <> 'REVIEW'
                   AND run_at > now() + interval '4 seconds'";
        self.test.as_superuser(sql).await.unwrap();
    }

    /// Where every row ended, by id.
    async fn run(&self, rows: &[(String, String)]) -> HashMap<String, String> {
        let rows: Vec<(&str, &str)> = rows.iter().map(|(id, amount)| (id.as_str(), amount.as_str())).collect();
        let batch = self.test.upload("owner@globex.test", &refunds(&rows)).await;
        let (soft, task) = self.start();
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        let give_up = Instant::now() + Duration::from_secs(60 + rows.len() as u64 / 4);
        let ended = loop {
            let states: Vec<(String, String)> = sqlx::query_as("SELECT order_id, state FROM task WHERE batch_id = $1")
                .bind(batch.0)
                .fetch_all(&mut admin)
                .await
                .unwrap();
            if states.iter().all(|(_, state)| ["SUCCEEDED", "FAILED", "REVIEW"].contains(&state.as_str())) {
                break states.into_iter().collect();
            }
            let open: Vec<_> = states.iter().filter(|(_, state)| state != "SUCCEEDED" && state != "FAILED").collect();
            assert!(Instant::now() < give_up, "{:?}: not at an end: {open:?}", self.kind);
            self.shorten().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        soft.cancel();
        tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
        let stopped: Option<String> =
            sqlx::query_scalar("SELECT string_agg(stopped_reason, ' ') FROM organisation WHERE NOT sending")
                .fetch_one(&mut admin)
                .await
                .unwrap();
        assert_eq!(stopped, None, "an assertion was violated");
        self.server.gateway.settled().await;
        ended
    }
}

/// What became of the rows of one cell, by the gateway's ledger and by Batchdesk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    rows: usize,
    sent: usize,
    effects: usize,
    accepted: usize,
    failed: usize,
    review: usize,
    doubled: usize,
    wrong_amount: usize,
    failed_with_effect: usize,
    accepted_without: usize,
    blind: usize,
}

/// A file with `count` rows of each fault, and a plain one after every second.
fn file(faults: &[Fault], count: usize) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut add = |fault: Fault| {
        let number = rows.len();
        let minor = 100 + number;
        rows.push((format!("{}_{number:05}", fault.name()), format!("{}.{:02}", minor / 100, minor % 100)));
    };
    for _ in 0..count {
        for pair in faults.chunks(2) {
            pair.iter().for_each(|fault| add(*fault));
            add(Fault::Plain);
        }
    }
    rows
}

/// Judges each row: the separate code that knows only the file, the ledger, the log of requests and the words shown.
fn judge(
    kind: Kind,
    server: &Server,
    rows: &[(String, String)],
    ended: &HashMap<String, String>,
) -> BTreeMap<Fault, Cell> {
    let (calls, effects) = (server.gateway.calls(), server.gateway.effects());
    let mut cells: BTreeMap<Fault, Cell> = BTreeMap::new();
    for (id, amount) in rows {
        let cell = cells.entry(Fault::of(id)).or_default();
        let minor: i64 = amount.replace('.', "").parse().unwrap();
        let ours: Vec<_> = effects.iter().filter(|effect| effect.id == *id).collect();
        cell.rows += 1;
        cell.effects += ours.len();
        cell.doubled += usize::from(ours.len() > 1);
        cell.wrong_amount += ours.iter().filter(|effect| effect.amount != minor).count();
        match ended.get(id).map(String::as_str) {
            Some("SUCCEEDED") => {
                cell.accepted += 1;
                cell.accepted_without += usize::from(ours.is_empty());
            }
            Some("FAILED") => {
                cell.failed += 1;
                cell.failed_with_effect += usize::from(!ours.is_empty());
            }
            Some("REVIEW") => cell.review += 1,
            other => panic!("{id}: {other:?}"),
        }
        // A send after another send needs an answer between them: where keys are kept, that there is no such refund;
        // elsewhere nothing proves it.
        let mut asked = false;
        for (number, call) in
            calls.iter().filter(|call| call.id == *id && (call.send || call.answered == 404)).enumerate()
        {
            if call.send {
                cell.sent += 1;
                cell.blind += usize::from(number > 0 && !(kind == Kind::Keyed && asked));
                asked = false;
            } else {
                asked = true;
            }
        }
    }
    cells
}

fn print(title: &str, cells: &BTreeMap<Fault, Cell>) {
    println!(
        "{title:<32}{:>6}{:>6}{:>8}{:>9}{:>7}{:>7}{:>8}",
        "rows", "sent", "effects", "accepted", "failed", "review", "doubled"
    );
    for (fault, cell) in cells {
        println!(
            "  {:<30}{:>6}{:>6}{:>8}{:>9}{:>7}{:>7}{:>8}",
            fault.text(),
            cell.rows,
            cell.sent,
            cell.effects,
            cell.accepted,
            cell.failed,
            cell.review,
            cell.doubled
        );
    }
}

/// What holds for every class.
fn no_money_is_lost_or_doubled(cells: &BTreeMap<Fault, Cell>) {
    for (fault, cell) in cells {
        assert_eq!(cell.doubled, 0, "{fault:?}: doubled");
        assert_eq!(cell.wrong_amount, 0, "{fault:?}: another amount");
        assert_eq!(cell.failed_with_effect, 0, "{fault:?}: FAILED, and the money moved");
        assert_eq!(cell.accepted_without, 0, "{fault:?}: ACCEPTED, and no money moved");
        assert_eq!(cell.blind, 0, "{fault:?}: sent again without an answer that proved it harmless");
        assert_eq!(cell.accepted + cell.failed + cell.review, cell.rows, "{fault:?}: lost");
    }
}

async fn cells_of(kind: Kind, class: GatewayClass, faults: &[Fault]) -> BTreeMap<Fault, Cell> {
    let matrix = GatewayMatrix::new(kind, class, TIMES, Mistake::None).await;
    let rows = file(faults, rows_of_a_cell());
    let begun = Instant::now();
    let ended = matrix.run(&rows).await;
    let cells = judge(kind, &matrix.server, &rows, &ended);
    print(&format!("{kind:?} ({class:?}), {} s", begun.elapsed().as_secs()), &cells);
    if class != GatewayClass::K {
        let most = matrix.server.gateway.most_at_once();
        assert!(most <= 8, "{most} requests at once where nothing can be sent again");
    }
    cells
}

fn with_faults(left_out: &[Fault]) -> Vec<Fault> {
    Fault::ALL.into_iter().filter(|fault| *fault != Fault::Plain && !left_out.contains(fault)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn class_k_comes_to_an_end_by_itself_and_once() {
    // Keys are forgotten where the window is short: a connection of its own.
    let cells = cells_of(Kind::Keyed, GatewayClass::K, &with_faults(&[Fault::Pruned])).await;
    no_money_is_lost_or_doubled(&cells);
    for (fault, cell) in cells {
        let declined = matches!(fault, Fault::Declined | Fault::DeclineLost);
        let (accepted, failed) = if declined { (0, cell.rows) } else { (cell.rows, 0) };
        assert_eq!((cell.accepted, cell.failed, cell.review), (accepted, failed, 0), "{fault:?}");
        let again = match fault {
            // The first answer was that there is no such refund: sent again, once.
            Fault::TimeoutBefore | Fault::ErrorBefore | Fault::TooMany | Fault::Unavailable => cell.rows..=cell.rows,
            // That or found at once, as the clocks have it.
            Fault::Delayed | Fault::Stale => 0..=2 * cell.rows,
            Fault::Html => 1..=cell.rows - 1,
            _ => 0..=0,
        };
        assert!(again.contains(&(cell.sent - cell.rows)), "{fault:?}: sent {} times for {} rows", cell.sent, cell.rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_q_sends_nothing_twice_and_finds_what_it_can() {
    let cells = cells_of(Kind::Listed, GatewayClass::Q, &with_faults(&[])).await;
    no_money_is_lost_or_doubled(&cells);
    for (fault, cell) in cells {
        assert_eq!(cell.sent, cell.rows, "{fault:?}: sent twice");
        let expected = match fault {
            Fault::Declined | Fault::DeclineLost => (0, cell.rows, 0),
            // No effect, and nothing that says so for sure; or the gateway forgot it.
            Fault::TimeoutBefore | Fault::ErrorBefore | Fault::TooMany | Fault::Unavailable | Fault::Pruned => {
                (0, 0, cell.rows)
            }
            Fault::Html => (cell.effects, 0, cell.rows - cell.effects),
            _ => (cell.rows, 0, 0),
        };
        assert_eq!((cell.accepted, cell.failed, cell.review), expected, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_n_gives_every_doubtful_row_to_people() {
    let cells = cells_of(Kind::Mute, GatewayClass::N, &with_faults(&[])).await;
    no_money_is_lost_or_doubled(&cells);
    for (fault, cell) in cells {
        assert_eq!(cell.sent, cell.rows, "{fault:?}: sent twice");
        let expected = match fault {
            Fault::Plain => (cell.rows, 0, 0),
            Fault::Declined => (0, cell.rows, 0),
            _ => (0, 0, cell.rows),
        };
        assert_eq!((cell.accepted, cell.failed, cell.review), expected, "{fault:?}");
    }
}

/// A gateway that forgets its keys after a second, and whose books are behind when they are asked.
fn forgetful() -> Times {
    Times { window: Duration::from_secs(1), ..TIMES }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_not_used_again_when_its_window_is_over() {
    let matrix = GatewayMatrix::new(Kind::Keyed, GatewayClass::K, forgetful(), Mistake::None).await;
    matrix.test.as_superuser("UPDATE gateway_promise SET key_window = '1 second'").await.unwrap();
    let rows = file(&[Fault::Pruned], rows_of_a_cell());
    let ended = matrix.run(&rows).await;
    let cells = judge(Kind::Keyed, &matrix.server, &rows, &ended);
    print("Keyed (K), keys forgotten", &cells);
    no_money_is_lost_or_doubled(&cells);
    let cell = cells[&Fault::Pruned];
    assert_eq!((cell.sent, cell.accepted), (cell.rows, cell.rows), "found in the end, and never sent again");
}

/// What the matrix sees when a rule is not kept: an instrument that cannot see a doubled refund proves nothing.
async fn broken(kind: Kind, class: GatewayClass, times: Times, mistake: Mistake, faults: &[Fault]) -> Cell {
    let matrix = GatewayMatrix::new(kind, class, times, mistake).await;
    let rows = file(faults, 3);
    let ended = matrix.run(&rows).await;
    let cells = judge(kind, &matrix.server, &rows, &ended);
    print(&format!("{kind:?} as {class:?}, {mistake:?}"), &cells);
    faults.iter().fold(Cell::default(), |sum, fault| {
        let cell = cells[fault];
        Cell {
            rows: sum.rows + cell.rows,
            doubled: sum.doubled + cell.doubled,
            failed_with_effect: sum.failed_with_effect + cell.failed_with_effect,
            blind: sum.blind + cell.blind,
            ..sum
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_believed_to_keep_keys_and_does_not_is_seen_to_double() {
    let seen = broken(Kind::Listed, GatewayClass::K, TIMES, Mistake::None, &[Fault::Stale, Fault::Delayed]).await;
    assert_eq!(seen.doubled, seen.rows, "{seen:?}");
    assert_eq!(seen.blind, seen.rows, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_believed_longer_than_it_is_is_seen_to_double() {
    let seen = broken(Kind::Keyed, GatewayClass::K, forgetful(), Mistake::None, &[Fault::Pruned]).await;
    assert_eq!(seen.doubled, seen.rows, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_taken_for_a_failure_is_seen_as_failed_with_effect() {
    let seen = broken(Kind::Keyed, GatewayClass::K, TIMES, Mistake::TimeoutIsFailed, &[Fault::TimeoutAfter]).await;
    assert_eq!(seen.failed_with_effect, seen.rows, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_taken_for_not_sent_is_seen_to_double() {
    for (kind, class) in [(Kind::Listed, GatewayClass::Q), (Kind::Mute, GatewayClass::N)] {
        let seen = broken(kind, class, TIMES, Mistake::ErrorIsNotSent, &[Fault::ErrorAfter]).await;
        assert_eq!((seen.doubled, seen.blind), (seen.rows, seen.rows), "{seen:?}");
    }
}
