// How fast tasks are carried out through the whole money protocol, against two job queues that only send and forget.
// Everything runs in one private PostgreSQL with fsync and synchronous_commit on, and sends to the same loopback gateway.
//
// BENCH_TASKS     tasks of one arm               (full: 100000)
// BENCH_ROUNDS    rounds, arms taking turns      (full: 5)
// BENCH_BACKLOG   waiting tasks of the long queue (full: 1000000)
// BENCH_SQL       a statement to be run on our tables first, to try a setting
// BENCH_ONLY      ours,peers,drain,latency,backlog,replicas,wal: some parts only
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const tasks = +(process.env.BENCH_TASKS ?? 6000);
const rounds = +(process.env.BENCH_ROUNDS ?? 3);
const backlog = +(process.env.BENCH_BACKLOG ?? 100000);
const only = (process.env.BENCH_ONLY ?? "peers,drain,latency,backlog,replicas,wal").split(",");
const [binary, drainer, answerer, asker, node] = ["BENCH_BINARY", "BENCH_DRAIN", "BENCH_ANSWERER", "BENCH_ASKER", "BENCH_NODE"].map((name) => process.env[name]);
const here = import.meta.dirname;
const work = mkdtempSync(join(tmpdir(), "batchdesk-bench-"));
const children = new Set();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const round = (n, digits = 0) => Number(n).toFixed(digits);

// ---------------------------------------------------------------------------------------------- processes
function start(command, args, env = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const run = { child, out: "", err: "" };
  child.stdout.on("data", (data) => { run.out += data; });
  child.stderr.on("data", (data) => { run.err += data; });
  run.ended = new Promise((resolve) => child.on("close", (code) => { children.delete(child); resolve(code); }));
  children.add(child);
  return run;
}
async function until(what, test, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) if (await test()) return;
  throw new Error(`waited ${seconds} s for ${what}`);
}
async function stop(run, signal = "SIGTERM") {
  run.child.kill(signal);
  return run.ended;
}

// ---------------------------------------------------------------------------------------------- PostgreSQL
const bin = [process.env.PG_BIN_DIR, ...(existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort().reverse()
  .map((version) => `/usr/lib/postgresql/${version}/bin`) : []), join(here, "../../.tools/pg/bin")].find((folder) => folder && existsSync(join(folder, "initdb")));
const root = process.getuid() === 0;
// PostgreSQL refuses to run as root.
const user = root ? execFileSync("id", ["-u", "postgres"]).toString().trim() : null;
const as = (program, args) => root ? ["setpriv", ["--reuid", user, "--regid", user, "--clear-groups", program, ...args]] : [program, args];
const port = 20000 + Math.floor(Math.random() * 20000);
const url = (database) => `postgres://postgres@127.0.0.1:${port}/${database}`;

