import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  KeyService,
  type ReportSightingsRequest,
  type Sighting,
} from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createLastSeen } from "./last-seen.ts";
import { call, signedRequest } from "../testing/calls.ts";
import { startTestGateway } from "../testing/gateway.ts";
import { createTestTrust, newKey, newMachine } from "../testing/keys.ts";
import { createTestPeers } from "../testing/peers.ts";
import { connectJson } from "../testing/wires.ts";

const options = { everyMs: 10_000, capacity: 3 };

describe("sightings", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  function start(limits = options) {
    const peers = createTestPeers(createTestTrust());
    const reports: ReportSightingsRequest[] = [];
    peers.steps.reportSightings = (request) => {
      reports.push(request);
      return {};
    };
    const lines: string[] = [];
    const logger = createLogger({
      service: "gateway",
      stream: { write: (line) => void lines.push(line) },
    });
    const clock = { nowMs: 1000 };
    const identity = createClient(KeyService, peers.transports.keys);
    const sightings = createLastSeen(identity, () => clock.nowMs, logger, limits);
    return { peers, reports, lines, clock, sightings };
  }

  const used = (keyId: string, change: { sourceIp?: string; client?: string } = {}) => ({
    keyId,
    sourceIp: "192.0.2.1",
    client: "curl/8.0",
    ...change,
  });

  test("are reported every 10 seconds, the newest of each key", async () => {
    const { reports, clock, sightings } = start();
    const [one, two] = [newId("mch"), newId("mch")];
    sightings.note(used(one));
    sightings.note(used(two));
    clock.nowMs = 2000;
    sightings.note(used(one, { sourceIp: "2001:db8::1", client: "sallyport-cli/1" }));
    await vi.advanceTimersByTimeAsync(9_999);
    expect(reports).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await expect.poll(() => reports).toHaveLength(1);
    const told = reports.flatMap((report) => report.sightings);
    expect(told.map(({ keyId }) => keyId)).toEqual([one, two]);
    expect(told[0]).toMatchObject({ sourceIp: "2001:db8::1", client: "sallyport-cli/1" });
    expect(told.map(({ seenAt }) => seenAt && timestampMs(seenAt))).toEqual([2000, 1000]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reports).toHaveLength(1);
    await sightings[Symbol.asyncDispose]();
  });

  test("are kept for so many keys at once and no more; known keys go on", async () => {
    const { reports, clock, sightings } = start();
    const keyIds = Array.from({ length: 5 }, () => newId("mch"));
    for (const keyId of keyIds) sightings.note(used(keyId));
    clock.nowMs = 3000;
    sightings.note(used(keyIds[0] ?? ""));
    await sightings[Symbol.asyncDispose]();
    const told = reports.flatMap((report) => report.sightings);
    expect(told.map(({ keyId }) => keyId)).toEqual(keyIds.slice(0, 3));
    expect(told[0]?.seenAt && timestampMs(told[0].seenAt)).toBe(3000);
  });

  test("are sent in reports of a size that identity takes, and what is left when the gateway stops", async () => {
    const { reports, sightings } = start({ everyMs: 10_000, capacity: 5000 });
    for (let at = 0; at < 2500; at += 1) sightings.note(used(newId("mch")));
    await sightings[Symbol.asyncDispose]();
    expect(reports.map((report) => report.sightings.length)).toEqual([1000, 1000, 500]);
  });

  test("are lost, with a line in the log, when identity does not take them", async () => {
    const { peers, lines, reports, sightings } = start();
    const keep = peers.steps.reportSightings;
    peers.steps.reportSightings = () => {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    };
    sightings.note(used(newId("mch")));
    await vi.advanceTimersByTimeAsync(10_000);
    await expect.poll(() => lines).toHaveLength(1);
    peers.steps.reportSightings = keep;
    await sightings[Symbol.asyncDispose]();
    expect(reports).toEqual([]);
  });
});

test("the gateway reports the keys whose requests it accepted, and no others", async () => {
  await using pki = await createTestPki();
  const seen: Sighting[] = [];
  const gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
  gateway.peers.steps.reportSightings = ({ sightings }) => {
    seen.push(...sightings);
    return {};
  };
  const [machine, disabled] = [newMachine(), newMachine()];
  gateway.peers.enroll(machine);
  gateway.peers.enroll(disabled, Reason.MACHINE_DISABLED);
  const { readSecrets } = ReadService.method;
  const secretIds = [newId("sec")];
  await call(connectJson, gateway, machine, readSecrets, { secretIds });
  await call(connectJson, gateway, disabled, readSecrets, { secretIds });
  const stranger = newKey();
  await call(connectJson, gateway, stranger, EnrollmentService.method.enroll, {});
  const forged = signedRequest(
    connectJson,
    gateway,
    { ...newMachine(), keyId: machine.keyId },
    readSecrets,
    {
      secretIds,
    },
  );
  await connectJson.send(gateway, forged);
  await gateway[Symbol.asyncDispose]();
  expect(seen.map(({ keyId }) => keyId)).toEqual([machine.keyId]);
  expect(seen[0]).toMatchObject({ sourceIp: "127.0.0.1" });
});
