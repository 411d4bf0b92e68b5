import { createClient } from "@connectrpc/connect";
import { followTrust, pickPublished, type Trust } from "@sallyport/evidence";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { auditSink, reportStart } from "@sallyport/reports";
import { checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { openCallers, sealCallers } from "./callers.ts";
import type { CryptoConfig } from "./config.ts";
import { sameBytes } from "./evidence.ts";
import { createSealingKey } from "./hpke.ts";
import { createFileKek, textOf } from "./kek.ts";
import { type KeyringEntry, type Keyring, openKeyring, wipeKeyring } from "./keyring.ts";
import { createProjectKeyCache } from "./project-key-cache.ts";
import { createOpenService } from "./rpc/open.ts";
import { createSealService } from "./rpc/seal.ts";
import type { SealingKeys } from "./seal/seal-value.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { CryptoConfig } from "./config.ts";
export { createFileKek } from "./kek.ts";
export { openKeyring } from "./keyring.ts";

/**
 * Starts crypto; resolves once it listens. A keyset, KEK or keyring that do not belong together stop the start with one
 * sentence. Disposing drains it, then zeroes its keys. `clock` gives Unix milliseconds.
 */
export async function startCrypto(
  config: CryptoConfig,
  { clock = Date.now }: { readonly clock?: () => number } = {},
): Promise<{ port: number } & AsyncDisposable> {
  const logger = createLogger({ service: "crypto", level: config.logLevel ?? "info" });
  await using stack = new AsyncDisposableStack();
  const kek = createFileKek(onlyKey(config.kekKeys));
  const keyring = stack.adopt(await openKeyring(kek, config.keyring), wipeKeyring);
  const sealingKeys = await importSealingKeys(keyring);
  const { keyset, rootFingerprint } = config;
  const check = (candidate: Trust): void => checkPublished(keyring, sealingKeys, candidate);
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger, check }));
  const projectKeys = stack.use(createProjectKeyCache(kek));

  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const { trustDomain } = config;
  const audit = stack.use(connectPeer({ peer: "audit", url: config.auditUrl, tls, trustDomain }));
  const appending = createClient(AppendService, audit.transport);
  const verifier = {
    trust,
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
  };
  const opening = createOpenService({
    verifier: { ...verifier, permitKeys: keyring.permit, slipKeys: keyring.slip },
    projectKeys,
    replyKey: () => replyKeyOf(keyring, trust),
    keysetEpoch: () => trust.announcedEpoch,
    audit: appending,
    logger,
  });
  const sealing = createSealService({ verifier, kek, projectKeys, sealingKeys });
  const server = stack.use(
    await serve({
      self: "crypto",
      listen: config.listen,
      tls,
      trustDomain,
      routes: [route(OpenService, openCallers, opening), route(SealService, sealCallers, sealing)],
      dependencies: { audit: () => checkHealth(audit.transport, "live") },
      notices: { keyset: trust.checkEnd },
      logger,
    }),
  );
  const own = { kek_fingerprint: textOf(kek.describe().fingerprint) };
  const start = {
    emitter: "crypto",
    config,
    port: server.port,
    keysetEpoch: trust.epoch,
    own,
    manifest,
  } as const;
  stack.use(reportStart(start, auditSink(appending, logger), logger));
  const running = stack.move();
  return { port: server.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function onlyKey(keys: CryptoConfig["kekKeys"]): Uint8Array {
  const [only, ...others] = keys;
  if (!only || others.length > 0) throw new Error("SALLYPORT_KEK_FILE names a file with more than one key");
  return only.key;
}

function replyKeyOf({ reply }: Keyring, trust: Trust): KeyringEntry {
  const key = pickPublished(reply, KeyUse.REPLY, trust);
  if (key) return key;
  const ids = reply.map(({ keyId }) => keyId).join(", ");
  throw new Error(`the keyset does not have the keyring's reply key ${ids}: renew it with that key`);
}

async function importSealingKeys({ sealing }: Keyring): Promise<SealingKeys> {
  const keys = sealing.map(async ({ keyId, key }) => [keyId, await createSealingKey(key)] as const);
  return new Map(await Promise.all(keys));
}

// What clients do not find in the keyset they refuse, every reply of ours: better not to start.
function checkPublished(keyring: Keyring, sealingKeys: SealingKeys, trust: Trust): void {
  replyKeyOf(keyring, trust);
  const offered = trust.preferred(KeyUse.SEALING);
  const held = sealingKeys.get(offered.keyId)?.publicKey;
  if (!held || !sameBytes(held, offered.publicKey))
    throw new Error(
      `the keyring does not have the keyset's sealing key ${offered.keyId}: check SALLYPORT_KEYRING_FILE`,
    );
}
