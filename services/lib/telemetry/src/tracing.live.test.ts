import { createServer } from "node:net";
import { type Collector, startCollector } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createLogger,
  currentPlace,
  currentTraceparent,
  exposeMetrics,
  inCallersTrace,
  inSpan,
  outsideOfTraces,
  startTelemetry,
} from "./index.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const sampled = `00-${traceId}-b7ad6b7169203331-01`;
const unsampled = `00-${traceId}-b7ad6b7169203331-00`;
const server = { name: "x.Service/Method", kind: "server" } as const;
const client = { name: "SELECT x", kind: "client" } as const;

let collector: Collector;
beforeEach(async () => {
  collector = await startCollector();
});
afterEach(() => collector[Symbol.asyncDispose]());

type Options = { readonly traceRatio?: number; readonly otlpUrl?: string };

function logging(): { lines: Record<string, unknown>[]; logger: ReturnType<typeof createLogger> } {
  const lines: Record<string, unknown>[] = [];
  const stream = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return { lines, logger: createLogger({ service: "policy", stream }) };
}

/** Runs code with telemetry, and ends it, so that everything has been sent. */
async function traced(run: () => Promise<unknown>, options: Options = {}): Promise<void> {
  const { logger } = logging();
  await using _ = await startTelemetry({
    service: "policy",
    otlpUrl: collector.url,
    logger,
    ...options,
  });
  await run();
}

const echo = async (): Promise<string | undefined> => currentTraceparent();

describe("a trace", () => {
  test("goes on from the caller's span, through spans within spans, to the next process", async () => {
    let next: string | undefined;
    await traced(() =>
      inCallersTrace(sampled, () =>
        inSpan({ ...server, attributes: { "sallyport.request_id": "req_1" } }, async (span) => {
          span.set({ "rpc.response.status_code": "ok" });
          next = await inSpan(client, echo);
        }),
      ),
    );
    const [inner, outer] = collector.spans;
    expect(outer).toMatchObject({
      service: "sallyport-policy",
      name: server.name,
      kind: 2,
      traceId,
      parentSpanId: "b7ad6b7169203331",
      attributes: { "sallyport.request_id": "req_1", "rpc.response.status_code": "ok" },
      failed: false,
    });
    expect(inner).toMatchObject({
      name: client.name,
      kind: 3,
      traceId,
      parentSpanId: outer?.spanId,
    });
    expect(next).toBe(`00-${traceId}-${inner?.spanId}-01`);
  });

  test("of a failure says that it failed, and no word of the error", async () => {
    const failing = inSpan(client, () => Promise.reject(new Error("hunter2")));
    await failing.catch(() => undefined);
    await traced(() =>
      inCallersTrace(sampled, () =>
        inSpan(server, () => inSpan(client, () => Promise.reject(new Error("hunter2")))),
      ).catch(() => undefined),
    );
    expect(collector.spans.map(({ failed }) => failed)).toEqual([true, false]);
    expect(collector.text()).not.toContain("hunter2");
  });

  test("begins anew after a header that does not hold", async () => {
    const parents = [
      undefined,
      null,
      "",
      "nonsense",
      [sampled],
      `${sampled}, ${sampled}`,
      sampled.toUpperCase(),
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `ff-${traceId}-b7ad6b7169203331-01`,
      `${sampled}-more`,
    ];
    await traced(
      async () => {
        for (const parent of parents) await inCallersTrace(parent, () => inSpan(server, echo));
      },
      { traceRatio: 1 },
    );
    expect(collector.spans).toHaveLength(parents.length);
    expect(
      collector.spans.filter((span) => span.traceId === traceId || span.parentSpanId !== ""),
    ).toEqual([]);
    expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(parents.length);
  });

  test("does not go over to who is called outside of it, and can be gone back to", async () => {
    let place: ReturnType<typeof currentPlace> | undefined;
    let outside: string | undefined;
    let back: string | undefined;
    await traced(async () => {
      const own = await inCallersTrace(sampled, () =>
        inSpan(server, async () => {
          place = currentPlace();
          outside = outsideOfTraces(currentTraceparent);
          return currentTraceparent();
        }),
      );
      back = place?.run(currentTraceparent);
      expect(back).toBe(own);
    });
    expect(place?.sampled).toBe(true);
    expect(outside).toBeUndefined();
  });
});

