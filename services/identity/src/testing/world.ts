import {
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
} from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { createForwarder } from "@sallyport/forward";
import { type Outbox, createOutbox } from "@sallyport/outbox";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  type ForwardRequest,
  ForwardRequestSchema,
  ForwardService,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  KeyService,
  type ResolvedKey,
} from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fromRefusal } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { makeFirstVault } from "../vaults/first-vault.ts";
import { createPolicyScope } from "../policy.ts";
import { publicMethods } from "../public-methods.ts";
import { createReportSightings } from "../keys/report-sightings.ts";
import { createResolveKeys } from "../keys/resolve.ts";
import { createWatchRevocations } from "../keys/watch-revocations.ts";
import { type AuditPeer, type PolicyPeer, createAuditPeer, createPolicyPeer } from "./peers.ts";
import {
  type TestKey,
  type TestTrust,
  authority,
  createTestTrust,
  keySha256,
  newKey,
  prove,
  signRequest,
} from "./signing.ts";

/** One process of identity on a real database, and a gateway's way to it. */
export type Replica = {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly keys: ReturnType<typeof createClient<typeof KeyService>>;
  /**
   * Sends a public request as the gateway would; throws the Failure that the client would receive.
   */
  call<I extends DescMessage, O extends DescMessage>(
    key: TestKey,
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    sourceIp?: string,
  ): Promise<MessageShape<O>>;
  /** Makes what `call` sends. */
  evidence<I extends DescMessage>(
    key: TestKey,
    method: DescMethodUnary<I>,
    request: MessageInitShape<I>,
    sourceIp?: string,
  ): Promise<ForwardRequest>;
  /** Sends evidence; throws as `call` does. */
  send<O extends DescMessage>(
    method: DescMethodUnary<DescMessage, O>,
    request: ForwardRequest,
  ): Promise<MessageShape<O>>;
  resolve(keyId: string): Promise<ResolvedKey>;
} & AsyncDisposable;

/** Identity with policy and audit beside it, a clock that stands still, and an owner. */
export type World = Replica & {
  /** As the role that owns the tables, for what only the ceremony may do. */
  readonly ownerDatabase: Database;
  readonly policy: PolicyPeer;
  readonly audit: AuditPeer;
  readonly trust: TestTrust;
  readonly clock: { nowMs: number };
  readonly vaultId: string;
  readonly owner: TestKey;
  /** The owner's user id. */
  readonly ownerId: string;
  readonly urls: Pick<ServiceTestDatabase, "ownerUrl" | "servingUrl">;
  /** Starts another process on the same database. */
  startReplica(): Replica;
};

/** Makes a database and builds a world in it; disposing drops it. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const urls = await createServiceDatabase("identity");
  const world = await createWorld(urls, options);
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await urls[Symbol.asyncDispose]();
    },
  };
}

/** Options that differ from the defaults. */
export type WorldOptions = { readonly machineCap?: number };

async function createWorld(
  urls: Pick<ServiceTestDatabase, "ownerUrl" | "servingUrl">,
  { machineCap = 10_000 }: WorldOptions = {},
): Promise<World> {
  await migrate({ url: urls.ownerUrl, folder: new URL("../../migrations/", import.meta.url) });
  const clock = { nowMs: Date.now() };
  const [policy, audit, trust] = [
    createPolicyPeer(),
    createAuditPeer(),
    createTestTrust(clock.nowMs),
  ];
  const stack = new AsyncDisposableStack();
  const start = () => startReplica(urls.servingUrl, { policy, audit, trust, clock, machineCap });
  const replica = stack.use(start());
  const ownerDatabase = stack.use(
    openDatabase({ url: urls.ownerUrl, applicationName: "identity-owner", poolSize: 1 }),
  );
  const code = newKey();
  const first = { name: "first", ownerKeySha256: keySha256(code) };
  const { vaultId, codeId } = await makeFirstVault(ownerDatabase, first, clock.nowMs);
  const device = newKey();
  const answer = await replica.call(device, UserService.method.redeemLoginCode, {
    vaultId,
    codeId,
    codePublicKey: code.publicKey,
    codeProof: prove("device", vaultId, code, device),
    devicePublicKey: device.publicKey,
    userName: "ada",
  });
  const owner = { ...device, keyId: answer.keyId };
  return {
    ...replica,
    ownerDatabase,
    policy,
    audit,
    trust,
    clock,
    vaultId,
    owner,
    ownerId: answer.userId,
    urls,
    startReplica: start,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Surroundings = Pick<World, "policy" | "audit" | "trust" | "clock"> & Required<WorldOptions>;

// One process of identity, with connections of its own.
function startReplica(servingUrl: string, around: Surroundings): Replica {
  const { policy, audit, trust, clock, machineCap } = around;
  const stack = new AsyncDisposableStack();
  const database = stack.use(openDatabase({ url: servingUrl, applicationName: "identity-test" }));
  const logger = createLogger({ service: "identity", level: "silent" });
  const outbox = stack.use(
    createOutbox({ database, audit: createClient(AppendService, audit.transport), logger }),
  );
  const now = () => clock.nowMs;
  const scope = createPolicyScope(policy.transport);
  const transport = createRouterTransport((router) => {
    router.service(
      ForwardService,
      createForwarder({
        trust: trust.trust,
        answerKey: () => trust.answerKey,
        authorities: [authority],
        windowSeconds: 60,
        clock: now,
        database,
        beforeMutation: () => outbox.ready(),
        afterCommit: (own) => outbox.drain(own),
        methods: publicMethods({
          database,
          outbox,
          policy: scope,
          machineCap,
          clock: now,
          steadyClock: now,
        }),
      }),
    );
    router.service(KeyService, {
      resolveKeys: createResolveKeys({ database, key: () => trust.credentialKey, clock: now }),
      watchRevocations: createWatchRevocations({ database }),
      reportSightings: createReportSightings({ database, clock: now }),
    });
  });
  const keys = createClient(KeyService, transport);
  const gateway = createGateway(createClient(ForwardService, transport), keys, clock);
  return { database, outbox, keys, ...gateway, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function createGateway(
  forward: ReturnType<typeof createClient<typeof ForwardService>>,
  keys: ReturnType<typeof createClient<typeof KeyService>>,
  clock: { readonly nowMs: number },
): Pick<Replica, "call" | "evidence" | "send" | "resolve"> {
  const gateway: Pick<Replica, "call" | "evidence" | "send" | "resolve"> = {
    async resolve(keyId) {
      const [resolved] = (await keys.resolveKeys({ keyIds: [keyId] })).results;
      if (!resolved) throw new Error("no result");
      return resolved;
    },
    async evidence(key, method, request, sourceIp = "192.0.2.7") {
      const { credential } = key.keyId.startsWith("key:") ? {} : await gateway.resolve(key.keyId);
      return create(ForwardRequestSchema, {
        signedRequest: signRequest(key, method, request, clock.nowMs),
        ...(credential ? { credential } : {}),
        sourceIp,
        client: "sallyport-cli/0.1.0",
        requestId: newId("req"),
      });
    },
    async send(method, request) {
      const { result } = await forward.forward(request);
      if (result.case === "response") return fromBinary(method.output, result.value);
      throw result.case === "refusal" ? fromRefusal(result.value) : new Error("no result");
    },
    call: async (key, method, request, sourceIp) =>
      gateway.send(method, await gateway.evidence(key, method, request, sourceIp)),
  };
  return gateway;
}
