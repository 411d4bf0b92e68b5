/**
 * The load generator, a process of its own: it shares no event loop with what it measures. It signs
 * everything before the measured time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createRecipient } from "@sallyport/client";
import { type Prepared, prepareReads } from "./prepared.ts";
import {
  type Group,
  type Order,
  type Plan,
  type Report,
  type Results,
  type Sample,
  countOf,
  isOpen,
} from "./plan.ts";
import { type Sender, openSender } from "./sender.ts";

type Ready = {
  readonly group: Group;
  readonly requests: readonly Prepared[];
  readonly sender: Sender;
};

let ready: readonly Ready[] = [];

async function prepare({ authority, ca, secretIds, groups }: Plan): Promise<void> {
  const recipient = await createRecipient();
  const prepared: Omit<Ready, "sender">[] = [];
  for (const group of groups) {
    const requests = prepareReads(group.keys, secretIds, recipient, authority, countOf(group.load));
    prepared.push({ group, requests });
  }
  // A session without requests is ended after a while, so sessions come last.
  const open = async (one: Omit<Ready, "sender">): Promise<Ready> => {
    return { ...one, sender: await openSender(authority, ca, one.group.addresses) };
  };
  ready = await Promise.all(prepared.map(open));
}

async function run(): Promise<Results> {
  const begunMs = performance.now();
  const entries = await Promise.all(
    ready.map(async (one) => {
      const { load } = one.group;
      const samples = isOpen(load)
        ? await runOpen(one, load, begunMs)
        : await runClosed(one, load, begunMs);
      return [one.group.name, samples] as const;
    }),
  );
  for (const { sender } of ready) sender.close();
  ready = [];
  return Object.fromEntries(entries);
}

async function runOpen(
  { requests, sender }: Ready,
  stages: Extract<Group["load"], readonly unknown[]>,
  begunMs: number,
): Promise<Sample[]> {
  const sent: Promise<Sample>[] = [];
  let next = 0;
  let stageBegunMs = begunMs;
  for (const { perSecond, seconds } of stages) {
    const endMs = stageBegunMs + seconds * 1000;
    for (let index = 0; index < perSecond * seconds; index += 1) {
      const dueMs = stageBegunMs + (index * 1000) / perSecond;
      while (performance.now() < dueMs) await sleep(1);
      const request = requests[next];
      if (request) sent.push(sender.send(request, begunMs, dueMs));
      next += 1;
    }
    while (performance.now() < endMs) await sleep(1);
    stageBegunMs = endMs;
  }
  return Promise.all(sent);
}

async function runClosed(
  { requests, sender }: Ready,
  { workers, seconds, pauseMs }: Exclude<Group["load"], readonly unknown[]>,
  begunMs: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const endMs = begunMs + seconds * 1000;
  let next = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const request = requests[next];
      if (!request) return;
      next += 1;
      const sample = await sender.send(request, begunMs, performance.now());
      samples.push(sample);
      if (pauseMs !== undefined && sample.outcome !== "ok") await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return samples;
}

function say(report: Report): void {
  process.send?.(report);
}

process.on("message", (order: Order) => {
  const failed = (error: unknown): void => say({ kind: "failed", message: String(error) });
  if (order.kind === "prepare") prepare(order.plan).then(() => say({ kind: "prepared" }), failed);
  else run().then((results) => say({ kind: "done", results }), failed);
});
