/**
 * Crypto, the only process that opens a secret. It exists so that the KEK and every plaintext are
 * in one small, stateless process, which a compromise of any other service does not reach.
 *
 * It promises to verify each request from its evidence alone, to have a read recorded before it
 * opens anything, and to open once per permit and request. It must never take the word of the
 * gateway or of another service, store anything, connect to anything but audit, or write a value or
 * key to a log, an error or a file.
 */
import { createClient } from "@connectrpc/connect";
import { followTrust } from "@sallyport/evidence";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { auditSink, reportStart } from "@sallyport/audit-events";
import { checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { openCallers, sealCallers } from "./callers.ts";
import type { CryptoConfig } from "./config.ts";
import { followKeyring } from "./followed-keyring.ts";
import { kekText } from "@sallyport/proto/keyring";
import { createProjectKeyCache } from "./project-key-cache.ts";
import { createOpenService } from "./rpc/open.ts";
import { createSealService } from "./rpc/seal.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { CryptoConfig } from "./config.ts";
export { createFileKek } from "@sallyport/proto/keyring";
export { openKeyring } from "@sallyport/proto/keyring";

/**
 * Starts crypto; resolves once it listens. A keyset, KEK or keyring that do not belong together
 * stop the start with one sentence. Disposing drains it, then zeroes its keys. `clock` gives Unix
 * milliseconds.
 */
export async function startCrypto(
  config: CryptoConfig,
  { clock = Date.now }: { readonly clock?: () => number } = {},
): Promise<{ port: number } & AsyncDisposable> {
  const logger = createLogger({ service: "crypto", level: config.logLevel ?? "info" });
  await using stack = new AsyncDisposableStack();
  const { kek, keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const keys = stack.use(await followKeyring(config.keyring, { kek, trust, logger }));
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
    verifier: { ...verifier, permitKeys: keys.permitKeys, slipKeys: keys.slipKeys },
    projectKeys,
    replyKey: keys.replyKey,
    keysetEpoch: () => trust.announcedEpoch,
    audit: appending,
    logger,
  });
  const sealing = createSealService({ verifier, kek, projectKeys, sealingKeys: keys.sealingKeys });
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
  const own = { kek_fingerprint: kekText(await kek.describe()) };
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
