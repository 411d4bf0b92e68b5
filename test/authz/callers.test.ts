import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createCa, issuePeerCertificate, trustDomain } from "@sallyport/deploy/local";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, startDeployment } from "../system/deployment.ts";
import { tlsOf } from "../system/mesh.ts";
import { isService } from "./matrix/methods.ts";

const peers = ["gateway", "identity", "policy", "secrets", "crypto", "audit", "operator"] as const;
type Peer = (typeof peers)[number];
type Server = Exclude<Peer, "gateway" | "operator">;

// Written from services/README.md and not from the code: who may call what. What is not here is
// refused to everyone.
const allowed: readonly {
  server: Server;
  service: DescService;
  methods: Readonly<Record<string, readonly Peer[]>>;
}[] = [
  {
    server: "identity",
    service: KeyService,
    methods: {
      ResolveKeys: ["gateway"],
      WatchRevocations: ["gateway"],
      ReportSightings: ["gateway"],
    },
  },
  { server: "identity", service: ForwardService, methods: { Forward: ["gateway"] } },
  {
    server: "policy",
    service: AuthorizationService,
    methods: { Authorize: ["gateway", "secrets"] },
  },
  {
    server: "policy",
    service: ScopeService,
    methods: {
      ValidateScope: ["identity"],
      ApplyScope: ["identity"],
      SetPrincipalStatus: ["identity"],
      RevokePrincipals: ["identity"],
    },
  },
  {
    server: "policy",
    service: RoleService,
    methods: {
      CheckRoles: ["secrets"],
      ListRoles: ["secrets", "identity"],
      EndUser: ["identity"],
    },
  },
  {
    server: "policy",
    service: DirectoryService,
    methods: {
      RegisterResources: ["secrets"],
      RetireResources: ["secrets"],
      ReinstateResources: ["secrets"],
    },
  },
  { server: "policy", service: ForwardService, methods: { Forward: ["gateway"] } },
  { server: "secrets", service: FetchService, methods: { Fetch: ["gateway"] } },
  { server: "secrets", service: ForwardService, methods: { Forward: ["gateway"] } },
  { server: "crypto", service: OpenService, methods: { Open: ["gateway"] } },
  {
    server: "crypto",
    service: SealService,
    methods: { NewProjectKey: ["secrets"], Seal: ["secrets"], Reseal: ["secrets"] },
  },
  {
    server: "audit",
    service: AppendService,
    methods: { Append: ["gateway", "identity", "policy", "secrets", "crypto"] },
  },
  { server: "audit", service: ForwardService, methods: { Forward: ["gateway"] } },
];

let deployment: Deployment;
let foreign: Tls;
let elsewhere: Tls;
const foreignDir = mkdtempSync(join(tmpdir(), "sallyport-foreign-"));

beforeAll(async () => {
  deployment = await startDeployment();
  const strangers = await createCa({ dir: join(foreignDir, "ca"), name: "foreign" });
  foreign = await issuePeerCertificate({
    ca: strangers,
    dir: foreignDir,
    trustDomain,
    peer: "gateway",
  });
  const mesh = await createCa({
    dir: join(deployment.system.layout.authorities, "mesh"),
    name: "mesh",
  });
  const dir = join(foreignDir, "elsewhere");
  mkdirSync(dir);
  elsewhere = await issuePeerCertificate({
    ca: mesh,
    dir,
    trustDomain: "elsewhere.example",
    peer: "gateway",
  });
});
afterAll(async () => {
  await deployment[Symbol.asyncDispose]();
  rmSync(foreignDir, { recursive: true, force: true });
});

type Tls = { readonly certFile: string; readonly keyFile: string };

function certificateOf(peer: Peer): Tls {
  return peer === "operator" ? deployment.system.operator : tlsOf(deployment.system, peer);
}

type Call = (
  request: object,
  options: { timeoutMs: number },
) => Promise<unknown> & AsyncIterable<unknown>;

function isCall(value: unknown): value is Call {
  return typeof value === "function";
}

/** Calls a method with an empty message and tells how it was met. */
async function meet(server: Server, method: DescMethod, tls: Tls | undefined): Promise<string> {
  const ca = readFileSync(join(deployment.system.layout.folder(server), "ca.pem"));
  const own = tls ? { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) } : {};
  const baseUrl = `https://localhost:${deployment.system.addresses.ports[server]}`;
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "2",
    nodeOptions: { ca, ...own },
  });
  const client: Record<string, unknown> = createClient(method.parent, transport);
  const call = client[method.localName];
  if (!isCall(call)) throw new Error(`no client for ${method.name}`);
  try {
    if (method.methodKind === "unary") await call({}, { timeoutMs: 5000 });
    else for await (const _ of call({}, { timeoutMs: 5000 })) break;
    return "let in";
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
    if (code === Code.PermissionDenied && info?.reason === "PEER_NOT_ALLOWED") return "refused";
    if (info) return "let in";
    return `no connection: ${rawMessage}`;
  }
}

describe("every internal method × every peer", () => {
  for (const { server, service, methods } of allowed) {
    for (const method of service.methods) {
      test(`${server}: ${service.name}/${method.name}`, async () => {
        const expected = methods[method.name];
        expect(expected, "the method has an expectation").toBeDefined();
        for (const peer of peers) {
          const want = expected?.includes(peer) ? "let in" : "refused";
          expect(await meet(server, method, certificateOf(peer)), `${peer} → ${server}`).toBe(want);
        }
        expect(await meet(server, method, undefined), "without a certificate").toMatch(
          /^no connection/,
        );
        expect(
          await meet(server, method, foreign),
          "with a foreign authority's certificate",
        ).toMatch(/^no connection/);
        expect(await meet(server, method, elsewhere), "from another trust domain").toMatch(
          /^refused|^no connection/,
        );
      });
    }
    test(`${server}: no expectation without a method in ${service.name}`, () => {
      expect(Object.keys(methods).toSorted()).toEqual(
        service.methods.map((method) => method.name).toSorted(),
      );
    });
  }

  test("no internal service is left out", async () => {
    const covered = new Set(allowed.map(({ service }) => service.typeName));
    expect([...covered].toSorted()).toEqual((await internalServices()).toSorted());
  });

  test("a service that a process does not serve is refused there to everybody", async () => {
    const services = new Map(allowed.map(({ service }) => [service.typeName, service]));
    const servers = new Set(allowed.map(({ server }) => server));
    for (const service of services.values()) {
      const serving = allowed.filter((row) => row.service === service).map(({ server }) => server);
      for (const server of servers) {
        if (serving.includes(server)) continue;
        for (const method of service.methods)
          for (const peer of peers)
            expect(
              await meet(server, method, certificateOf(peer)),
              `${peer} → ${server}: ${method.name}`,
            ).not.toBe("let in");
      }
    }
  });
});

/** The names of the services of every internal contract, from the generated code. */
async function internalServices(): Promise<string[]> {
  const generated = join(import.meta.dirname, "..", "..", "proto", "gen", "sallyport");
  const files = readdirSync(generated, { recursive: true, encoding: "utf8" }).filter((file) =>
    /internal\/v1\/.*_pb\.ts$/.test(file),
  );
  const modules = await Promise.all(
    files.map((file): Promise<Readonly<Record<string, unknown>>> => import(join(generated, file))),
  );
  return modules
    .flatMap((module) => Object.values(module).filter(isService))
    .map(({ typeName }) => typeName);
}
