import { Code, createClient } from "@connectrpc/connect";
import { migrate } from "@sallyport/postgres";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Peer, checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import {
  createAnswerFiles,
  createServiceDatabase,
  createSignedDeployment,
  createTestPki,
  newUser,
} from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { readOf } from "./testing/policy.ts";
import { startPolicy } from "./server.ts";

test("policy takes its keys up while it runs", async () => {
  await using database = await createServiceDatabase("policy");
  await using pki = await createTestPki();
  await migrate({ url: database.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  const { trustDomain } = pki;
  const deployment = createSignedDeployment(Date.now);
  const { rootSeed, config } = deployment;
  const answerKeys = deployment.answerKeys("policy");
  using files = createAnswerFiles({ owner: "policy", rootSeed, keyset: config.keyset, answerKeys });
  await using server = await startPolicy({
    ...config,
    ...files.config,
    ...pki.tls("policy"),
    listen: { host: "127.0.0.1", port: 0 },
    trustDomain,
    databaseUrl: database.servingUrl,
    permitKeys: [{ keyId: "permit-1", key: new Uint8Array(32).fill(1) }],
    auditUrl: "https://127.0.0.1:1",
    logLevel: "silent",
    otlpUrl: undefined,
  });
  const url = `https://127.0.0.1:${server.port}`;
  await using peer = connectPeer({ peer: "policy", url, tls: pki.tls("gateway"), trustDomain });
  const forwarding = createClient(ForwardService, peer.transport);
  const signedBy = async () => {
    const asked = deployment.forwardRequest(newUser(), GrantService.method.countGrants, {});
    return (await forwarding.forward(asked)).answer?.keyId;
  };
  expect(await signedBy()).toBe("answer-policy-1");
  const next = files.replace();
  await expect.poll(signedBy, { timeout: 20_000, interval: 500 }).toBe(next);
});

test("policy serves over mutual TLS, each method to its callers only", async () => {
  await using database = await createServiceDatabase("policy");
  await using pki = await createTestPki();
  await migrate({ url: database.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  const { trustDomain } = pki;
  const listen = { host: "127.0.0.1", port: 0 };
  const empty = route(AppendService, { append: ["policy"] }, { append: () => ({ results: [] }) });
  await using audit = await serve({
    self: "audit",
    listen,
    tls: pki.tls("audit"),
    trustDomain,
    routes: [empty],
    dependencies: {},
    logger: createLogger({ service: "audit", level: "silent" }),
  });
  const deployment = createSignedDeployment(Date.now);
  await using server = await startPolicy({
    ...deployment.config,
    answerKeys: deployment.answerKeys("policy"),
    ...pki.tls("policy"),
    listen,
    trustDomain,
    databaseUrl: database.servingUrl,
    permitKeys: [{ keyId: "permit-1", key: new Uint8Array(32).fill(1) }],
    auditUrl: `https://127.0.0.1:${audit.port}`,
    logLevel: "silent",
    otlpUrl: undefined,
  });
  await using stack = new AsyncDisposableStack();
  const url = `https://127.0.0.1:${server.port}`;
  const as = (self: Peer) =>
    stack.use(connectPeer({ peer: "policy", url, tls: pki.tls(self), trustDomain })).transport;
  const [gateway, identity] = [as("gateway"), as("identity")];
  await checkHealth(gateway, "ready");

  const items = [readOf(newId("vlt"), newId("mch"), [newId("sec")])];
  const { results } = await createClient(AuthorizationService, gateway).authorize({ items });
  // The log acknowledged nothing, so the denial is not recorded and nothing is said about it.
  expect(results[0]?.refusal?.reason).toBe(Reason.DEPENDENCY_UNAVAILABLE);

  const scope = {
    vaultId: newId("vlt"),
    userId: newId("usr"),
    role: Role.OWNER,
    projectIds: [newId("prj")],
    secretIds: [],
  };
  const asIdentity = createClient(ScopeService, identity).validateScope(scope);
  await expect(asIdentity).rejects.toMatchObject({ code: Code.NotFound });
  const machineIds = [newId("mch")];
  const end = (status: PrincipalStatus, ids = machineIds) =>
    createClient(ScopeService, identity).revokePrincipals({
      vaultId: newId("vlt"),
      machineIds: ids,
      status,
    });
  const wrong = [
    end(PrincipalStatus.ACTIVE),
    end(PrincipalStatus.EXPIRED, [...machineIds, ...machineIds]),
  ];
  for (const call of wrong)
    await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument });
  await end(PrincipalStatus.EXPIRED);
  const asGateway = createClient(ScopeService, gateway).validateScope(scope);
  await expect(asGateway).rejects.toMatchObject({ code: Code.PermissionDenied });
  const user = { vaultId: newId("vlt"), userId: newId("usr"), role: Role.DEVELOPER };
  const asked = createClient(RoleService, gateway).checkRoles({
    ...user,
    projectIds: [newId("prj")],
  });
  await expect(asked).rejects.toMatchObject({ code: Code.PermissionDenied });
});
