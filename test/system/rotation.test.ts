import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clone, create, fromBinary } from "@bufbuild/protobuf";
import {
  type KeySlot,
  type RotationStep,
  allKeySlots,
  nameOf,
  rotate,
  standingOf,
} from "@sallyport/cli/keyset";
import { type Identity, SallyportError, openSallyport, verifyKeyset } from "@sallyport/client";
import { retrying } from "@sallyport/client/reading";
import { readKeyFile } from "@sallyport/config";
import type { Process } from "@sallyport/deploy/local";
import { type MacKey, sealPermit, sealSlip, signEd25519 } from "@sallyport/evidence";
import {
  type OpenItem,
  OpenItemSchema,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  CredentialSchema,
  KeysetSchema,
  KeyUse,
  PermitClaimsSchema,
  SlipClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { LABELS, labelled } from "@sallyport/proto/signing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeOverGateway } from "../attacks/gateway/cheat.ts";
import { startMainJob, valuesOf } from "./deployment.ts";
import { sendSigned, signAs } from "./signed.ts";

type Job = Awaited<ReturnType<typeof startMainJob>>;

const repository = join(import.meta.dirname, "..", "..");

/**
 * Processes look at their files every five seconds; a credential is used for five at the gateway.
 */
const takeUpMs = 8_000;
const minuteMs = 60_000;

let job: Job;
beforeAll(async () => {
  job = await startMainJob();
});
afterAll(async () => {
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
});

const folder = (): string => job.deployment.system.layout.data;
const expected = (): object => ({ DB_URL: job.values.DB_URL, API_KEY: job.values.API_KEY });

/** Takes a step everywhere, by a clock that was put forward by what the step has to wait. */
let aheadMs = 0;
async function takeEverywhere(step: RotationStep, hurry = false): Promise<void> {
  aheadMs += 3 * minuteMs;
  for (const slot of allKeySlots) {
    const nowMs = Date.now() + aheadMs;
    const long = slot.use === "sealing" && step === "retire";
    const rotated = await rotate({
      deployment: folder(),
      slot,
      step,
      nowMs,
      days: 7,
      hurry: hurry || long,
    });
    expect(rotated.changed, nameOf(slot)).toBe(true);
  }
}

async function preferredIds(): Promise<string[]> {
  const all = allKeySlots.map((slot) => standingOf(folder(), slot, Date.now()));
  return (await Promise.all(all)).map(({ standing }) => standing.preferred.keyId);
}

/**
 * A reader that never stops: sealed by a client that lives, sealed by new ones, and unsealed.
 * Counts what it read.
 */
function startReading(patient: boolean) {
  const { machine, deployment, granted } = job;
  const identity: Identity = { ...machine, ...deployment.endpoint };
  const state = { reads: 0, failed: undefined as unknown, stop: false };
  const lasting = openSallyport(identity);
  const read = async (): Promise<void> => {
    const fresh = openSallyport(identity);
    try {
      for (const client of [lasting, fresh])
        expect(valuesOf(await client.read({ secretIds: granted }))).toEqual(expected());
    } finally {
      fresh.close();
    }
    const asked = signAs(identity, ReadService.method.readSecrets, { secretIds: granted });
    const away = (cause: unknown) => new SallyportError("DEPENDENCY_UNAVAILABLE", String(cause));
    const unsealed = await sendSigned(deployment.endpoint, asked.signedRequest).catch(
      (error: unknown) => {
        throw away(error);
      },
    );
    if (unsealed.status === 503) throw away(unsealed.text);
    expect(unsealed.status, unsealed.text).toBe(200);
    const { secrets } = fromBinary(ReadSecretsResponseSchema, unsealed.body);
    expect(secrets.map(({ content }) => content.case)).toEqual(["value", "value"]);
  };
  const run = async (): Promise<void> => {
    for (; !state.stop; state.reads += 4) {
      if (patient) await retrying(read, { untilMs: performance.now() + 120_000 });
      else await read();
      await sleep(20);
    }
  };
  const done = run().catch((error: unknown) => (state.failed = error));
  return {
    state,
    async stop(): Promise<void> {
      state.stop = true;
      await done;
      lasting.close();
      expect(state.failed).toBeUndefined();
    },
  };
}

/** The commands of deploy/README.md that replace keys. */
function documented(): string[] {
  const readme = readFileSync(join(repository, "deploy", "README.md"), "utf8");
  const walked = /walked by test\/system\/rotation\.test\.ts -->\n```sh\n([\s\S]*?)```/;
  const [, commands = ""] = walked.exec(readme) ?? [];
  return commands.trim().split("\n");
}

function run(command: string): string {
  const env = { PATH: `${join(repository, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}` };
  const here = command.replaceAll(".sallyport", folder());
  return execFileSync("sh", ["-eu", "-c", here], { cwd: repository, env, encoding: "utf8" });
}

/**
 * Waits until the gateway serves the newest keyset: clients that learn of its epoch from a reply
 * refuse an older one, which is why deploy/README.md gives the gateway its file first.
 */
async function untilServed(): Promise<void> {
  const { machine, deployment } = job;
  const bytes = readFileSync(join(folder(), "keyset", "keyset.bin"));
  const newest = await verifyKeyset(
    fromBinary(KeysetSchema, bytes),
    machine.rootFingerprint,
    Date.now(),
  );
  const client = openSallyport({ ...machine, ...deployment.endpoint });
  try {
    const served = async (): Promise<number> => (await client.checkDeployment()).epoch;
    await expect.poll(served, { timeout: 15_000 }).toBe(newest.epoch);
  } finally {
    client.close();
  }
}

async function write(version: number): Promise<void> {
  const { admin, ids, projectId } = job;
  const target = { secretId: ids["OTHER"] ?? "", name: "OTHER", projectId, projectName: "web" };
  const plaintext = Buffer.from(`other ${version}`);
  const stored = await admin.addVersion({ ...target, expectedVersion: version, plaintext });
  expect(stored.currentVersion).toBe(version + 1);
}

const keysIn = (process: Process, name: string) =>
  readKeyFile("TEST", join(job.deployment.system.layout.folder(process), name));

describe("every key of a running deployment", () => {
  let old: { readonly credential: MacKey; readonly permit: MacKey; readonly slip: MacKey };
  let oldKeyset: Uint8Array;

  test("is replaced while machines read and people write, and nothing fails", async () => {
    const first = (keys: readonly MacKey[]): MacKey =>
      keys[0] ?? { keyId: "", key: new Uint8Array() };
    old = {
      credential: first(keysIn("identity", "credential.key")),
      permit: first(keysIn("policy", "permit.key")),
      slip: first(keysIn("secrets", "slip.key")),
    };
    oldKeyset = readFileSync(join(folder(), "keyset", "keyset.bin"));
    const modes = () =>
      ["identity/credential.key", "crypto/keyring.bin", "policy/answer.key"].map((name) => {
        const { mode, uid, gid } = statSync(join(folder(), name));
        return { mode, uid, gid };
      });
    const modesBefore = modes();
    const before = await preferredIds();
    const reading = startReading(false);
    for (const [version, step] of (["accept", "prefer", "retire"] as const).entries()) {
      await takeEverywhere(step);
      await write(version + 1);
      await sleep(takeUpMs + (step === "prefer" ? 5_000 : 0));
      expect(reading.state.failed).toBeUndefined();
    }
    const at = reading.state.reads;
    await expect.poll(() => reading.state.reads > at + 20, { timeout: 20_000 }).toBe(true);
    await reading.stop();
    const after = await preferredIds();
    expect(after.filter((keyId) => before.includes(keyId))).toEqual([]);
    expect(modes()).toEqual(modesBefore);
    await write(4);
  });

  test("leaves nothing to the old ones: what they make is refused, and not what the new ones do", async () => {
    using cheat = takeOverGateway(job.deployment.system);
    const signed = signAs(
      { ...job.machine, ...job.deployment.endpoint },
      ReadService.method.readSecrets,
      {
        secretIds: job.granted,
      },
    );
    const { item } = await cheat.prepare(signed, {}, newId("req"));
    const opened = async (change: (item: OpenItem) => void): Promise<string | undefined> => {
      const changed = clone(OpenItemSchema, item);
      change(changed);
      const [outcome] = await cheat.openAll([changed], newId("req"));
      return outcome?.verdict;
    };
    const byOldIdentity = (changed: OpenItem): void => {
      const payload = new Uint8Array(changed.credential?.payload ?? []);
      const { keyId, key } = old.credential;
      const signature = signEd25519(key, labelled(LABELS.credential, payload));
      changed.credential = create(CredentialSchema, { payload, keyId, signature });
    };
    const byOldPolicy = (changed: OpenItem): void => {
      const claims = fromBinary(PermitClaimsSchema, changed.permit?.payload ?? new Uint8Array());
      changed.permit = sealPermit(claims, [old.permit]);
    };
    const byOldSecrets = (changed: OpenItem): void => {
      for (const secret of changed.secrets)
        secret.slip = sealSlip(
          fromBinary(SlipClaimsSchema, secret.slip?.payload ?? new Uint8Array()),
          [old.slip],
        );
    };
    expect(await opened(byOldIdentity)).toBe("EVIDENCE_INVALID credential");
    expect(await opened(byOldPolicy)).toBe("EVIDENCE_INVALID permit");
    expect(await opened(byOldSecrets)).toBe("EVIDENCE_INVALID slip");
    expect(await opened(() => undefined)).toBe("opened");
    // Owners and clients: the keyset in use names none of the old keys but the log's.
    const { rootFingerprint } = job.machine;
    const keysetOf = (bytes: Uint8Array) =>
      verifyKeyset(fromBinary(KeysetSchema, bytes), rootFingerprint, Date.now());
    const [was, is] = await Promise.all(
      [oldKeyset, readFileSync(join(folder(), "keyset", "keyset.bin"))].map(keysetOf),
    );
    for (const use of [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY])
      expect(is?.has(use, was?.preferred(use).keyId ?? "")).toBe(false);
    expect(is?.has(KeyUse.LOG, was?.preferred(KeyUse.LOG).keyId ?? "")).toBe(true);
    expect(is?.preferred(KeyUse.LOG).keyId).not.toBe(was?.preferred(KeyUse.LOG).keyId);
  });

  test("is replaced again by the documented commands, while processes restart in between", async () => {
    const reading = startReading(true);
    const { system } = job.deployment;
    const restart = async (...names: readonly Process[]): Promise<void> => {
      for (const name of names) await system.stopProcess(name);
      for (const name of names.toReversed()) await system.startProcess(name);
    };
    const [accept = "", prefer = "", retire = "", show = ""] = documented();
    run(accept);
    await untilServed();
    await restart("crypto", "identity");
    run(prefer.replace("--use all", "--use all --now"));
    await restart("policy", "gateway");
    await restart("audit", "secrets");
    await sleep(takeUpMs);
    run(retire.replace("--use all", "--use all --now"));
    await untilServed();
    await restart("policy", "crypto");
    expect(run(show).match(/next accept, at any time/g)).toHaveLength(allKeySlots.length);
    const at = reading.state.reads;
    await expect
      .poll(() => reading.state.failed ?? reading.state.reads > at + 20, { timeout: 90_000 })
      .toBe(true);
    await reading.stop();
    await write(5);
    for (const slot of allKeySlots satisfies readonly KeySlot[])
      expect((await standingOf(folder(), slot, Date.now())).next.step, nameOf(slot)).toBe("accept");
  }, 300_000);
});
