// Rival (f), the web process: Fastify answers once BullMQ has the hook, and that is on the disk.
import { Queue } from "bullmq";
import Fastify from "fastify";

const queue = new Queue("hooks", {
  connection: { path: process.env.STORE_SOCKET },
  defaultJobOptions: { attempts: 5, backoff: { type: "exponential", delay: 1000 }, removeOnComplete: true },
});
const app = Fastify();
app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_, body, done) => done(null, body));
app.post("/hooks/:source/:token", async (request, reply) => {
  await queue.add("deliver", request.body);
  return reply.code(202).send();
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
