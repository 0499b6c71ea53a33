//! The axis of the product is the kind of work: an operation of each kind, from upload to result file, on a real
//! database with the real processor. The three exist in debug builds only, and were added by the steps of
//! `server/operations.rs`.

mod import;
mod query;
mod send;

use super::{
    processor::script::{Give, Script},
    support::TestState,
};
use crate::{
    domain::{
        batch::BatchStatus,
        error::RefusalKind,
        ids::{BatchId, OrganisationId},
        operation::Operation,
        page::TaskQuery,
        view::{BatchDetail, BatchSnapshot, notices::NoticePart},
    },
    server::{
        ops::{
            batches,
            downloads::{self, ResultFile},
            notices, outbox,
            uploads::{self, Submitted, Upload},
        },
        processor,
        state::AppState,
    },
};
use futures::StreamExt;
use sqlx::ConnectOptions;
use std::{io::Read, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const MAKER: &str = "maker@acme.test";
const CHECKER: &str = "checker@acme.test";
const ADMIN: &str = "admin@acme.test";

/// The rows that a migration of these operations would have added.
const OPERATIONS: &str =
    "INSERT INTO operation (code, work, moves_money, needs_decision, reconciles, effect, takes_from_orders) VALUES
  ('test_send', 'send', true, true, false, 'refund', true), ('test_query', 'query', false, false, false, NULL, false),
  ('test_import', 'import', false, false, false, NULL, false)";

struct OperationHarness {
    test: TestState,
    script: Arc<Script>,
    organisation: OrganisationId,
}

/// A processor that runs.
struct Running {
    soft: CancellationToken,
    hard: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.soft.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }

    /// As a kill does: what is under way is lost, nothing is written down.
    async fn kill(self) {
        self.hard.cancel();
        self.task.abort();
        let _ = self.task.await;
    }
}

impl OperationHarness {
    async fn new() -> Self {
        let test = TestState::new().await;
        test.as_superuser(OPERATIONS).await.unwrap();
        let organisation = test.caller(MAKER).await.organisation.id;
        Self { test, script: Arc::new(Script::keyed()), organisation }
    }

    fn start(&self) -> Running {
        self.start_with(self.test.state.clone())
    }

    fn start_with(&self, state: AppState) -> Running {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let give = Arc::new(Give(self.script.clone()));
        let task = tokio::spawn(processor::run(state, give, soft.clone(), hard.clone()));
        Running { soft, hard, task }
    }

    async fn try_upload(
        &self,
        email: &str,
        operation: Operation,
        file: &str,
    ) -> crate::server::error::OpResult<Submitted> {
        let upload = Upload {
            file_name: "rows.csv".to_owned(),
            bytes: file.as_bytes().to_vec().into(),
            description: "a test".to_owned(),
            ..Upload::default()
        };
        uploads::submit(&self.test.state, &self.test.caller(email).await, operation, upload).await
    }

    async fn upload(&self, operation: Operation, file: &str) -> BatchId {
        match self.try_upload(MAKER, operation, file).await.unwrap() {
            Submitted::Batch(batch) => batch,
            Submitted::Draft(draft) => panic!("findings: {:?} {:?}", draft.findings, draft.repeats),
        }
    }

    /// What a file with these rows is refused for: it makes a draft of its uploader, and no batch.
    async fn findings(&self, operation: Operation, file: &str) -> Vec<String> {
        let Submitted::Draft(draft) = self.try_upload(MAKER, operation, file).await.unwrap() else {
            panic!("accepted")
        };
        let maker = self.test.caller(MAKER).await;
        let list = batches::list(&self.test.state, &maker, operation, &Default::default()).await.unwrap();
        assert!(!list.any, "a batch was made");
        draft.findings.into_iter().map(|finding| finding.message).collect()
    }

    async fn snapshot(&self, batch: BatchId) -> BatchSnapshot {
        batches::snapshot(&self.test.state, &self.test.caller(MAKER).await, batch).await.unwrap()
    }

    async fn detail(&self, operation: Operation, batch: BatchId) -> BatchDetail {
        let maker = self.test.caller(MAKER).await;
        batches::detail(&self.test.state, &maker, operation, batch, &TaskQuery::default()).await.unwrap()
    }

