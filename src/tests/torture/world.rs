//! One scenario's world: a database, a gateway and servers of its own, and what was submitted to them.

use super::{
    checker::{self, Verdict},
    client::{self, Client, Organisation},
    cluster::{self, Cluster},
    cut::Cut,
    demo::{Running, free_port},
    file::{End, RefundFile},
    random::{self, Random},
    report::{Report, say},
};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use sqlx::{Connection, FromRow, PgConnection, postgres::PgRow};
use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// `short`, `full`, `long`, or seconds for each scenario.
pub(super) fn size_text() -> String {
    std::env::var("BATCHDESK_TORTURE").unwrap_or_else(|_| "short".to_owned())
}

/// Small or full.
pub(super) fn size<T>(small: T, large: T) -> T {
    if size_text() == "short" { small } else { large }
}

/// As many faults as the figures to be shown ask for, where a full run has fewer.
pub(super) fn size_of_three<T>(short: T, full: T, long: T) -> T {
    if size_text() == "long" { long } else { size(short, full) }
}

/// Longest time that a scenario goes on disturbing.
pub(super) fn budget(short: u64, full: u64) -> Duration {
    let seconds = match size_text().as_str() {
        "short" => short,
        "full" => full,
        "long" => full * 10,
        number => number.parse().expect("BATCHDESK_TORTURE is short, full, long or a number of seconds"),
    };
    Duration::from_secs(seconds)
}

/// A guard that is taken out, so that the scenario must fail.
#[derive(Clone, Copy, Debug)]
pub(super) enum Out {
    Nothing,
    /// In the server, by `BATCHDESK_MUTANT`.
    Code(&'static str),
    /// In the database, by statements.
    Sql(&'static str),
}

/// How a world is made.
pub(super) struct Setup<'a> {
    pub(super) scenario: &'static str,
    /// Of the gateway.
    pub(super) knobs: &'a [&'a str],
    pub(super) out: Out,
    /// Somebody between the servers and the database.
    pub(super) cut: bool,
}

/// A batch under observation.
pub(super) struct Batch {
    pub(super) organisation: &'static Organisation,
    pub(super) file: RefundFile,
    pub(super) id: String,
    accepted: i64,
}

/// The world.
pub(super) struct World {
    scenario: &'static str,
    pub(super) seed: u64,
    pub(super) random: Random,
    out: Out,
    runtime: Runtime,
    pub(super) client: Client,
    /// Killed first when the world ends.
    pub(super) servers: Vec<Running>,
    _gateway: Running,
    pub(super) cut: Option<Cut>,
    pub(super) cluster: Cluster,
    pub(super) batches: Vec<Batch>,
    /// What does not hold, found on the way.
    pub(super) breaches: Vec<String>,
    listen: u16,
    begun: Instant,
    failed: bool,
    started: usize,
    folder: Option<tempfile::TempDir>,
}

