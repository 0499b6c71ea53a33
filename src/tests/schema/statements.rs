//! Every statement of `server/db` against the schema: prepared, and planned as a role that is to run it. What the
//! schema does not have, and what a role has no right to, is found here and not by whoever comes first.

use crate::{
    domain::{ids::PersonId, operation::Operation},
    server::db,
    tests::support::TestState,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, QueryBuilder};
use std::{
    fs,
    path::{Path, PathBuf},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// What stands for a name between braces in the statements of a file; each of them is tried.
const MEANT: &[(&str, &str, &[&str])] = &[
    ("audit/chain.rs", "{at}", &["to_char(a.at, 'YYYY')"]),
    ("tasks/ask.rs", "{record_columns}", &["r.*"]),
    ("tasks/claim.rs", "{record_columns}", &["r.*"]),
    ("tasks/recheck.rs", "{record_columns}", &["r.*"]),
    ("tasks/resolve.rs", "{record_columns}", &["r.*"]),
    ("batches/tasks.rs", "{}", &["task", "sync_task", "import_task"]),
    ("batches/tasks.rs", "{matching}", &["SELECT row_no FROM task_numbers($1, $2, $3, $4)"]),
    ("batches/tasks.rs", "{reasons}", &["SELECT code, message, tasks, amount_minor FROM failure_reasons($1, $2)"]),
    ("search.rs", "{column}", &["r.order_id", "r.txn_id", "r.gateway_key"]),
    ("search.rs", "{source}", &["record r"]),
    ("search.rs", "{owner}", &["r"]),
    ("tasks/checks.rs", "{balances}", &["order_balance v", "orders t JOIN order_balance v USING (order_id)"]),
    ("tasks/checks.rs", "{records}", &["record r", "orders t JOIN record r USING (order_id)"]),
    ("batches/lists.rs", "{narrowed}", &["AND b.operation = $2 AND b.file_name ^@ $3"]),
];

/// Beginnings of statements that are put together from several pieces: tried by the functions that do so, below.
const PUT_TOGETHER: &[(&str, &str)] = &[
    ("orders/store.rs", "SELECT s.order_id, NULL::text AS matched FROM stored_order s WHERE"),
    ("orders/store.rs", "SELECT {COLUMNS} FROM stored_order o"),
];

/// Not of the runtime roles: the owner's, and what takes the process apart for tests.
const OTHERS: [&str; 2] = ["migrate.rs", "torture.rs"];

/// The text of a literal, and the line that it begins in.
struct Literal {
    line: usize,
    text: String,
}

/// The literal that a source begins with, and its length there.
fn quoted(source: &str) -> (String, usize) {
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1).peekable();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return (text, index + 1),
            '\\' => match chars.next().unwrap().1 {
                '\n' => while chars.next_if(|(_, char)| char.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                other => text.push(other),
            },
            char => text.push(char),
        }
    }
    panic!("a literal without an end: {source}");
}

/// The literals of a `concat!`, with what it calls between braces, and its length.
fn joined(source: &str) -> (String, usize) {
    let mut text = String::new();
    let mut at = "concat!(".len();
    loop {
        let rest = &source[at..];
        let name = rest.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
        if rest.starts_with(')') {
            return (text, at + 1);
        } else if rest.starts_with('"') {
            let (part, length) = quoted(rest);
            text.push_str(&part);
            at += length;
        } else if rest[name.len()..].starts_with("!()") && !name.is_empty() {
            text.push_str(&format!("{{{name}}}"));
            at += name.len() + "!()".len();
        } else {
            at += name.len().max(rest.chars().next().unwrap().len_utf8());
        }
    }
}