describe("who decides what is traced", () => {
  test("where traces begin, a client's flag is not obeyed; its trace id goes on", async () => {
    const sent: (string | undefined)[] = [];
    const ask = async (traceRatio: number, header: string): Promise<void> =>
      traced(
        () =>
          inCallersTrace(header, () =>
            inSpan(server, async () => void sent.push(await inSpan(client, echo))),
          ),
        { traceRatio },
      );
    await ask(0, sampled);
    expect(collector.spans).toEqual([]);
    await ask(1, unsampled);
    expect(collector.spans).toHaveLength(2);
    expect(sent[0]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(sent[1]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  });

  test("a share is traced, whichever trace id a client chooses", async () => {
    await traced(
      async () => {
        for (let call = 0; call < 2000; call += 1)
          await inCallersTrace(sampled, () => inSpan(server, echo));
      },
      { traceRatio: 0.25 },
    );
    expect(collector.spans.length).toBeGreaterThan(350);
    expect(collector.spans.length).toBeLessThan(650);
  });

  test("behind it the caller's decision holds, and what nobody decided about is not traced", async () => {
    await traced(async () => {
      await inCallersTrace(unsampled, () => inSpan(server, echo));
      await inCallersTrace(undefined, () => inSpan(server, echo));
      await inCallersTrace(sampled, () => inSpan(server, echo));
    });
    expect(collector.spans).toHaveLength(1);
  });

  test("what is not recorded has ids all the same: the gateway's own, behind it the caller's", async () => {
    for (const [traceRatio, spanId] of [
      [0, /^(?!b7ad6b7169203331)[0-9a-f]{16}$/],
      [undefined, /^b7ad6b7169203331$/],
    ] as const) {
      const { lines, logger } = logging();
      let next: string | undefined;
      const run = async (): Promise<void> => {
        logger.info("within");
        next = await inSpan(client, echo);
      };
      await traced(
        () => inCallersTrace(unsampled, () => inSpan(server, run)),
        traceRatio === undefined ? {} : { traceRatio },
      );
      expect(next).toBe(`00-${traceId}-${String(lines[0]?.["span_id"])}-00`);
      expect(lines[0]?.["trace_id"]).toBe(traceId);
      expect(lines[0]?.["span_id"]).toMatch(spanId);
    }
    expect(collector.spans).toEqual([]);
  });

  test("without a collector there is no trace", async () => {
    const { lines, logger } = logging();
    await using _ = await startTelemetry({ service: "policy", otlpUrl: undefined, traceRatio: 1 });
    const next = await inCallersTrace(sampled, () =>
      inSpan(server, async () => {
        logger.info("within");
        return inSpan(client, echo);
      }),
    );
    expect(next).toBeUndefined();
    expect(lines[0]).not.toHaveProperty("trace_id");
  });
});

test("a line has the ids of the span that it was logged in, and none outside of one", async () => {
  const { lines, logger } = logging();
  await traced(() =>
    inCallersTrace(sampled, () =>
      inSpan(server, async () => {
        logger.info("in the request");
        await inSpan(client, async () => logger.info({ request_id: "req_1" }, "in the statement"));
      }),
    ),
  );
  logger.info("afterwards");
  const [inner, outer] = collector.spans;
  expect(lines).toMatchObject([
    { trace_id: traceId, span_id: outer?.spanId },
    { trace_id: traceId, span_id: inner?.spanId, request_id: "req_1" },
    {},
  ]);
  expect(lines[2]).not.toHaveProperty("trace_id");
});

describe("a collector that is away", () => {
  const lost = async (): Promise<number> =>
    Number(
      /^sallyport_trace_spans_total\{outcome="lost"\} (\d+)$/m.exec(await exposeMetrics())?.[1],
    );
  const request = () => inCallersTrace(sampled, () => inSpan(server, echo));

  test("is told of once, costs spans and nothing else, and is told of when it is back", async () => {
    const { lines, logger } = logging();
    {
      await using _ = await startTelemetry({ service: "policy", otlpUrl: collector.url, logger });
      const before = await lost();
      collector.refuse(true);
      for (const count of [1, 2]) {
        await request();
        await expect.poll(lost, { timeout: 5000 }).toBe(before + count);
      }
      expect(lines.map(({ msg }) => msg)).toEqual([
        "spans are lost: the collector does not take them",
      ]);
      collector.refuse(false);
      await request();
    }
    expect(lines.map(({ msg }) => msg)).toEqual([
      "spans are lost: the collector does not take them",
      "the collector takes spans again",
    ]);
    expect(collector.spans).toHaveLength(1);
  });

  test("gets no more than the last thousands: what finds no place is counted as made, and nothing more", async () => {
    const counted = async (): Promise<number[]> => {
      const text = await exposeMetrics();
      return ["made", "sent", "lost"].map((outcome) =>
        Number(
          new RegExp(`^sallyport_trace_spans_total\\{outcome="${outcome}"\\} (\\d+)$`, "m").exec(
            text,
          )?.[1],
        ),
      );
    };
    const before = await counted();
    await traced(async () => {
      for (let call = 0; call < 5000; call += 1) void request();
    });
    const [made = 0, sent = 0, gone = 0] = (await counted()).map(
      (count, at) => count - (before[at] ?? 0),
    );
    expect([made, gone]).toEqual([5000, 0]);
    expect(sent).toBe(collector.spans.length);
    expect(sent).toBeLessThan(5000);
  });

  test("does not hold up the end of the process, refuse it or never answer", async () => {
    await using silent = await startSilent();
    for (const otlpUrl of ["http://127.0.0.1:1", silent.url]) {
      const begunMs = performance.now();
      await traced(request, { otlpUrl });
      expect(performance.now() - begunMs).toBeLessThan(4500);
    }
  });
});

/** A collector that never answers. */
async function startSilent(): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
