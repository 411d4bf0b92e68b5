import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import {
  type Endpoint,
  type Identity,
  type TrustedKeys,
  SallyportError,
  createRecipient,
  enroll,
  newSeed,
  openReply,
  openSallyport,
  privateKeyOf,
  rawPublicKey,
  requestDigestHeader,
  sealValue,
  verifyKeyset,
} from "@sallyport/client";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import type { Answer, History, Received } from "./history.ts";
import type { Random } from "./random.ts";
import { type Captured, answerOf, hex, openCapturing, replay } from "./request.ts";
import { type Stock, makeToken } from "./stock.ts";

/** What every client works with. */
export type Load = {
  readonly endpoint: Endpoint;
  readonly stock: Stock;
  readonly keys: TrustedKeys;
  readonly history: History;
  readonly random: Random;
  readonly stopped: AbortSignal;
  /** Requests that may be replayed: their senders are done with them. */
  readonly captured: (Captured & { readonly of: "read" | "write"; readonly accepted: boolean })[];
};

const tokenUses = 3;

/** Starts every client; resolves when all of them have stopped. */
export async function runClients(load: Load): Promise<void> {
  const { stock } = load;
  await Promise.all([
    ...stock.machines.map((machine, n) => runReader(load, machine, n === 0 ? "grpc" : "connect")),
    ...Object.entries(stock.secrets).map(([name, secretId]) => runWriter(load, name, secretId)),
    runEnroller(load),
    runReplayer(load),
  ]);
}

/** Fetches the deployment's keys and checks them against the root that the identity pins. */
export async function fetchKeys(identity: Identity): Promise<TrustedKeys> {
  const key = { seed: Buffer.from(identity.seed, "base64"), keyId: identity.keyId };
  const { transport, close } = openCapturing(identity, key, "connect", () => undefined);
  const { keyset } = await createClient(ReadService, transport).getKeyset({});
  close();
  return verifyKeyset(keyset, identity.rootFingerprint, Date.now());
}

// A client that was told to wait waits, but a second at most: the sooner it is back, the more it
// finds out.
async function pause({ stopped }: Load, answer: Answer<unknown>, ms: number): Promise<void> {
  const told = answer.kind === "refused" ? Math.min(answer.retryAfterMs ?? 0, 1000) : 0;
  await sleep(Math.max(told, ms), undefined, { signal: stopped }).catch(() => undefined);
}

async function runReader(
  load: Load,
  machine: Identity,
  protocol: "connect" | "grpc",
): Promise<void> {
  const { history, captured, stopped, stock, random } = load;
  let last: Captured | undefined;
  const key = { seed: Buffer.from(machine.seed, "base64"), keyId: machine.keyId };
  const { transport, close } = openCapturing(machine, key, protocol, (sent) => (last = sent));
  const reads = createClient(ReadService, transport);
  const ids = Object.values(stock.secrets);
  while (!stopped.aborted) {
    const startedMs = performance.now();
    const secretIds = random.below(2) === 0 ? ids : [random.pick(ids)];
    const answer = await answerOf(() => readOnce(reads, secretIds, load.keys));
    const digest = last?.digest ?? "";
    history.reads.push({
      machineId: machine.principalId,
      digest,
      startedMs,
      endedMs: performance.now(),
      answer,
    });
    if (last && protocol === "connect")
      captured.push({ ...last, of: "read", accepted: answer.kind === "done" });
    await pause(load, answer, 100);
  }
  close();
}

/**
 * Reads as the product's own client does: sealed, and used only once the signed reply was verified.
 */
async function readOnce(
  reads: ReturnType<typeof createClient<typeof ReadService>>,
  secretIds: readonly string[],
  keys: TrustedKeys,
): Promise<Received[]> {
  const recipient = await createRecipient();
  const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
  const request = create(ReadSecretsRequestSchema, {
    secretIds: [...secretIds],
    allOrNothing: true,
    recipient: { suite, publicKey: recipient.publicKey },
  });
  let requestDigest = new Uint8Array();
  const onHeader = (header: Headers): void => {
    requestDigest = new Uint8Array(Buffer.from(header.get(requestDigestHeader) ?? "", "base64"));
  };
  const response = await reads.readSecrets(request, { onHeader });
  const { results } = await openReply(
    response,
    { secretIds, version: 0, requestDigest },
    keys,
    recipient,
  );
  return results.map((result) => {
    if (result.kind === "refused")
      throw new SallyportError({ told: result.reason }, "a secret was refused");
    const { secretId, version, plaintext } = result;
    return { secretId, version, value: Buffer.from(plaintext).toString() };
  });
}