/// The string literals of a source file, without those of its comments and of its tests.
fn literals(source: &str) -> Vec<Literal> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let line = source[..at].lines().count();
        let raw = rest.strip_prefix('r').map(|rest| rest.trim_start_matches('#')).filter(|rest| rest.starts_with('"'));
        let names = source[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let (Some(raw), false) = (raw, names) {
            let hashes = rest.len() - raw.len() - 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = raw[1..].find(&end).unwrap();
            found.push(Literal { line, text: raw[1..=length].to_owned() });
            at += 1 + hashes + 1 + length + end.len();
        } else if rest.starts_with("concat!(") {
            let (text, length) = joined(rest);
            at += length;
            found.push(Literal { line, text });
        } else if rest.starts_with('"') {
            let (text, length) = quoted(rest);
            at += length;
            found.push(Literal { line, text });
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            at += rest[1..].find('\'').map_or(2, |end| end + 2).max(3);
        } else {
            at += rest.chars().next().unwrap().len_utf8();
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => found.extend(files(&entry)),
            false => found.push(entry),
        }
    }
    found.sort();
    found
}

fn is_statement(text: &str) -> bool {
    let first = text.trim_start().split(|char: char| !char.is_ascii_alphabetic()).next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first)
}

/// A statement with everything between braces filled in, in each way.
fn meant(file: &str, text: &str) -> Vec<String> {
    let mut ways = vec![text.to_owned()];
    for (_, name, values) in MEANT.iter().filter(|(of, name, _)| *of == file && text.contains(name)) {
        ways = ways.iter().flat_map(|way| values.iter().map(move |value| way.replace(name, value))).collect();
    }
    ways
}

struct Roles {
    connections: Vec<PgConnection>,
}

impl Roles {
    async fn new(test: &TestState) -> Self {
        let organisation = test.caller("maker@acme.test").await.organisation.id;
        let mut connections = Vec::new();
        for role in ["batchdesk_web", "batchdesk_worker"] {
            let mut connection = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
            let session = format!("SET ROLE {role}; SET app.organisation = '{organisation}'");
            connection.execute(AssertSqlSafe(session)).await.unwrap();
            connections.push(connection);
        }
        Self { connections }
    }

    /// Plans it as one of the roles, which asks for their rights. What each of them said against it, if both did.
    async fn plan(&mut self, sql: &str) -> Result<(), String> {
        let mut said = Vec::new();
        for connection in &mut self.connections {
            let planned = async {
                connection.execute(AssertSqlSafe(format!("PREPARE statement AS {sql}"))).await?;
                let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'statement'";
                let count: i32 = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
                let nulls = vec!["NULL"; usize::try_from(count).unwrap()].join(", ");
                let values = if count == 0 { String::new() } else { format!("({nulls})") };
                connection.execute(AssertSqlSafe(format!("EXPLAIN EXECUTE statement{values}"))).await
            };
            let planned: sqlx::Result<_> = planned.await;
            // There is none where the statement itself is refused.
            let _ = connection.execute("DEALLOCATE statement").await;
            match planned {
                Ok(_) => return Ok(()),
                Err(error) => said.push(error.to_string()),
            }
        }
        Err(said.join(" / "))
    }
}