async function postgres() {
  const data = join(work, "pg");
  if (root) chownSync(work, +user, +user);
  execFileSync(...as(join(bin, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]), { stdio: "ignore" });
  const settings = { port, listen_addresses: "127.0.0.1", unix_socket_directories: work, fsync: "on", synchronous_commit: "on",
    shared_buffers: "1GB", max_wal_size: "8GB", checkpoint_timeout: "1h", max_connections: "200", autovacuum: "on" };
  const server = start(...as(join(bin, "postgres"), ["-D", data, ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`])]));
  await until("PostgreSQL", async () => {
    const client = new pg.Client(url("postgres"));
    return client.connect().then(() => client.end()).then(() => true, () => false);
  });
  return server;
}
async function open(database) {
  const client = new pg.Client(url(database));
  await client.connect();
  return client;
}
const one = async (client, sql, values) => (await client.query(sql, values)).rows[0];

// ---------------------------------------------------------------------------------------------- what an arm costs
async function before(client) {
  await client.query("CHECKPOINT");
  await client.query("SELECT pg_stat_reset()");
  await sleep(300);
  return one(client, "SELECT pg_current_wal_insert_lsn() AS lsn");
}
async function after(client, start, jobs, polls) {
  const { wal } = await one(client, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1) AS wal", [start.lsn]);
  // The backends that did the work hand their figures in when they end.
  await sleep(300);
  const { commits } = await one(client, "SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = current_database()");
  const rows = await one(client, `SELECT sum(n_tup_upd)::float8 AS updated, sum(n_tup_hot_upd)::float8 AS hot, sum(n_dead_tup)::float8 AS dead
                                    FROM pg_stat_user_tables`);
  return { wal: wal / jobs, commits: (commits - polls) / jobs, updated: rows.updated / jobs, hot: rows.updated ? rows.hot / rows.updated : 1, dead: rows.dead / jobs };
}

// ---------------------------------------------------------------------------------------------- ours
const secrets = { BATCHDESK_SECRET_KEY: Buffer.alloc(32, 7).toString("base64"), BATCHDESK_ALLOWED_HOSTS: "127.0.0.1", BATCHDESK_DATA_DIR: join(work, "batchdesk"),
  DATABASE_URL: url("batchdesk"), RUST_LOG: "warn" };
let database, number = 0;

async function setUp(gateway) {
  const run = (args, input) => execFileSync(binary, args, { env: { ...process.env, ...secrets }, input, stdio: ["pipe", "ignore", "inherit"] });
  run(["migrate"]);
  run(["user", "create", "--organisation", "Bench", "--email", "owner@bench.test", "--role", "owner", "--password-stdin"], "a long enough password");
  run(["gateway", "add", "--organisation", "Bench", "--connector", "juspay", "--base-url", gateway, "--merchant-id", "bench",
    "--api-key-stdin", "--class", "K", "--key-window-hours", "24", "--sandbox"], "bench_key");
  database = await open("batchdesk");
  await database.query("SET search_path = batchdesk");
  await database.query("SET session_replication_role = replica");
  if (process.env.BENCH_SQL) await database.query(process.env.BENCH_SQL);
}

/** Approved batches as the upload leaves them, held back until the clock starts. */
async function seed(total, size = 100000) {
  for (let left = total; left > 0; left -= size) {
    const n = Math.min(left, size);
    number += 1;
    await database.query("BEGIN");
    await database.query(`SELECT set_config('app.organisation', id::text, true) FROM organisation`);
    const { id } = await one(database, `INSERT INTO batch (organisation_id, id, gateway_id, operation, work, file_name, currency, maker, status, records, amount_minor)
      SELECT g.organisation_id, gen_random_uuid(), g.id, 'refund', 'send', 'bench.csv', 'INR', (SELECT id FROM person LIMIT 1), 'processing', $1::int, $1::bigint * 100 FROM gateway g RETURNING id`, [n]);
    // The hash is of the canonical record (formats/refunds): a record that does not match its hash is never sent.
    await database.query(`INSERT INTO record (amount_minor, row_no, sheet_row, organisation_id, batch_id, gateway_key, order_id, request_sha256)
      SELECT 100, i, i + 1, b.organisation_id, b.id, 'B${number}R' || i, 'ORD_${number}_' || i, sha256('batchdesk-refund-1'::bytea || int4send(i) || int8send(3) || 'INR'::bytea || int8send(length('ORD_${number}_' || i)) || convert_to('ORD_${number}_' || i, 'UTF8') || int8send(100) || '\\x000000'::bytea || decode(repeat('00', 80), 'hex'))
        FROM batch b, generate_series(1, $2::int) i WHERE b.id = $1`, [id, n]);
    await database.query(`INSERT INTO batch_revision (organisation_id, batch_id, revision, maker, content_sha256, needs_decision, records, amount_minor)
      SELECT organisation_id, id, 1, maker, content_sha256(id, 1::smallint), false, records, amount_minor FROM batch WHERE id = $1`, [id]);
    await database.query(`INSERT INTO decision (organisation_id, batch_id, checker, verdict, content_sha256)
      SELECT organisation_id, batch_id, NULL, 'NOT_REQUIRED', content_sha256 FROM batch_revision WHERE batch_id = $1`, [id]);
    await database.query(`INSERT INTO batch_progress (organisation_id, batch_id, records, queued, accepted, failed, amount_minor, queued_minor, accepted_minor, failed_minor)
      SELECT organisation_id, id, records, records, 0, 0, amount_minor, amount_minor, 0, 0 FROM batch WHERE id = $1`, [id]);
    await database.query(`INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, work, from_row, to_row, next_row, size, remaining)
      SELECT b.organisation_id, b.id, i / 500, 1, b.gateway_id, b.work, i + 1, least(i + 500, b.records), i + 1, least(500, b.records - i), least(500, b.records - i)
        FROM batch b, generate_series(0, b.records - 1, 500) i WHERE b.id = $1`, [id]);
    await database.query("COMMIT");
  }
  await database.query("VACUUM (ANALYZE) record, chunk, batch, batch_progress, batch_revision, decision, order_balance, attempt, outcome");
}

async function ours({ jobs = tasks, waiting = jobs, concurrency, preflight = false, processes = 1, gateway, program = [binary, "serve", "--no-web"] }) {
  await database.query("UPDATE gateway SET concurrency = $1, preflight = $2, base_url = $3, updated_at = now()", [concurrency, preflight, gateway]);
  await seed(waiting);
  const began = await one(database, "SELECT clock_timestamp() AS at, count(*)::float8 AS had FROM outcome");
  const base = await before(database);
  const workers = Array.from({ length: processes }, (_, n) =>
    start(program[0], program.slice(1), { ...secrets, BATCHDESK_DATA_DIR: join(work, `worker${n}`) }));
  await until("the worker", () => workers.every((worker) => worker.out.includes("ready")));
  await database.query("UPDATE chunk SET state = 'WAITING', run_at = now() WHERE state = 'HELD'");
  const from = process.hrtime.bigint();
  await database.query("NOTIFY batchdesk_work");
  let polls = 8;
  await until("our tasks", async () => {
    polls += 1;
    return Number((await one(database, "SELECT sum(records - queued) AS done FROM batch_progress WHERE updated_at >= $1", [began.at])).done) >= jobs;
  }, 3600);
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  for (const worker of workers) {
    const code = await stop(worker);
    if (code !== 0) throw new Error(`a worker ended with ${code}: ${worker.err}`);
  }
  const cost = await after(database, base, jobs, polls);
  const wrong = await one(database, "SELECT count(*)::int AS n FROM outcome WHERE NOT succeeded");
  const open = await one(database, "SELECT count(*)::int AS n FROM open_task");
  if (wrong.n + open.n > 0) throw new Error(`${wrong.n} failed, ${open.n} open`);
  // From the first intent to the last outcome: what a start takes is not a rate.
  const span = await one(database, `SELECT extract(epoch FROM max(o.at) - (SELECT min(at) FROM attempt WHERE at >= $1))::float8 AS seconds, count(*)::float8 AS n
                                  FROM outcome o WHERE at >= $1`, [began.at]);
  // A batch is compared with the gateway's own list 20 s after its end: no part of the next arm, and this gateway has no list.
  await database.query("DELETE FROM reconciliation");
  // What was left waiting for the measurement's sake goes.
  await database.query("UPDATE chunk SET state = 'HELD', run_at = 'infinity' WHERE state <> 'DONE'");
  if (waiting > jobs) await database.query("TRUNCATE batch, batch_progress, batch_revision, decision, record, chunk, attempt, outcome, evidence, order_seen, order_balance CASCADE");
  return { seconds, rate: jobs / seconds, inner: span.n / span.seconds, ...cost };
}

// ---------------------------------------------------------------------------------------------- peers
let peers;
async function setUpPeers() {
  peers = await open("peers");
  await peers.query("CREATE TABLE peer_result (key text PRIMARY KEY, http int NOT NULL, ref text, status text, at timestamptz NOT NULL DEFAULT now())");
  execFileSync(node, [join(here, "node_modules/graphile-worker/dist/cli.js"), "--schema-only"], { env: { ...process.env, DATABASE_URL: url("peers") }, stdio: "ignore" });
  const { PgBoss } = await import("pg-boss");
  const boss = new PgBoss({ connectionString: url("peers"), supervise: false, schedule: false });
  await boss.start();
  await boss.createQueue("refund");
  await boss.stop({ graceful: false });
}
async function peer(kind, { jobs = tasks, concurrency, gateway }) {
  number += 1;
  if (kind === "boss") {
    await peers.query("DELETE FROM pgboss.job");
    await peers.query(`INSERT INTO pgboss.job (name, data, policy) SELECT 'refund', jsonb_build_object('order', 'ORD_${number}_' || i, 'key', 'B${number}R' || i, 'amount', '1.00'), 'standard'
                         FROM generate_series(1, $1::int) i`, [jobs]);
  } else {
    await peers.query("TRUNCATE peer_result");
    await peers.query(`SELECT count(*) FROM graphile_worker.add_jobs((SELECT array_agg(('refund', json_build_object('order', 'ORD_${number}_' || i, 'key', 'B${number}R' || i,
                         'amount', '1.00'), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec) FROM generate_series(1, $1::int) i))`, [jobs]);
  }
  await peers.query("VACUUM ANALYZE");
  const base = await before(peers);
  const script = join(here, kind === "boss" ? "boss.mjs" : "graphile.mjs");
  const run = start(node, [script, jobs, concurrency, gateway, kind === "graphile recording" ? "record" : ""], { DATABASE_URL: url("peers"), NO_LOG_SUCCESS: "1" });
  const code = await run.ended;
  if (code !== 0) throw new Error(`${kind} ended with ${code}: ${run.err}\n${run.out}`);
  const { seconds } = JSON.parse(run.out.trim().split("\n").at(-1));
  const cost = await after(peers, base, jobs, 3);
  if (kind === "boss") {
    const { left } = await one(peers, "SELECT count(*)::int AS left FROM pgboss.job WHERE state <> 'completed'");
    if (left > 0) throw new Error(`pg-boss left ${left} jobs`);
  }
  return { seconds, rate: jobs / seconds, ...cost };
}

// ---------------------------------------------------------------------------------------------- tables
const lines = [];
function say(line) { lines.push(line); console.log(line); }
function row(name, runs, best) {
  const rates = runs.map((run) => run.rate);
  const rate = best ? Math.max(...rates) : median(rates);
  const of = (field) => median(runs.map((run) => run[field]));
  say(`${name.padEnd(44)}${round(rate).padStart(8)} jobs/s   commits/task ${round(of("commits"), 4)}   WAL/task ${round(of("wal")).padStart(5)} B   updates/task ${round(of("updated"), 3)}   HOT ${round(of("hot") * 100)} %   dead/task ${round(of("dead"), 3)}   (${rates.map((r) => round(r)).join(", ")})`);
  return rate;
}

async function comparePeers(gateway) {
  const arms = {};
  for (const concurrency of [20, 200]) {
    arms[`ours, preflight off, concurrency ${concurrency}`] = () => ours({ concurrency, gateway });
    arms[`ours, preflight on, concurrency ${concurrency}`] = () => ours({ concurrency, gateway, preflight: true });
    arms[`graphile-worker, concurrency ${concurrency}`] = () => peer("graphile", { concurrency, gateway });
    arms[`graphile-worker recording, concurrency ${concurrency}`] = () => peer("graphile recording", { concurrency, gateway });
    arms[`pg-boss, concurrency ${concurrency}`] = () => peer("boss", { concurrency, gateway });
  }
  const runs = Object.fromEntries(Object.keys(arms).map((name) => [name, []]));
  const wire = { 20: 0, 200: 0 };
  for (let turn = 0; turn < rounds; turn++) {
    for (const [name, arm] of Object.entries(arms)) runs[name].push(await arm());
    for (const concurrency of [20, 200]) {
      wire[concurrency] = Math.max(wire[concurrency], +execFileSync(asker, [new URL(gateway).port, concurrency, tasks * 5]).toString());
    }
  }
  say(`\n${tasks} tasks, gateway on loopback that answers at once; ours: median of ${rounds}, peers: best of ${rounds}`);
  const rates = Object.fromEntries(Object.entries(runs).map(([name, list]) => [name, row(name, list, !name.startsWith("ours"))]));
  for (const concurrency of [20, 200]) {
    const off = rates[`ours, preflight off, concurrency ${concurrency}`];
    const on = rates[`ours, preflight on, concurrency ${concurrency}`];
    for (const [name, rate] of Object.entries(rates).filter(([name]) => !name.startsWith("ours") && name.endsWith(` ${concurrency}`))) {
      say(`ratio to ${name}: ${round(off / rate, 2)} x (preflight on: ${round(on / rate, 2)} x)`);
    }
    // Requests asked for by threads that remember nothing: what this machine could carry if a queue cost nothing at all.
    say(`ratio to the requests alone, concurrency ${concurrency}: ${round(off / wire[concurrency], 2)} x of ${round(wire[concurrency])} requests/s`);
  }
}

/** The protocol without a wire: a gateway inside our process, and jobs of the peers that do nothing at all. */
async function drain(gateway) {
  const jobs = tasks * 2;
  const arms = { "ours, gateway in the process": () => ours({ jobs, concurrency: 200, gateway, program: [drainer] }) };
  for (const concurrency of [20, 200]) arms[`graphile-worker, jobs that do nothing, concurrency ${concurrency}`] = () => peer("graphile", { jobs, concurrency, gateway: "none" });
  arms["pg-boss, jobs that do nothing"] = () => peer("boss", { jobs, concurrency: 200, gateway: "none" });
  const runs = Object.fromEntries(Object.keys(arms).map((name) => [name, []]));
  for (let turn = 0; turn < rounds; turn++) for (const [name, arm] of Object.entries(arms)) runs[name].push(await arm());
  say(`\n${jobs} tasks without a wire; ours: median of ${rounds}, peers: best of ${rounds}`);
  const [own, ...others] = Object.entries(runs).map(([name, list]) => row(name, list, !name.startsWith("ours")));
  say(`ratio to the best of them: ${round(own / Math.max(...others), 2)} x`);
}

async function alone(gateway) {
  for (const concurrency of [20, 200]) for (const preflight of [false, true]) {
    const runs = [];
    for (let turn = 0; turn < rounds; turn++) runs.push(await ours({ concurrency, gateway, preflight }));
    row(`ours, preflight ${preflight ? "on" : "off"}, concurrency ${concurrency}`, runs, false);
  }
}

async function latency(gateway) {
  const runs = [], expected = 200 / 0.05;
  for (let turn = 0; turn < rounds; turn++) runs.push(await ours({ concurrency: 200, gateway }));
  const rate = median(runs.map((run) => run.inner));
  say(`\nlatency-bound, 50 ms, concurrency 200: ${round(rate)} jobs/s of ${expected} possible: ${round(rate / expected, 3)} x   commits/task ${round(median(runs.map((run) => run.commits)), 4)}`);
}

async function longQueue(gateway) {
  const [few, many] = [[], []];
  for (let turn = 0; turn < rounds; turn++) {
    few.push((await ours({ jobs: 1000, concurrency: 20, gateway })).inner);
    if (turn < Math.min(rounds, 3)) many.push((await ours({ waiting: Math.max(backlog, tasks), concurrency: 20, gateway })).inner);
  }
  say(`\nbacklog: ${round(median(few))} jobs/s with 1000 waiting, ${round(median(many))} with ${Math.max(backlog, tasks)}: ${round(median(many) / median(few), 2)} x`);
}

async function replicas(gateway) {
  // Processes share a connection when all have counted each other, which takes a second or two: not to be most of what is measured.
  const jobs = Math.max(tasks, 100000), counts = [1, 2, 4], runs = counts.map(() => []);
  for (let turn = 0; turn < rounds; turn++) for (const [n, processes] of counts.entries()) runs[n].push(await ours({ jobs, processes, concurrency: 200, gateway }));
  const rates = runs.map((list) => median(list.map((run) => run.inner)));
  say(`\nworker processes, 200 slots in all, ${jobs} tasks`);
  for (const [n, count] of counts.entries()) {
    const each = runs[n].map((run) => `${round(run.inner)} at ${round(run.commits, 4)}`).join(", ");
    say(`  ${count}: ${round(rates[n])} jobs/s (${round(rates[n] / rates[0], 2)} x)   each round, with commits/task: ${each}`);
  }
}

/** The same facts with the state kept in the row: claimed, then answered, in groups as large as ours. */
async function inPlace(client, groups) {
  await client.query(`CREATE TABLE IF NOT EXISTS in_place (batch int, row_no int, order_id text NOT NULL, amount_minor bigint NOT NULL, gateway_key text NOT NULL, request_sha256 bytea NOT NULL,
    state text NOT NULL DEFAULT 'READY', attempts int NOT NULL DEFAULT 0, sent_at timestamptz, ended_at timestamptz, http smallint, gw_ref text, refund_status text, refund_type text, reply text, PRIMARY KEY (batch, row_no))`);
  await client.query("CREATE INDEX IF NOT EXISTS in_place_ready ON in_place (batch, row_no) WHERE state = 'READY'");
  await client.query("TRUNCATE in_place");
  await client.query(`INSERT INTO in_place (batch, row_no, order_id, amount_minor, gateway_key, request_sha256) SELECT 1, i, 'ORD_1_' || i, 100, 'B1R' || i, sha256(int4send(i)) FROM generate_series(1, $1::int) i`, [tasks]);
  await client.query("VACUUM ANALYZE in_place");
  const base = await before(client);
  const size = Math.max(1, Math.round(groups));
  for (let from = 1; from <= tasks; from += size) {
    const to = from + size - 1;
    await client.query("UPDATE in_place SET state = 'SENDING', attempts = attempts + 1, sent_at = now() WHERE batch = 1 AND row_no BETWEEN $1 AND $2 AND state = 'READY'", [from, to]);
    await client.query(`UPDATE in_place SET state = 'SUCCEEDED', ended_at = now(), http = 200, gw_ref = 'r' || gateway_key, refund_status = 'SUCCESS', refund_type = 'STANDARD', reply =
      format('{"order_id":"%s","status":"CHARGED","currency":"INR","amount":100000.00,"amount_refunded":0,"maximum_eligible_refund_amount":100000.00,"txn_id":"m-%s-1","refunds":[{"unique_request_id":"%s","ref":"r%s","amount":1.00,"status":"SUCCESS","refund_type":"STANDARD"}]}', order_id, order_id, gateway_key, gateway_key)
      WHERE batch = 1 AND row_no BETWEEN $1 AND $2 AND state = 'SENDING'`, [from, to]);
  }
  return (await after(client, base, tasks, 3)).wal;
}

async function wal(gateway) {
  const client = await open("peers");
  const [kept, moved] = [[], []];
  for (let turn = 0; turn < rounds; turn++) {
    const run = await ours({ concurrency: 200, gateway });
    kept.push(run.wal);
    // Two commits for a group there, as here: an intent and an outcome.
    moved.push(await inPlace(client, 2 / run.commits));
  }
  await client.end();
  say(`\nWAL a task, 200 slots: ${round(median(kept))} B with facts appended, ${round(median(moved))} B with the state and the reply kept in the row: ${round(median(kept) / median(moved), 2)} x`);
}

async function bloat() {
  // The figures were set back for the arms' sake; a look at the tables brings them.
  await database.query("ANALYZE record, chunk, attempt, outcome, evidence, order_balance, order_seen, batch_progress, open_task");
  await sleep(1000);
  const { rows } = await database.query(`SELECT relname, n_live_tup::int AS live, n_dead_tup::int AS dead, pg_size_pretty(pg_total_relation_size(relid)) AS size FROM pg_stat_user_tables
     WHERE schemaname = 'batchdesk' AND relname IN ('record_leaf','chunk','attempt_leaf','outcome_leaf','evidence_leaf','order_balance','order_seen','batch_progress','open_task') ORDER BY pg_total_relation_size(relid) DESC`);
  say("\nwhat stays behind");
  for (const table of rows) say(`  ${table.relname.padEnd(16)} ${String(table.live).padStart(9)} live ${String(table.dead).padStart(7)} dead ${table.size.padStart(10)}`);
}

let server;
try {
  server = await postgres();
  const admin = await open("postgres");
  for (const name of ["batchdesk", "peers"]) await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const [fast, slow] = [port + 1, port + 2];
  const answerers = [start(answerer, [fast, 0]), start(answerer, [slow, 50])];
  await until("the gateways", () => answerers.every((one) => one.out.includes("ready")));
  const [at, at50] = [`http://127.0.0.1:${fast}`, `http://127.0.0.1:${slow}`];
  await setUp(at);
  await ours({ jobs: Math.min(tasks, 2000), concurrency: 20, gateway: at });
  if (only.includes("ours")) await alone(at);
  if (only.includes("latency")) await latency(at50);
  if (only.includes("replicas")) await replicas(at);
  if (only.includes("wal")) await wal(at);
  if (["peers", "drain"].some((part) => only.includes(part))) await setUpPeers();
  if (only.includes("peers")) await comparePeers(at);
  if (only.includes("drain")) await drain(at);
  await bloat();
  if (only.includes("backlog")) await longQueue(at);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await database?.end().catch(() => {});
  await peers?.end().catch(() => {});
  const ends = [...children].filter((child) => child !== server?.child).map((child) => new Promise((resolve) => { child.on("close", resolve); child.kill("SIGKILL"); }));
  await Promise.all(ends);
  if (server) await stop(server, "SIGINT");
  rmSync(work, { recursive: true, force: true });
}
