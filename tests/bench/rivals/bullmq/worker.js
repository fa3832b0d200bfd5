// Rival (f), the worker: each hook as it came, in one POST; what fails is repeated.
import { Worker } from "bullmq";
import { Pool } from "undici";

const receiver = new Pool(process.env.BENCH_RECEIVER, { connections: 64 });
const headers = { "content-type": "application/x-www-form-urlencoded" };

async function deliver(job) {
  const { statusCode, body } = await receiver.request({ method: "POST", path: "/hooks", headers, body: job.data });
  await body.dump();
  if (statusCode >= 300) throw new Error(`the receiver answered ${statusCode}`);
}

const connection = { path: process.env.STORE_SOCKET, maxRetriesPerRequest: null };
new Worker("hooks", deliver, { connection, concurrency: 64 }).on("error", (error) => console.error(error));