async function runWriter(load: Load, name: string, secretId: string): Promise<void> {
  const { history, captured, stopped, stock } = load;
  const { owner, projectId, projectName } = stock;
  let last: Captured | undefined;
  const key = { seed: Buffer.from(owner.seed, "base64"), keyId: owner.keyId };
  const { transport, close } = openCapturing(owner, key, "connect", (sent) => (last = sent));
  const secrets = createClient(SecretService, transport);
  let expectedVersion = 1;
  while (!stopped.aborted) {
    const startedMs = performance.now();
    const value = `${name} ${expectedVersion + 1} ${randomBytes(12).toString("hex")}`;
    const { vaultId, principalId } = owner;
    const target = {
      vaultId,
      projectId,
      secretId,
      expectedVersion,
      principalId,
      projectName,
      secretName: name,
    };
    const answer = await answerOf(async () => {
      const sealed = await sealValue(Buffer.from(value), ValueKind.SINGLE, target, load.keys);
      await secrets.addVersion({ secretId, projectId, expectedVersion, value: sealed });
      return null;
    });
    const version = expectedVersion + 1;
    const digest = last?.digest ?? "";
    history.writes.push({
      secretId,
      version,
      value,
      digest,
      startedMs,
      endedMs: performance.now(),
      answer,
    });
    if (last) captured.push({ ...last, of: "write", accepted: answer.kind === "done" });
    if (answer.kind === "done") expectedVersion = version;
    if (answer.kind === "refused" && answer.reason === "VERSION_CONFLICT")
      expectedVersion = Number(answer.metadata?.["current_version"] ?? expectedVersion);
    await pause(load, answer, 250);
  }
  close();
}

// One token after another, each shown to one key more than it has uses, by all of them at once.
async function runEnroller(load: Load): Promise<void> {
  const { stopped, stock } = load;
  const admin = openSallyport(stock.owner);
  const scope = {
    projectId: stock.projectId,
    secretIds: Object.values(stock.secrets),
    uses: tokenUses,
  };
  while (!stopped.aborted) {
    const token = await makeToken(admin, stock.owner, scope).catch(() => undefined);
    if (!token) {
      await sleep(200);
      continue;
    }
    await Promise.all(
      Array.from({ length: tokenUses + 1 }, (_, n) => enrollKey(load, token, 60 * n)),
    );
  }
  admin.close();
}

/** Enrolls one key, again and again until it is told yes or no. */
async function enrollKey(
  load: Load,
  token: { tokenId: string; text: string },
  waitMs: number,
): Promise<void> {
  const { history, stopped, endpoint } = load;
  const seed = newSeed();
  const key = hex(rawPublicKey(privateKeyOf(seed)));
  await sleep(waitMs);
  while (!stopped.aborted) {
    const startedMs = performance.now();
    const answer = await answerOf(async () => {
      const { principalId } = await enroll(endpoint, token.text, {
        seed,
        hostname: "chaos",
        attemptMs: 8_000,
      });
      return { machineId: principalId };
    });
    history.enrollments.push({
      tokenId: token.tokenId,
      key,
      startedMs,
      endedMs: performance.now(),
      answer,
    });
    await pause(load, answer, 200);
    const waits = answer.kind === "refused" && answer.reason !== "TOKEN_EXHAUSTED";
    if (answer.kind !== "unanswered" && !waits) return;
  }
}

const recent = 40;

async function runReplayer(load: Load): Promise<void> {
  const { history, captured, stopped, random, endpoint } = load;
  while (!stopped.aborted) {
    // Mostly what was just accepted, else anything that was ever sent, accepted or not.
    const accepted = captured.slice(-recent).filter((sent) => sent.accepted);
    const pool = accepted.length > 0 && random.below(4) > 0 ? accepted : captured;
    if (pool.length > 0) {
      const sent = random.pick(pool);
      const startedMs = performance.now();
      const answer = await replay(endpoint, sent);
      const { of, digest } = sent;
      history.replays.push({ of, digest, startedMs, endedMs: performance.now(), answer });
    }
    await sleep(120);
  }
}