#[tokio::test]
async fn every_statement_fits_the_schema_and_the_rights_of_a_role() {
    let test = TestState::new().await;
    let mut roles = Roles::new(&test).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/db");
    let (mut tried, mut wrong, mut pieces) = (0, Vec::new(), Vec::new());
    for path in files(&root) {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
        if OTHERS.contains(&file) {
            continue;
        }
        for literal in literals(&fs::read_to_string(&path).unwrap()) {
            if !is_statement(&literal.text) {
                continue;
            }
            if let Some(piece) =
                PUT_TOGETHER.iter().find(|(of, begins)| *of == file && literal.text.starts_with(begins))
            {
                pieces.push(piece);
                continue;
            }
            for sql in meant(file, &literal.text) {
                tried += 1;
                if let Err(said) = roles.plan(&sql).await {
                    let begins: String = sql.split_whitespace().take(12).collect::<Vec<_>>().join(" ");
                    wrong.push(format!("src/server/db/{file}:{}: {said}: {begins}", literal.line + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 200, "{tried} statements were found");
    let unused = PUT_TOGETHER.iter().filter(|piece| !pieces.contains(piece)).count();
    assert_eq!(unused, 0, "take out what no statement begins with any more");
    // The test must be able to fail.
    for (sql, expected) in [
        ("SELECT nothing FROM batch", "does not exist"),
        ("UPDATE batch SET status = 'paused'", "permission denied"),
        ("SELECT organisation_id FROM batch WHERE id = $1 AND maker = $2::int", "operator does not exist"),
    ] {
        let said = roles.plan(sql).await.unwrap_err();
        assert!(said.contains(expected), "{sql}: {said}");
    }
}

#[test]
fn literals_are_found_as_the_compiler_reads_them() {
    let source = r##"
        // "not this"
        const A: &str = "SELECT \"right\" \
                         FROM x"; let c = '"'; let d = 'a';
        let b = r#"WITH a AS (SELECT "right") SELECT"#; let e = r"UPDATE x";
        f(concat!("SELECT ", columns!(), " FROM x"), "y");
        #[cfg(test)]
mod tests { const C: &str = "DELETE"; }"##;
    let texts: Vec<String> = literals(source).into_iter().map(|literal| literal.text).collect();
    assert_eq!(
        texts,
        ["SELECT \"right\" FROM x", "WITH a AS (SELECT \"right\") SELECT", "UPDATE x", "SELECT {columns} FROM x", "y"]
    );
}

/// Statements that are put together: every way in which a list of orders is asked for.
#[tokio::test]
async fn every_list_of_orders_fits_the_schema() {
    use db::orders::store::{self, Listing, Start};
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let mut roles = Roles::new(&test).await;
    let starts = [None, Some(Start::Seen(OffsetDateTime::UNIX_EPOCH, "A")), Some(Start::Matched("A", "B"))];
    for start in starts {
        for (n, search) in (0..16).zip(["", "A"].into_iter().cycle()) {
            let matches = match start {
                None => true,
                Some(Start::Seen(..)) => search.is_empty(),
                Some(Start::Matched(..)) => !search.is_empty(),
            };
            if !matches {
                continue;
            }
            let listing = Listing {
                search,
                status: if n & 2 == 0 { "" } else { "CHARGED" },
                refunded: if n & 4 == 0 { "" } else { "partly" },
                since: (n & 8 == 0).then_some(OffsetDateTime::UNIX_EPOCH),
                back: n % 3 == 0,
                start: start.clone(),
                limit: 1,
            };
            let mut query = QueryBuilder::new("");
            store::push_list(&mut query, maker.organisation.id, &listing);
            let sql = query.sql().as_str().to_owned();
            roles.plan(&sql).await.unwrap_or_else(|said| panic!("{said}: {sql}"));
        }
    }
    let mut tx = test.state.db.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    assert!(store::some(&mut tx, &["ORD_1".to_owned()]).await.unwrap().is_empty());
}

/// The same of lists of batches and of tasks.
#[tokio::test]
async fn every_list_of_batches_fits_the_schema() {
    use crate::domain::page::{BatchQuery, BatchSort, TaskQuery};
    let test = TestState::new().await;
    let maker = test.caller("maker@acme.test").await;
    let mut tx = test.state.db.web(maker.organisation.id, Some(maker.person.id)).await.unwrap();
    let day = Some(OffsetDateTime::UNIX_EPOCH);
    for operation in Operation::ALL {
        for sort in BatchSort::ALL {
            for n in 0..32 {
                let query = BatchQuery {
                    sort,
                    descending: n & 1 == 0,
                    maker: (n & 2 == 0).then_some(PersonId(Uuid::nil())),
                    status: (n & 4 == 0).then_some(crate::domain::batch::BatchStatus::Paused),
                    ..BatchQuery::default()
                };
                let between = (day.filter(|_| n & 8 == 0), day.filter(|_| n & 16 == 0));
                db::batches::list(&mut tx, operation, &query, between).await.unwrap();
                db::batches::count_by_status(&mut tx, operation, &query, between).await.unwrap();
            }
        }
        db::batches::makers(&mut tx, operation).await.unwrap();
        let batch = crate::domain::ids::BatchId(Uuid::nil());
        db::batches::tasks(&mut tx, operation, batch, &TaskQuery::default(), Some(0)).await.unwrap();
        db::batches::tasks(&mut tx, operation, batch, &TaskQuery::default(), None).await.unwrap();
        db::batches::failures(&mut tx, operation, batch, 10).await.unwrap();
    }
}