    /// Waits until the batch stands so.
    async fn until(&self, batch: BatchId, status: BatchStatus) -> BatchSnapshot {
        let mut last = None;
        for _ in 0..400 {
            let now = self.snapshot(batch).await;
            if now.status == status {
                return now;
            }
            last = Some(now);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {status:?}: {last:#?}");
    }

    async fn sql(&self, sql: &str) {
        self.test.as_superuser(sql).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin).await.unwrap()
    }

    /// What was done to a batch, oldest first.
    async fn audited(&self, batch: BatchId) -> Vec<String> {
        let mut admin = self.test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
        let sql = "SELECT actor || ' ' || action FROM audit WHERE object_id = $1 ORDER BY id";
        sqlx::query_scalar(sql).bind(batch.0).fetch_all(&mut admin).await.unwrap()
    }

    /// The sentences of a person's notices, newest first.
    async fn notices_of(&self, email: &str) -> Vec<String> {
        outbox::dispatch_all(&self.test.state).await.unwrap();
        let shown = notices::list(&self.test.state, &self.test.caller(email).await).await.unwrap();
        let sentence = |parts: &[NoticePart]| {
            let text = |part: &NoticePart| match part {
                NoticePart::Words(text) | NoticePart::Strong(text) => text.clone(),
            };
            parts.iter().map(text).collect()
        };
        shown.notices.iter().map(|notice| sentence(&notice.parts)).collect()
    }

    async fn file(&self, operation: Operation, batch: BatchId, kind: ResultFile) -> Vec<u8> {
        let maker = self.test.caller(MAKER).await;
        let mut download = downloads::data(&self.test.state, &maker, operation, batch, kind).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = download.body.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        bytes
    }

    /// The result file; the spreadsheet has the same cells.
    async fn result(&self, operation: Operation, batch: BatchId) -> String {
        let csv = String::from_utf8(self.file(operation, batch, ResultFile::Csv).await).unwrap();
        let sheet = sheet(&self.file(operation, batch, ResultFile::Workbook).await);
        for cell in csv.lines().flat_map(|line| line.split(',')).filter(|cell| !cell.is_empty()) {
            assert!(sheet.contains(&format!(">{cell}<")), "{cell} is missing in the spreadsheet");
        }
        csv
    }

    /// Who has no right on its module sees and does nothing of it.
    async fn is_kept_from_strangers(&self, operation: Operation, batch: BatchId, file: &str) {
        let admin = self.test.caller(ADMIN).await;
        let state = &self.test.state;
        let refused = |error: crate::server::error::OpError| error.refusal.kind;
        assert_eq!(refused(self.try_upload(ADMIN, operation, file).await.unwrap_err()), RefusalKind::Forbidden);
        assert_eq!(refused(batches::snapshot(state, &admin, batch).await.unwrap_err()), RefusalKind::Forbidden);
        let detail = batches::detail(state, &admin, operation, batch, &TaskQuery::default()).await;
        assert_eq!(refused(detail.unwrap_err()), RefusalKind::Forbidden);
        let download = downloads::data(state, &admin, operation, batch, ResultFile::Csv).await;
        assert_eq!(refused(download.unwrap_err()), RefusalKind::Forbidden);
        assert_eq!(
            refused(batches::cancel(state, &admin, operation, batch).await.unwrap_err()),
            RefusalKind::Forbidden
        );
        // Who may only look does not upload; another organisation has no such batch.
        let viewer = self.try_upload("viewer@acme.test", operation, file).await.unwrap_err();
        assert_eq!(refused(viewer), RefusalKind::Forbidden);
        let stranger = self.test.caller("owner@globex.test").await;
        assert_eq!(refused(batches::snapshot(state, &stranger, batch).await.unwrap_err()), RefusalKind::NotFound);
        // It is the right that is missing, and nothing else.
        let grant = format!(
            "INSERT INTO role_permission SELECT organisation_id, id, '{}', 'read' FROM role WHERE code = 'admin'",
            operation.module().code()
        );
        self.sql(&grant).await;
        let admin = self.test.caller(ADMIN).await;
        assert_eq!(batches::snapshot(state, &admin, batch).await.unwrap().id, batch);
        assert_eq!(refused(self.try_upload(ADMIN, operation, file).await.unwrap_err()), RefusalKind::Forbidden);
    }
}

/// The sheet of a workbook.
fn sheet(workbook: &[u8]) -> String {
    let name = b"xl/worksheets/sheet1.xml";
    let at = workbook.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&workbook[at..]).read_to_string(&mut text).unwrap();
    text
}

/// The cells of a batch's table: order, status, message.
fn rows(detail: &BatchDetail) -> Vec<(String, &'static str, String)> {
    let row = |task: &crate::domain::view::TaskRow| (task.order_id.clone(), task.status.code(), task.message.clone());
    detail.tasks.rows.iter().map(row).collect()
}

#[tokio::test]
async fn operations_for_tests_have_no_pages_and_no_row_in_a_database_that_was_only_migrated() {
    let test = TestState::new().await;
    for operation in Operation::ALL {
        assert!(!operation.code().starts_with("test_"), "{operation:?}");
    }
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let codes: Vec<String> = sqlx::query_scalar("SELECT code FROM operation").fetch_all(&mut admin).await.unwrap();
    assert!(codes.iter().all(|code| !code.starts_with("test_")), "{codes:?}");
}
