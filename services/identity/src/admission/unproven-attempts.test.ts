import type { ForwardContext } from "@sallyport/forward";
import { ruleOf } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { SignedRequestSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { create } from "@bufbuild/protobuf";
import { newId } from "@sallyport/proto/ids";
import { createTally } from "@sallyport/audit-events";
import { createLogger } from "@sallyport/telemetry";
import { expect, test } from "vitest";
import { rejected } from "./proof.ts";
import { type Shown, noteUnproven } from "./unproven-attempts.ts";

function contextFrom(sourceIp: string): ForwardContext {
  return {
    newKey: new Uint8Array(32),
    sourceIp,
    client: "curl/8.0",
    requestId: newId("req"),
    requestDigest: new Uint8Array(32).fill(1),
    signedRequest: create(SignedRequestSchema),
    judge: () => [],
    mutate: () => Promise.reject(new Error("a stranger costs no transaction")),
  };
}

type Attempt = {
  readonly from: string;
  readonly shown: Shown;
  readonly step?: "signer" | "token" | "proof";
};

/** What is on record of attempts when the process was stopped after them. */
async function recordedOf(attempts: readonly Attempt[]): Promise<Event[]> {
  const recorded: Event[] = [];
  {
    await using tally = createTally(
      async (events) => void recorded.push(...events),
      createLogger({ service: "identity", level: "silent" }),
    );
    for (const { from, shown, step = "token" } of attempts)
      await noteUnproven(tally, contextFrom(from), shown, rejected(step), 1_800_000_000_000);
  }
  return recorded;
}

const total = (events: readonly Event[]) =>
  events.reduce((sum, { detail }) => sum + Number(detail["count"]), 0);
const known = (vaultId: string): Shown => ({
  action: "token.refused",
  concerned: { vaultId, subjectId: newId("tok") },
  claimed: { hostname: "runner", name: "runner-1" },
});
const guess: Shown = { action: "token.refused", concerned: undefined };
const addressOf = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

test("an attempt on a token that there is, is in its vault's list, with what the stranger told", async () => {
  const shown = known(newId("vlt"));
  const [record] = await recordedOf([{ from: "192.0.2.1", shown, step: "proof" }]);
  expect(record).toMatchObject({
    action: "token.refused",
    reason: "REQUEST_REJECTED",
    actorId: "",
    ...shown.concerned,
    sourceIp: "192.0.2.1",
    client: "curl/8.0",
    detail: { count: "1", step: "proof", hostname: "runner", name: "runner-1" },
  });
  const allowed = ruleOf("token.refused")?.detail ?? [];
  expect(Object.keys(record?.detail ?? {}).every((key) => allowed.includes(key))).toBe(true);
});

test("thousands of guesses from thousands of addresses are a hundred records at most, and every one is counted", async () => {
  const attempts = Array.from({ length: 8_000 }, (_, n) => ({
    from: addressOf(n % 4_000),
    shown: guess,
  }));
  const recorded = await recordedOf(attempts);
  expect(total(recorded)).toBe(8_000);
  expect(recorded.length).toBeLessThanOrEqual(2 * 51);
});

test("a flood of guesses hides no attempt on a token that there is", async () => {
  const shown = known(newId("vlt"));
  const flood = Array.from({ length: 5_000 }, (_, n) => ({ from: addressOf(n), shown: guess }));
  const recorded = await recordedOf([...flood, { from: "192.0.2.1", shown }]);
  expect(recorded.map(({ subjectId }) => subjectId)).toContain(shown.concerned?.subjectId);
});

test("a flood on the tokens of two vaults is counted in each vault's own list", async () => {
  const vaults = [newId("vlt"), newId("vlt")];
  const attempts = Array.from({ length: 3_000 }, (_, n) => ({
    from: addressOf(n),
    shown: known(vaults[n % 2] ?? ""),
  }));
  const recorded = await recordedOf(attempts);
  for (const vaultId of vaults)
    expect(total(recorded.filter((event) => event.vaultId === vaultId))).toBe(1_500);
  expect(recorded.length).toBeLessThanOrEqual(2 * 52);
});

test("codes and tokens, addresses and steps are told apart", async () => {
  const shown = known(newId("vlt"));
  const code: Shown = { action: "login_code.refused", concerned: undefined };
  const recorded = await recordedOf([
    { from: "192.0.2.1", shown, step: "proof" },
    { from: "192.0.2.1", shown, step: "signer" },
    { from: "192.0.2.2", shown, step: "proof" },
    { from: "192.0.2.1", shown: code },
    { from: "192.0.2.1", shown: guess },
    { from: "2001:db8::1", shown: guess },
    { from: "2001:db8::2", shown: guess }, // the same network
  ]);
  expect(recorded).toHaveLength(7);
  expect(total(recorded)).toBe(7);
  expect(recorded.at(-1)).toMatchObject({ sourceIp: "2001:db8::2", detail: { count: "1" } });
});
