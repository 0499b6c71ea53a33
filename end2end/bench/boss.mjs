// pg-boss, fetching in batches, as fast as its settings allow. Arguments: jobs, concurrency, gateway (or "none")
import { PgBoss } from "pg-boss";
import { Pool as Agents } from "undici";

const [jobs, concurrency, gateway] = [+process.argv[2], +process.argv[3], process.argv[4]];
const agents = gateway === "none" ? null : new Agents(gateway, { connections: concurrency });
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20, supervise: false, schedule: false });
boss.on("error", (error) => console.error(String(error)));
let done = 0, finished;
const all = new Promise((resolve) => { finished = resolve; });
const began = process.hrtime.bigint();
await boss.start();
for (let worker = 0; worker < 4; worker++) {
  await boss.work("refund", { batchSize: 1000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }, async (batch) => {
    await Promise.all(batch.map(async ({ data: { order, key, amount } }) => {
      if (agents === null) return ++done === jobs ? finished() : undefined;
      const reply = await agents.request({
        method: "POST", path: `/orders/${order}/refunds`, body: `unique_request_id=${key}&amount=${amount}`,
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
      await reply.body.json();
      if (++done === jobs) finished();
    }));
  });
}
await all;
await boss.stop({ graceful: true, close: true, timeout: 30000 });
console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - began) / 1e9, left: 0 }));
process.exit(0);
