import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { trustDomain } from "@sallyport/deploy/local";
import { route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Field, canaries } from "../field.ts";
import { takeOverGateway } from "../gateway/cheat.ts";
import { askFor } from "../gateway/stage.ts";
import { tlsOf } from "../../system/mesh.ts";
import { foundIn, readAs, secretBytes } from "./alone.ts";

/** What stands in audit's place, with its certificate, and answers as it likes. */
export function describeAudit(field: () => Field): void {
  describe("audit, stolen: another process in its place", () => {
    const heard: Event[] = [];
    let answer: AppendStatus = AppendStatus.COMMITTED;
    let impostor: AsyncDisposable | undefined;

    beforeAll(async () => {
      const { system } = field();
      await system.stopProcess("audit");
      const callers = { append: ["gateway", "identity", "policy", "secrets", "crypto"] } as const;
      impostor = await serve({
        self: "audit",
        listen: { host: "127.0.0.1", port: system.addresses.ports.audit },
        tls: tlsOf(system, "audit"),
        trustDomain,
        dependencies: {},
        drainMs: 200,
        logger: createLogger({ service: "impostor", level: "silent" }),
        routes: [
          route(AppendService, callers, {
            append({ events }) {
              heard.push(...events);
              return {
                results: events.map(({ eventId }) => ({ eventId, status: answer, seq: 1n })),
              };
            },
          }),
        ],
      });
    });
    afterAll(async () => {
      await impostor?.[Symbol.asyncDispose]();
      await field().system.startProcess("audit");
    });

    test("hears of reads, and of no value", async () => {
      answer = AppendStatus.COMMITTED;
      await expect
        .poll(() => readAs(field().machine, field().granted), { timeout: 15_000 })
        .toEqual({ DB_URL: canaries.DB_URL, API_KEY: canaries.API_KEY });
      const reads = heard.filter(({ action }) => action === "secret.read");
      expect(reads.length).toBeGreaterThanOrEqual(field().granted.length);
      const all = Buffer.from(JSON.stringify(heard, (_, part: unknown) => asText(part)));
      expect(foundIn(all, secretBytes(field()))).toEqual([]);
    });

    test("what it gives: silence; a read that it calls recorded goes out, to the machine, without a record", async () => {
      answer = AppendStatus.COMMITTED;
      using carrier = takeOverGateway(field().system);
      const signed = askFor(field().machine, { secretIds: field().granted });
      expect((await carrier.read(signed)).verdict).toBe("opened");
      expect(await field().ledger.of(signed.digest)).toEqual([]);
      // And, for a gateway that repeats requests, the same reply again: it is sealed to the key
      // that the machine signed.
      expect((await carrier.read(signed)).verdict).toBe("opened");
    });

    test.each([
      [AppendStatus.CONFLICT, "ALREADY_RECORDED"],
      [AppendStatus.REFUSED, "INTERNAL"],
      [AppendStatus.HELD_BACK, "INTERNAL"],
      [AppendStatus.UNSPECIFIED, "DEPENDENCY_UNAVAILABLE"],
    ])("an answer that is not a commit (%i) opens nothing: %s", async (status, verdict) => {
      answer = status;
      using carrier = takeOverGateway(field().system);
      const signed = askFor(field().machine, { secretIds: field().granted });
      expect((await carrier.read(signed)).verdict).toBe(verdict);
      answer = AppendStatus.COMMITTED;
      expect((await carrier.read(signed)).verdict).toBe("opened");
    });
  });
}

function asText(part: unknown): unknown {
  if (typeof part === "bigint") return String(part);
  return part instanceof Uint8Array ? Buffer.from(part).toString("latin1") : part;
}
