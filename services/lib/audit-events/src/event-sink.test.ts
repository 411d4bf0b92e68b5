import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, toConnectError } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { expect, test } from "vitest";
import { auditSink } from "./event-sink.ts";

const { COMMITTED, CONFLICT, REFUSED, HELD_BACK, UNSPECIFIED } = AppendStatus;

function createLog(statusOf: (event: Event, call: readonly Event[]) => AppendStatus) {
  const calls: Event[][] = [];
  const lines: string[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(AppendService, {
      append({ events }) {
        calls.push(events);
        const results = events.map((event) => ({
          eventId: event.eventId,
          status: statusOf(event, events),
        }));
        return { results: results.toReversed() };
      },
    });
  });
  const logger = createLogger({
    service: "gateway",
    stream: { write: (line) => void lines.push(line) },
  });
  return { calls, lines, sink: auditSink(createClient(AppendService, transport), logger) };
}

function events(count: number): Event[] {
  return Array.from({ length: count }, () =>
    newEvent("gateway", "request.rejected", { actorKind: ActorKind.UNKNOWN }),
  );
}

test("appends in calls that fit into a message", async () => {
  const { calls, sink } = createLog(() => COMMITTED);
  await sink(events(450));
  expect(calls.map(({ length }) => length)).toEqual([200, 200, 50]);
});

test.each([REFUSED, CONFLICT])(
  "what is refused for good (%s) is told and holds nothing up",
  async (status) => {
    const [good, bad, better] = events(3);
    const isBad = ({ eventId }: Event) => eventId === bad?.eventId;
    const others = status === REFUSED ? HELD_BACK : COMMITTED;
    const { calls, lines, sink } = createLog((event, call) => {
      if (isBad(event)) return status;
      return call.some(isBad) ? others : COMMITTED;
    });
    await sink([good, bad, better].flatMap((event) => event ?? []));
    const ids = calls.map((call) => call.map(({ eventId }) => eventId));
    expect(ids.slice(1)).toEqual(status === REFUSED ? [[good?.eventId, better?.eventId]] : []);
    expect(lines.join("")).toContain(bad?.eventId);
  },
);

test("what breaks the contract is told and holds nothing up", async () => {
  const [good, bad, better] = events(3);
  const { calls, lines, sink } = createLog((_, call) => {
    const at = call.findIndex(({ eventId }) => eventId === bad?.eventId);
    if (at < 0) return COMMITTED;
    throw toConnectError(fail(Reason.FIELD_INVALID, { field: `events[${at}].client` }), "req_1");
  });
  await sink([good, bad, better].flatMap((event) => event ?? []));
  const taken = calls
    .filter((call) => !call.some(({ eventId }) => eventId === bad?.eventId))
    .flat();
  expect(taken.map(({ eventId }) => eventId).toSorted()).toEqual(
    [good, better].flatMap((event) => event?.eventId ?? []).toSorted(),
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("FIELD_INVALID events[0].client");
});

test("what is not confirmed is to be given again", async () => {
  const { sink } = createLog(() => UNSPECIFIED);
  await expect(sink(events(1))).rejects.toThrow("audit did not confirm an event");
});

test("a log that is away is not hidden", async () => {
  const { sink } = createLog(() => {
    throw new ConnectError("away", Code.Unavailable);
  });
  await expect(sink(events(1))).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
});
