import {
  type ConnectRouter,
  type Interceptor,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { type Database, type Tx, openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ForwardRequest,
  type ForwardResponse,
  ForwardService,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { Failure, fail, failureOf, toConnectError } from "@sallyport/rpc";
import { createServiceDatabase, createSignedDeployment } from "@sallyport/test/infra";
import { EvidenceError, loadTrust, pickAnswerKey } from "@sallyport/evidence";
import { type ForwardContext, forwardMethods } from "../forward-methods.ts";
import { type ForwarderOptions, createForwarder } from "../forwarder.ts";

/** Evidence as a gateway hands it on; either part may be missing. */
export type Forwarded = Pick<Partial<ForwardRequest>, "signedRequest" | "credential">;

/** The id under which every request is forwarded. */
export const requestId = "req_0123456789abcdefghjk";

/** When a test begins, in Unix milliseconds. */
export const startMs = 1_764_000_000_000;

/** What happens in an owner, as far as its tests look. */
export type OwnerState = {
  /** The owner's clock, in Unix milliseconds. */
  nowMs: number;
  /** What happened, in order: "before", "changed", "after", a replay. */
  events: string[];
  /** Whether the log is away. */
  logDown: boolean;
  /** Whether handlers forget to judge project roles. */
  forgets: boolean;
  /** What the last change was told. */
  received: ForwardContext | undefined;
};

/** A service that owns projects in a database of its own, and nothing else of a service. */
export type TestOwner = AsyncDisposable & {
  readonly state: OwnerState;
  readonly deployment: ReturnType<typeof createSignedDeployment>;
  readonly database: Database;
  /**
   * Forwards a request as the gateway does, without the network. Throws the Failure that a peer
   * would get.
   */
  forward(request: Forwarded): Promise<ForwardResponse>;
  /** The same to an owner that was given no hooks. */
  forwardWithoutHooks(request: Forwarded): Promise<ForwardResponse>;
};

/** Starts the owner. */
export async function createTestOwner(): Promise<TestOwner> {
  const urls = await createServiceDatabase("secrets");
  const database = await createTables(urls);
  const state: OwnerState = {
    nowMs: startMs,
    events: [],
    logDown: false,
    forgets: false,
    received: undefined,
  };
  const deployment = createSignedDeployment(() => state.nowMs);
  const { keyset, rootFingerprint, publicNames, clockWindowSeconds } = deployment.config;
  const trust = loadTrust(keyset, rootFingerprint, startMs);
  let changedIn: Tx | undefined;
  const projects = projectMethods(database, state, (tx) => (changedIn = tx));
  const options = {
    trust,
    answerKey: () => pickAnswerKey(deployment.answerKeys("secrets"), "secrets", trust),
    authorities: publicNames,
    windowSeconds: clockWindowSeconds,
    clock: () => state.nowMs,
    database,
    methods: [projects, enrollmentMethods()],
  };
  const note = async (event: string): Promise<void> => {
    state.events.push(event);
    if (state.logDown) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  const hooks: Partial<ForwarderOptions> = {
    beforeMutation: () => note("before"),
    afterCommit: (own) => note(own === changedIn ? "after" : "after another change"),
    onReplay: async ({ principal, signedRequest }) => {
      state.events.push(`replay of ${signedRequest.path} by ${principal?.id ?? "a stranger"}`);
    },
  };
  return {
    state,
    deployment,
    database,
    forward: forwarding(createForwarder({ ...options, ...hooks })),
    forwardWithoutHooks: forwarding(createForwarder(options)),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await urls[Symbol.asyncDispose]();
    },
  };
}

async function createTables(urls: { readonly ownerUrl: string; readonly servingUrl: string }) {
  await using owner = openDatabase({ url: urls.ownerUrl, applicationName: "test" });
  await owner.query(
    "create table seen_requests (request_digest bytea primary key, expires_at timestamptz not null)",
  );
  await owner.query("create table projects (name text primary key, maker text not null)");
  await owner.query("grant select, insert, delete on seen_requests, projects to sallyport_secrets");
  return openDatabase({ url: urls.servingUrl, applicationName: "test" });
}

function projectMethods(database: Database, state: OwnerState, onChange: (tx: Tx) => void) {
  return forwardMethods(ProjectService, {
    async createProject(context, { name }) {
      state.received = context;
      return context.mutate(async (tx) => {
        if (name === "taken") throw fail(Reason.ALREADY_EXISTS, { field: "name", sql: "insert" });
        if (name === "unreachable") throw fail(Reason.PEER_NOT_ALLOWED);
        const values = [name, context.principal?.id];
        await tx.query("insert into projects (name, maker) values ($1, $2)", values);
        state.events.push("changed");
        onChange(tx);
        return { project: { name } };
      });
    },
    getProject: () => Promise.reject(new Error("select broke")),
    async listProjects(context) {
      if (!state.forgets) context.judge([]);
      const rows = await database.query<{ name: string }>(
        "select name from projects order by name",
      );
      return { projects: rows.map(({ name }) => ({ name })) };
    },
    deleteProject: async (context, { name }) => {
      if (!state.forgets) throw new EvidenceError("permit", "it is expired");
      return context.mutate(async (tx) => {
        await tx.query("delete from projects where name = $1", [name]);
        return {};
      });
    },
    restoreProject: () =>
      Promise.reject(fail(Reason.INTERNAL, { request_id: requestId }, new Error("insert broke"))),
  });
}

function enrollmentMethods() {
  return forwardMethods(EnrollmentService, {
    enroll: ({ newKey, principal }) =>
      Promise.resolve({
        machineName: `${Buffer.from(newKey ?? []).toString("hex")} ${principal?.id ?? "nobody"}`,
      }),
    createToken: (context) => {
      context.judge([]);
      return Promise.resolve({});
    },
    getToken: () => Promise.resolve({}),
    listTokens: () => Promise.resolve({}),
    revokeToken: () => Promise.resolve({}),
  });
}

function forwarding(forwarder: ReturnType<typeof createForwarder>): TestOwner["forward"] {
  // The error boundary of a real server, without its network.
  const boundary: Interceptor = (next) => (request) =>
    next(request).catch((error: unknown) => {
      throw toConnectError(
        error instanceof Failure ? error : fail(Reason.INTERNAL, {}, error),
        requestId,
      );
    });
  const routes = (router: ConnectRouter) => void router.service(ForwardService, forwarder);
  const client = createClient(
    ForwardService,
    createRouterTransport(routes, { router: { interceptors: [boundary] } }),
  );
  return (request) =>
    client
      .forward({ sourceIp: "192.0.2.1", client: "test/1", requestId, ...request })
      .catch((error: unknown) => {
        throw failureOf(error);
      });
}
