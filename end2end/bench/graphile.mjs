// graphile-worker, with the settings that its own page on performance recommends. Arguments: jobs, concurrency,
// gateway (or "none"), record?
import { run } from "graphile-worker";
import { Pool as Agents } from "undici";
import pg from "pg";

const [jobs, concurrency, gateway, record] = [+process.argv[2], +process.argv[3], process.argv[4], process.argv[5] === "record"];
const agents = gateway === "none" ? null : new Agents(gateway, { connections: concurrency });
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
let done = 0, finished;
const all = new Promise((resolve) => { finished = resolve; });
const began = process.hrtime.bigint();
const runner = await run({
  pgPool: pool,
  noHandleSignals: true,
  taskList: {
    refund: async ({ order, key, amount }, helpers) => {
      if (agents === null) return ++done === jobs ? finished() : undefined;
      const body = `unique_request_id=${key}&amount=${amount}`;
      const reply = await agents.request({
        method: "POST", path: `/orders/${order}/refunds`, body, headers: { "content-type": "application/x-www-form-urlencoded" },
      });
      const said = await reply.body.json();
      if (record) {
        await helpers.query("INSERT INTO peer_result (key, http, ref, status) VALUES ($1, $2, $3, $4)",
          [key, reply.statusCode, said.refunds[0].ref, said.refunds[0].status]);
      }
      if (++done === jobs) finished();
    },
  },
  preset: { worker: {
    concurrentJobs: concurrency, pollInterval: 1000, maxPoolSize: 20,
    localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
  } },
});
await all;
await runner.stop();
// It counts when its own table says so.
const { rows: [{ left }] } = await pool.query("SELECT count(*)::int AS left FROM graphile_worker._private_jobs");
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(JSON.stringify({ seconds, left }));
await pool.end();
process.exit(left === 0 ? 0 : 1);
