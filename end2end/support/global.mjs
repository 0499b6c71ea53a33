// One demo for the whole run; the tests make their own batches and never count other people's.
import { startDemo } from "./server.mjs";

export default async function start() {
  const demo = await startDemo(["--latency-ms", "5..20"]);
  process.env.BATCHDESK_URL = demo.url;
  return demo.stop;
}
