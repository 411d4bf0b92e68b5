import { createClient } from "@connectrpc/connect";
import { publicKeyOf } from "@sallyport/evidence";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type Peer, checkHealth, connectPeer, failureOf, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { type TestPki, createAnswerKeys, createTestPki } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFileKek, kekText, newKey, sealKeyring } from "@sallyport/proto/keyring";
import { type CryptoConfig, startCrypto } from "./server.ts";
import { createAuditContract } from "./testing/audit-contract.ts";
import { createDeployment, nowMs, publicName, signKeyset } from "./testing/deployment.ts";
import { planRead, storeSecret } from "./testing/read.ts";
import { verdictOf } from "./testing/replica.ts";
import { planWrite } from "./testing/write.ts";

const deployment = createDeployment();
const log = createAuditContract();
const running = new AsyncDisposableStack();
const listen = { host: "127.0.0.1", port: 0 };
let pki: TestPki;
let config: CryptoConfig;
let url: string;

beforeAll(async () => {
  pki = running.use(await createTestPki());
  const audit = running.use(
    await serve({
      self: "audit",
      listen,
      tls: pki.tls("audit"),
      trustDomain: pki.trustDomain,
      routes: [
        route(
          AppendService,
          { append: ["crypto"] },
          { append: (request) => log.audit.append(request) },
        ),
      ],
      dependencies: {},
      logger: createLogger({ service: "audit", level: "silent" }),
    }),
  );
  config = {
    listen,
    trustDomain: pki.trustDomain,
    ...pki.tls("crypto"),
    publicNames: [publicName],
    clockWindowSeconds: 60,
    keyset: deployment.keyset,
    rootFingerprint: deployment.rootFingerprint,
    kek: createFileKek(deployment.kek),
    keyring: await sealKeyring(createFileKek(deployment.kek), deployment.keyring),
    auditUrl: `https://127.0.0.1:${audit.port}`,
    logLevel: "silent",
    otlpUrl: undefined,
  };
  const { port } = running.use(await startCrypto(config, { clock: () => nowMs }));
  url = `https://127.0.0.1:${port}`;
});
afterAll(() => running.disposeAsync());

function transportAs(peer: Peer) {
  const connection = connectPeer({
    peer: "crypto",
    url,
    tls: pki.tls(peer),
    trustDomain: pki.trustDomain,
  });
  running.use(connection);
  return connection.transport;
}

test("over mTLS: secrets seals, the gateway has it opened, once", async () => {
  const seal = createClient(SealService, transportAs("secrets"));
  const open = createClient(OpenService, transportAs("gateway"));
  const { request } = await planWrite(deployment);
  expect((await seal.seal(request)).envelope.length).toBe(97 + 6);
  const item = planRead(deployment, [await storeSecret(deployment, "DB_URL")]);
  const verdicts = [];
  for (let attempt = 0; attempt < 2; attempt += 1)
    verdicts.push(verdictOf((await open.open({ items: [item] })).results[0]));
  expect(verdicts).toEqual(["opened", "ALREADY_RECORDED"]);
});

test.each<{ peer: Peer }>([
  { peer: "secrets" },
  { peer: "identity" },
  { peer: "policy" },
  { peer: "audit" },
  { peer: "operator" },
])("$peer may not have anything opened", async ({ peer }) => {
  const item = planRead(deployment, [await storeSecret(deployment, "DB_URL")]);
  const failure = await createClient(OpenService, transportAs(peer))
    .open({ items: [item] })
    .then(() => undefined, failureOf);
  expect(failure?.cause).toMatchObject({ rawMessage: "peer not allowed" });
});

test("the gateway may have nothing sealed", async () => {
  const { request } = await planWrite(deployment);
  const failure = await createClient(SealService, transportAs("gateway"))
    .seal(request)
    .then(() => undefined, failureOf);
  expect(failure?.cause).toMatchObject({ rawMessage: "peer not allowed" });
});

test("a write that does not hold is refused with its step", async () => {
  const { request } = await planWrite(deployment, { request: { method: "PUT" } });
  const failure = await createClient(SealService, transportAs("secrets"))
    .seal(request)
    .then(() => undefined, failureOf);
  expect([failure?.reason, failure?.metadata]).toEqual([
    Reason.EVIDENCE_INVALID,
    { step: "method" },
  ]);
});

test("is ready while audit answers", async () => {
  const transport = transportAs("operator");
  await expect(checkHealth(transport, "ready")).resolves.toBeUndefined();
  await expect(checkHealth(transport, "dependency:audit")).resolves.toBeUndefined();
});

test("a wrong KEK stops the start and names the one needed", async () => {
  const wrong = createFileKek(newKey());
  const [needed, given] = [kekText(await config.kek.describe()), kekText(await wrong.describe())];
  await expect(startCrypto({ ...config, kek: wrong }, { clock: () => nowMs })).rejects.toThrow(
    `the keyring needs the KEK ${needed}, but the KEK given is ${given}`,
  );
});

test.each([
  {
    use: KeyUse.REPLY,
    keyId: "reply-1",
    sentence: "the keyset does not have the keyring's reply key reply-1",
  },
  {
    use: KeyUse.SEALING,
    keyId: "sealing-1",
    sentence: "the keyring does not have the keyset's sealing key sealing-1",
  },
  {
    use: KeyUse.SEALING,
    keyId: "sealing-9",
    sentence: "the keyring does not have the keyset's sealing key sealing-9",
  },
])("a keyset with another key $keyId stops the start", async ({ use, keyId, sentence }) => {
  const { rootSeed, trust } = deployment;
  const keys = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG].map((each) => ({
    use: each,
    ...trust.preferred(each),
  }));
  const changed = keys.map((key) =>
    key.use === use ? { ...key, keyId, publicKey: publicKeyOf(newKey()) } : key,
  );
  const keyset = signKeyset(rootSeed, [...changed, ...createAnswerKeys().published]);
  await expect(startCrypto({ ...config, keyset }, { clock: () => nowMs })).rejects.toThrow(
    sentence,
  );
});

test("the start is on record, with the name of the KEK", async () => {
  const started = () => log.events.find(({ action }) => action === "process.started");
  await expect.poll(() => started()?.detail["kek_fingerprint"]).toMatch(/^file:[0-9a-f]{32}$/);
});

test("answers nobody once it was disposed", async () => {
  const server = await startCrypto(config, { clock: () => nowMs });
  const stopped = connectPeer({
    peer: "crypto",
    url: `https://127.0.0.1:${server.port}`,
    tls: pki.tls("operator"),
    trustDomain: pki.trustDomain,
  });
  running.use(stopped);
  await checkHealth(stopped.transport, "live");
  await server[Symbol.asyncDispose]();
  await expect(checkHealth(stopped.transport, "live")).rejects.toThrow(Error);
});