impl World {
    /// Everything but the servers.
    pub(super) fn begin(setup: &Setup) -> Self {
        let seed = random::seed();
        let folder = tempfile::Builder::new().prefix("batchdesk-torture-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(folder.path());
        let (gateway, listen) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command
            .args(["simulator", "--listen", &format!("127.0.0.1:{gateway}"), "--ledger"])
            .arg(folder.path().join("ledger.jsonl"))
            .args(setup.knobs)
            .env_clear();
        let simulator = Running::start(command, folder.path().join("gateway.log"), "Gateway simulator is listening");
        let cut = setup.cut.then(|| Cut::start(cluster.port()));
        let world = Self {
            scenario: setup.scenario,
            seed,
            random: Random::new(seed),
            out: setup.out,
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            client: Client::new(format!("http://127.0.0.1:{listen}")),
            servers: Vec::new(),
            _gateway: simulator,
            cut,
            cluster,
            batches: Vec::new(),
            breaches: Vec::new(),
            listen,
            begun: Instant::now(),
            failed: false,
            started: 0,
            folder: Some(folder),
        };
        world.sql(&format!("UPDATE desk.gateway SET base_url = 'http://127.0.0.1:{gateway}', updated_at = now()"));
        if let Out::Sql(statements) = setup.out {
            world.sql(statements);
        }
        say(&format!("torture: {} begins, BATCHDESK_SEED={seed}", setup.scenario));
        world
    }

    /// Starts a server. None: it ended before it was ready, as it was told to.
    pub(super) fn try_serve(&mut self, arguments: &[&str], settings: &[(&str, &str)]) -> Option<usize> {
        self.started += 1;
        let number = self.started;
        let folder = self.folder().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchdesk"));
        command.arg("serve").args(arguments).env_clear().current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "BATCHDESK_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("BATCHDESK_DATA_DIR", folder.join(format!("data{number}")))
            .env("BATCHDESK_LISTEN", format!("127.0.0.1:{}", self.listen))
            .env("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1")
            .env("BATCHDESK_SECRET_KEY", cluster::secret_key())
            .env("DATABASE_URL", self.cluster.url(self.cut.as_ref().map(|cut| cut.port)))
            .envs(super::run::FAST)
            .envs(settings.iter().copied());
        if let Out::Code(mutant) = self.out {
            command.env("BATCHDESK_MUTANT", mutant);
        }
        let mut running = Running::try_start(command, folder.join("server.log"), "Batchdesk is ready");
        if running.ended().is_some() {
            return None;
        }
        self.servers.push(running);
        Some(self.servers.len() - 1)
    }

    /// Starts a server that must become ready; its number.
    pub(super) fn serve(&mut self, arguments: &[&str], settings: &[(&str, &str)]) -> usize {
        let number = self.try_serve(arguments, settings);
        number.unwrap_or_else(|| panic!("{}: the server ended before it was ready:\n{}", self.scenario, self.log()))
    }

    /// SIGKILL of all servers.
    pub(super) fn kill_servers(&mut self) {
        self.servers.drain(..).for_each(Running::kill);
    }

    /// Sends a signal to a server.
    pub(super) fn signal(&self, server: usize, signal: Signal) {
        kill(self.servers[server].pid(), signal).unwrap();
    }

    /// Waits until a server has ended by itself; how.
    pub(super) fn death(&mut self, server: usize, patience: Duration) -> Option<ExitStatus> {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.servers[server].ended() {
                return Some(status);
            }
            if Instant::now() > give_up {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a server has stopped itself (state T).
    pub(super) fn frozen(&mut self, server: usize, patience: Duration) -> bool {
        let stat = format!("/proc/{}/stat", self.servers[server].pid());
        let give_up = Instant::now() + patience;
        while Instant::now() < give_up {
            let text = fs::read_to_string(&stat).unwrap_or_default();
            if text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// What every order of this world has in its id.
    pub(super) fn tag(&self) -> String {
        format!("{:06}t{}", self.seed % 1_000_000, self.batches.len())
    }

    /// A file with so many rows of each prefix.
    pub(super) fn file(&mut self, kinds: &[(&'static str, End, usize)]) -> RefundFile {
        let tag = self.tag();
        RefundFile::of(&tag, &mut self.random, kinds.iter().copied())
    }

    /// A file of so many rows that have a unique id each.
    pub(super) fn file_of(&self, rows: usize, mark: &str) -> RefundFile {
        super::restored::known(&format!("{}{mark}", self.tag()), rows)
    }

    /// A place in the folder of this world.
    pub(super) fn place(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    /// SIGKILL of one server.
    pub(super) fn kill(&mut self, server: usize) {
        self.servers.remove(server).kill();
    }

    /// SIGTERM of one server, and how it ended.
    pub(super) fn stop(&mut self, server: usize) -> (ExitStatus, Duration) {
        self.servers.remove(server).stop(Duration::from_secs(40))
    }

    /// What servers wrote on standard error.
    pub(super) fn server_log(&self) -> String {
        fs::read_to_string(self.folder().join("server.log")).unwrap_or_default()
    }

    /// The database's server is gone; an empty one stands in its place.
    pub(super) fn another_cluster(&mut self) {
        let new = Cluster::empty(&self.folder().join("new"));
        self.cluster = new;
    }

    /// The restored database does not know what was told of these batches, and this one not at all.
    pub(super) fn forget(&mut self, batch: usize) {
        self.batches.remove(batch);
        self.batches.iter_mut().for_each(|batch| batch.accepted = 0);
    }

    /// Rows of a batch that must end open.
    pub(super) fn open_where(&mut self, batch: usize, open: impl Fn(&str) -> bool) {
        for row in self.batches[batch].file.rows.iter_mut().filter(|row| open(&row.order)) {
            row.end = End::Open;
        }
    }

    /// Runs a line of the README in this world's folder: whether it succeeded, and what it said.
    pub(super) fn shell(&self, line: &str, settings: &[(&str, &str)]) -> (bool, String) {
        let binary = Path::new(env!("CARGO_BIN_EXE_batchdesk")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", line])
            .env_clear()
            .current_dir(self.folder())
            .env("PATH", format!("{}:{}:{path}", binary.display(), cluster::programs().display()))
            .env("BATCHDESK_ALLOWED_HOSTS", "127.0.0.1")
            .env("BATCHDESK_SECRET_KEY", cluster::secret_key())
            .env("BATCHDESK_DATA_DIR", self.folder().join("commands"))
            .env("DATABASE_URL", self.cluster.url(None))
            .envs(super::run::FAST)
            .envs(settings.iter().copied());
        let done = command.output().unwrap();
        let told = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (done.status.success(), told.concat())
    }

    /// Submits a file to a server that lives; its number.
    pub(super) fn submit(&mut self, organisation: &'static Organisation, file: RefundFile) -> usize {
        let id = self.client.submit(organisation, &file);
        self.observed(organisation, file, id)
    }

    /// Observes a batch.
    pub(super) fn observed(&mut self, organisation: &'static Organisation, file: RefundFile, id: String) -> usize {
        self.batches.push(Batch { organisation, file, id, accepted: 0 });
        self.batches.len() - 1
    }

    /// Submits a file to a server that may die of it, or may have done so before: what is there already is gone on with.
    pub(super) fn try_submit(
        &mut self,
        organisation: &'static Organisation,
        file: &RefundFile,
    ) -> Result<usize, String> {
        let known = self.text(&format!("SELECT id::text FROM desk.batch WHERE file_name = '{}'", file.name));
        let id = match known.as_slice() {
            [] => {
                let (status, text) = self.client.upload(organisation, &file.name, &file.text(), false)?;
                client::batch_of(status, &text).ok_or(format!("{status} {text}"))?
            }
            [id] => id.clone(),
            many => return Err(format!("{} is there {} times", file.name, many.len())),
        };
        self.client.approve(organisation, &id)?;
        Ok(self.observed(organisation, file.clone(), id))
    }

    /// What the API says of a batch now; none while the server or its database is down. What must always hold is checked.
    pub(super) fn look(&mut self, batch: usize) -> Option<Value> {
        let batch = &mut self.batches[batch];
        let snapshot = self.client.snapshot(batch.organisation, &batch.id).ok()?;
        let accepted = snapshot["counts"]["accepted"].as_i64().unwrap();
        let unsound = checker::conserved(&snapshot).err().or_else(|| {
            (accepted < batch.accepted).then(|| format!("{} rows were ACCEPTED, now: {snapshot}", batch.accepted))
        });
        self.breaches.extend(unsound.filter(|_| self.breaches.len() < 50));
        batch.accepted = batch.accepted.max(accepted);
        Some(snapshot)
    }

    /// Waits until the API says `enough` of a batch; the last that it said. A server that stopped sending by itself, and a time
    /// that is over, are breaches.
    pub(super) fn wait(&mut self, batch: usize, enough: impl Fn(&Value) -> bool) -> Value {
        let mutated = !matches!(self.out, Out::Nothing);
        let give_up = Instant::now() + Duration::from_secs(if mutated { 25 } else { size(150, 300) });
        let mut last = Value::Null;
        while Instant::now() < give_up {
            if let Some(snapshot) = self.look(batch) {
                if enough(&snapshot) {
                    return snapshot;
                }
                if snapshot["notice"].as_str().is_some_and(|notice| notice.contains("does not add up")) {
                    self.breaches.push(format!("sending was stopped: {}", snapshot["notice"]));
                    return snapshot;
                }
                last = snapshot;
            }
            // With a guard out this may never end, and need not.
            if mutated && !checker::refunded_twice(&self.ledger()).is_empty() {
                return last;
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.breaches.push(format!("batch {batch} did not end in time: {last}"));
        if !mutated {
            self.keep_activity();
        }
        last
    }

    /// Waits until some of a batch is done and some is not. The number of a batch that is: a new one when this one has ended.
    pub(super) fn in_the_middle(
        &mut self,
        batch: usize,
        kinds: &[(&'static str, End, usize)],
        patience: Duration,
    ) -> usize {
        let organisation = self.batches[batch].organisation;
        let (mut batch, give_up) = (batch, Instant::now() + patience);
        while Instant::now() < give_up {
            match self.look(batch) {
                Some(snapshot) if snapshot["counts"]["queued"] == 0 => {
                    let file = self.file(kinds);
                    match self.try_submit(organisation, &file) {
                        Ok(new) => batch = new,
                        Err(_) => thread::sleep(Duration::from_millis(50)),
                    }
                }
                Some(snapshot) if snapshot["counts"]["accepted"] != 0 => return batch,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        batch
    }

    /// A moment that the seed decides.
    pub(super) fn pass_time(&mut self, most_ms: u64) {
        thread::sleep(Duration::from_millis(self.random.within(0..=most_ms)));
    }

    /// What the gateway wrote: whole lines only.
    pub(super) fn ledger(&self) -> Vec<checker::Line> {
        let mut text = fs::read_to_string(self.folder().join("ledger.jsonl")).unwrap();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        checker::ledger(&text)
    }

    /// Waits for every batch to end, compares everything with everything. `ended` says when a batch has.
    pub(super) fn finish(mut self, injected: String, ended: impl Fn(&Value) -> bool) -> Report {
        let mut verdict = Verdict::default();
        let snapshots: Vec<Value> = (0..self.batches.len()).map(|batch| self.wait(batch, &ended)).collect();
        let ledger = self.ledger();
        for (batch, snapshot) in self.batches.iter().zip(&snapshots) {
            let results = self.client.results(batch.organisation, &batch.id);
            verdict.add(checker::check(batch.organisation.merchant, &batch.file, &ledger, &results, snapshot));
            verdict.breaches.extend(self.facts(batch, &ledger));
        }
        verdict.breaches.extend(checker::refunded_twice(&ledger));
        self.report(injected, verdict)
    }

    /// The end without the comparison of rows.
    pub(super) fn report(mut self, injected: String, mut verdict: Verdict) -> Report {
        let stopped =
            self.text("SELECT coalesce(stopped_reason, 'no reason') FROM desk.organisation WHERE NOT sending");
        verdict.breaches.extend(stopped.into_iter().map(|reason| format!("sending was stopped: {reason}")));
        verdict.breaches.append(&mut self.breaches);
        self.failed = !verdict.breaches.is_empty();
        Report {
            scenario: self.scenario,
            injected,
            rows: self.batches.iter().map(|batch| batch.file.rows.len()).sum(),
            verdict,
            took: self.begun.elapsed(),
            seed: self.seed,
        }
    }

    /// The tables against file and ledger: rows as uploaded, no request without a committed intent, one key, one state.
    fn facts(&self, batch: &Batch, ledger: &[checker::Line]) -> Vec<String> {
        let facts: Vec<Fact> = self.rows(&format!(
            "SELECT r.row_no, r.order_id, r.amount_minor, r.gateway_key, coalesce(x.succeeded, o.succeeded) AS succeeded, t.state,
                    (SELECT count(*) FROM desk.attempt a WHERE a.batch_id = r.batch_id AND a.revision = r.revision
                        AND r.row_no BETWEEN a.from_row AND a.to_row) AS intents
               FROM desk.record r
               LEFT JOIN desk.outcome o USING (organisation_id, batch_id, row_no, revision)
               LEFT JOIN desk.reversal x USING (organisation_id, batch_id, row_no, revision)
               LEFT JOIN desk.open_task t USING (organisation_id, batch_id, row_no, revision)
              WHERE r.batch_id = '{}' ORDER BY r.row_no",
            batch.id
        ));
        let mut breaches = Vec::new();
        if facts.len() != batch.file.rows.len() {
            breaches.push(format!("{} rows in the database, {} in the file", facts.len(), batch.file.rows.len()));
        }
        let mut posts = std::collections::HashMap::<(&str, &str), i64>::new();
        for line in ledger {
            *posts.entry((&line.order, &line.key)).or_default() += 1;
        }
        for (fact, row) in facts.iter().zip(&batch.file.rows) {
            let mut breach = |what: String| breaches.push(format!("row {} ({}): {what}", fact.row_no, row.order));
            if fact.order_id != row.order || fact.amount_minor != row.amount {
                breach(format!("the database has {} over {}", fact.order_id, fact.amount_minor));
            }
            if fact.succeeded.is_some() == fact.state.is_some() {
                breach(format!("final {:?} and open {:?}", fact.succeeded, fact.state));
            }
            let sent = posts.get(&(fact.order_id.as_str(), fact.gateway_key.as_str())).copied().unwrap_or(0);
            if sent > fact.intents {
                breach(format!("asked for {sent} times with {} intents", fact.intents));
            }
        }
        breaches
    }

    /// A number from the database.
    pub(super) fn number(&self, sql: &str) -> i64 {
        let found: Vec<(i64,)> = self.rows(sql);
        found[0].0
    }

    fn text(&self, sql: &str) -> Vec<String> {
        self.rows::<(String,)>(sql).into_iter().map(|(text,)| text).collect()
    }

    fn rows<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(&self, sql: &str) -> Vec<T> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.cluster.url(None)).await.unwrap();
            sqlx::query_as(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap()
        })
    }

    /// Statements, as the owner of everything.
    pub(super) fn sql(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.cluster.url(None)).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        });
    }

    /// What every session of the database does and waits for, beside the logs.
    fn keep_activity(&self) {
        let lines = self.text(
            "SELECT concat_ws(' | ', a.pid, a.state, a.wait_event_type, a.wait_event, now() - a.xact_start, 'blocked by', pg_blocking_pids(a.pid)::text, left(a.query, 300))
               FROM pg_stat_activity a WHERE a.datname IS NOT NULL ORDER BY a.xact_start",
        );
        let _ = fs::write(self.folder().join("activity.txt"), lines.join("\n"));
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Seconds since midnight by the server's clock: its log has the time of each answer.
    pub(super) fn clock(&self, batch: usize) -> i64 {
        let lines = |text: &str| text.lines().filter(|line| line.contains("http.answered")).count();
        let read = || fs::read_to_string(self.folder().join("server.log")).unwrap_or_default();
        let before = lines(&read());
        let (organisation, id) = (self.batches[batch].organisation, self.batches[batch].id.clone());
        let _ = self.client.snapshot(organisation, &id);
        let give_up = Instant::now() + Duration::from_secs(20);
        let text = loop {
            let text = read();
            if lines(&text) > before || Instant::now() > give_up {
                break text;
            }
            thread::sleep(Duration::from_millis(10));
        };
        let last = text.lines().rfind(|line| line.contains("http.answered")).unwrap_or_default();
        let time = last.split_once('T').and_then(|(_, rest)| rest.get(..8)).unwrap_or_default();
        time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap_or(0))
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.split_at(lines.len().saturating_sub(20)).1.join("\n")
    }
}

#[derive(FromRow)]
struct Fact {
    row_no: i32,
    order_id: String,
    amount_minor: i64,
    gateway_key: String,
    succeeded: Option<bool>,
    state: Option<String>,
    intents: i64,
}

impl Drop for World {
    fn drop(&mut self) {
        self.servers.clear();
        let failed = thread::panicking() || self.failed;
        let folder = self.folder.take().unwrap();
        if failed && matches!(self.out, Out::Nothing) {
            say(&format!("everything that belongs to this failure is kept in {}", folder.keep().display()));
        }
    }
}
