import { setTimeout as sleep } from "node:timers/promises";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Route } from "./callers.ts";
import { fail } from "./failure.ts";
import { peers } from "./peer.ts";

/** The dependencies of a process, by name; each resolves when it answers. */
export type Dependencies = Readonly<Record<string, () => Promise<void>>>;

/**
 * Things that an operator should look at although calls are served, by name; each rejects while
 * there is something.
 */
export type Notices = Readonly<Record<string, () => Promise<void>>>;

const answerMs = 2_000;
const freshMs = 1_000;

/**
 * Makes grpc.health.v1: "live" while the process answers, "ready" (and "") while every dependency
 * answers and nothing drains, "dependency:<name>" for one of them, "notice:<name>" for what is no
 * reason to serve nothing. Each has two seconds to answer and is asked once a second at most.
 */
export function healthRoute(
  dependencies: Dependencies,
  draining: AbortSignal,
  notices: Notices = {},
): Route {
  const checks = new Map(
    Object.entries(dependencies).map(([name, ask]) => [name, remembered(ask)]),
  );
  const ready = async (): Promise<boolean> =>
    !draining.aborted &&
    (await Promise.all([...checks.values()].map((check) => check()))).every(Boolean);
  const names = new Map<string, () => Promise<boolean>>([
    ["", ready],
    ["live", async () => true],
    ["ready", ready],
    ...[...checks].map(([name, check]) => [`dependency:${name}`, check] as const),
    ...Object.entries(notices).map(([name, ask]) => [`notice:${name}`, remembered(ask)] as const),
  ]);
  const statusOf = async (service: string): Promise<Status> => {
    const check = names.get(service);
    if (!check) throw fail(Reason.NOT_FOUND, { field: "service" });
    return (await check()) ? Status.SERVING : Status.NOT_SERVING;
  };
  return {
    service: Health,
    callers: { check: peers, list: ["operator"], watch: ["operator"] },
    register: (router) =>
      void router.service(Health, {
        check: async ({ service }) => ({ status: await statusOf(service) }),
        list: async () => ({
          statuses: Object.fromEntries(
            await Promise.all(
              [...names.keys()].map(
                async (name) => [name, { status: await statusOf(name) }] as const,
              ),
            ),
          ),
        }),
        watch: ({ service }, { signal }) => changes(() => statusOf(service), signal),
      }),
  };
}

async function* changes(
  ask: () => Promise<Status>,
  signal: AbortSignal,
): AsyncGenerator<{ status: Status }> {
  for (let last: Status | undefined; !signal.aborted; await sleep(freshMs, undefined, { signal })) {
    const status = await ask();
    if (status !== last) yield { status };
    last = status;
  }
}

function remembered(ask: () => Promise<void>): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  let freshUntilMs = 0;
  return () => {
    if (!answer || performance.now() >= freshUntilMs) {
      freshUntilMs = Infinity; // While it is on its way, everyone waits for the same answer.
      answer = answers(ask).finally(() => (freshUntilMs = performance.now() + freshMs));
    }
    return answer;
  };
}

async function answers(ask: () => Promise<void>): Promise<boolean> {
  const late = new AbortController();
  try {
    const timeout = sleep(answerMs, false, { signal: late.signal, ref: false });
    return await Promise.race([ask().then(() => true), timeout]);
  } catch {
    return false;
  } finally {
    late.abort();
  }
}
