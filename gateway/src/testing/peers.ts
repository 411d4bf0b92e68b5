import { createHash } from "node:crypto";
import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { parseRequest } from "@sallyport/evidence";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ForwardResponseSchema,
  ForwardService,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  PermitClaimsSchema,
  ReplyClaimsSchema,
  type SignedRequest,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Route, route } from "@sallyport/rpc";
import { inMemory } from "@sallyport/test/infra";
import type { PeerTransports } from "../forwarding/peers.ts";
import type { Owner } from "../forwarding/routes.ts";
import type { TestPrincipal, TestTrust } from "./keys.ts";

/** The behaviour of the peers; a test replaces a step to change it. */
export type PeerSteps = {
  resolveKeys: ServiceImpl<typeof KeyService>["resolveKeys"];
  watchRevocations: ServiceImpl<typeof KeyService>["watchRevocations"];
  reportSightings: ServiceImpl<typeof KeyService>["reportSightings"];
  authorize: ServiceImpl<typeof AuthorizationService>["authorize"];
  fetch: ServiceImpl<typeof FetchService>["fetch"];
  open: ServiceImpl<typeof OpenService>["open"];
  append: ServiceImpl<typeof AppendService>["append"];
  forward: ServiceImpl<typeof ForwardService>["forward"];
};

/**
 * The five processes behind the gateway, keeping their contracts without their rules: everyone may
 * read everything.
 */
export type TestPeers = {
  readonly steps: PeerSteps;
  /**
   * Internal methods that a request reached, with the owner of a Forward; look-ups and records are
   * not among them.
   */
  readonly reached: string[];
  readonly events: Event[];
  /** The starts on record, which are not among the events. */
  readonly starts: Event[];
  /** Enrolled keys by keyid, and the refusal of those that may not call. */
  readonly principals: Map<
    string,
    { readonly principal: TestPrincipal; readonly refusal?: Reason }
  >;
  enroll<P extends TestPrincipal>(principal: P, refusal?: Reason): P;
  readonly routes: Readonly<Record<Exclude<keyof PeerTransports, "keys">, readonly Route[]>>;
  /** Ways to the routes without a network. */
  readonly transports: PeerTransports;
};

/** Makes the peers. */
export function createTestPeers(trust: TestTrust): TestPeers {
  const reached: string[] = [];
  const events: Event[] = [];
  const starts: Event[] = [];
  const principals: TestPeers["principals"] = new Map();
  const steps: PeerSteps = {
    ...identitySteps(trust, principals),
    ...readSteps(),
    append({ events: more }) {
      for (const event of more) (event.action === "process.started" ? starts : events).push(event);
      return { results: more.map(({ eventId }) => ({ eventId, status: AppendStatus.COMMITTED })) };
    },
    forward: ({ signedRequest }) => {
      const json = signedRequest?.contentType === "application/json";
      return answerTo(signedRequest, { case: "response", value: Buffer.from(json ? "{}" : "") });
    },
  };
  const routes = routesTo(steps, reached);
  return {
    steps,
    reached,
    events,
    starts,
    principals,
    enroll(principal, refusal) {
      principals.set(principal.keyId, { principal, ...(refusal === undefined ? {} : { refusal }) });
      return principal;
    },
    routes,
    transports: {
      keys: inMemory(routes.identity),
      identity: inMemory(routes.identity),
      policy: inMemory(routes.policy),
      secrets: inMemory(routes.secrets),
      crypto: inMemory(routes.crypto),
      audit: inMemory(routes.audit),
    },
  };
}

/** A signature that a gateway hands on without looking at it. */
export const answer = {
  payload: new TextEncoder().encode("claims"),
  keyId: "answer-1",
  signature: new Uint8Array(64).fill(3),
};

/** An owner's answer to a request with that outcome. */
export function answerTo(
  signedRequest: SignedRequest | undefined,
  result: NonNullable<MessageInitShape<typeof ForwardResponseSchema>["result"]>,
) {
  return { requestDigest: digestOf(signedRequest), result, answer };
}

/** The digest that a reply must echo. */
export function digestOf(signedRequest: SignedRequest | undefined): Uint8Array {
  if (!signedRequest) throw new Error("there is no request");
  return parseRequest(signedRequest).digest;
}

function identitySteps(
  trust: TestTrust,
  principals: TestPeers["principals"],
): Pick<PeerSteps, "resolveKeys" | "watchRevocations" | "reportSightings"> {
  return {
    resolveKeys: ({ keyIds }) => ({
      results: keyIds.map((keyId) => {
        const known = principals.get(keyId);
        if (!known) return { keyId };
        const { publicKey } = known.principal;
        if (known.refusal !== undefined) return { keyId, publicKey, refusal: known.refusal };
        return { keyId, publicKey, credential: trust.credentialOf(known.principal) };
      }),
    }),
    async *watchRevocations(_request, { signal }) {
      yield {};
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
    reportSightings: () => ({}),
  };
}

// Answers come in another order than was asked, behind the answer to another request.
function readSteps(): Pick<PeerSteps, "authorize" | "fetch" | "open"> {
  const foreign = { requestDigest: new Uint8Array(32).fill(7) };
  return {
    authorize: ({ items }) => ({
      results: [
        { ...foreign, decisionId: newId("dec") },
        ...items.map(({ requestDigest, secretIds, machineId, vaultId }) => {
          const secrets = secretIds.toReversed().map((secretId) => ({
            secretId,
            projectId: newId("prj"),
          }));
          const decisionId = newId("dec");
          const claims = { machineId, vaultId, requestDigest, secrets, decisionId };
          const permit = {
            payload: toBinary(PermitClaimsSchema, create(PermitClaimsSchema, claims)),
          };
          const mac = new Uint8Array(32);
          return {
            requestDigest,
            decisionId,
            secrets,
            permit: { ...permit, keyId: "permit-1", mac },
          };
        }),
      ],
    }),
    fetch: ({ items }) => ({
      results: [
        { ...foreign, secrets: [] },
        ...items.map(({ requestDigest, secretIds }) => ({
          requestDigest,
          secrets: secretIds.map((secretId) => ({
            secretId,
            envelope: Buffer.from(`envelope of ${secretId}`),
            projectKey: Buffer.from("key"),
            slip: { payload: Buffer.from(secretId), keyId: "slip-1", mac: new Uint8Array(32) },
          })),
        })),
      ],
    }),
    open: ({ items }) => ({
      results: [
        { ...foreign, outcome: { case: "refusal", value: { reason: Reason.EVIDENCE_INVALID } } },
        ...items.map(({ requestDigest, secrets }) => {
          const ids = secrets.map(({ slip }) => Buffer.from(slip?.payload ?? []).toString());
          return {
            requestDigest,
            outcome: { case: "opened" as const, value: openedOf(requestDigest, ids) },
          };
        }),
      ],
    }),
  };
}

/**
 * Returns the answer of the test's crypto for secrets of these ids: contents in one order, claims
 * in the other.
 */
export function openedOf(
  requestDigest: Uint8Array,
  secretIds: readonly string[],
  nextPageToken = "",
) {
  const values = secretIds.map((secretId) => ({
    secretId,
    value: Buffer.from(`value of ${secretId}`),
  }));
  const claims = values.toReversed().map(({ secretId, value }) => ({
    secretId,
    name: `name-of-${secretId}`,
    version: 3,
    kind: ValueKind.SINGLE,
    contentSha256: createHash("sha256").update(value).digest(),
  }));
  const payload = toBinary(
    ReplyClaimsSchema,
    create(ReplyClaimsSchema, { requestDigest, secrets: claims, nextPageToken }),
  );
  return {
    secrets: values.map(({ secretId, value }) => ({
      secretId,
      content: { case: "value" as const, value },
    })),
    reply: { payload, keyId: "reply-1", signature: new Uint8Array(64) },
  };
}

function routesTo(steps: PeerSteps, reached: string[]): TestPeers["routes"] {
  const noted = <A extends unknown[], R>(name: string, step: () => (...args: A) => R) => {
    return (...args: A): R => {
      reached.push(name);
      return step()(...args);
    };
  };
  const owner = (name: Owner): Route =>
    route(
      ForwardService,
      { forward: ["gateway"] },
      { forward: noted(`${name}.forward`, () => steps.forward) },
    );
  return {
    identity: [
      route(
        KeyService,
        { resolveKeys: ["gateway"], watchRevocations: ["gateway"], reportSightings: ["gateway"] },
        {
          resolveKeys: (request, context) => steps.resolveKeys(request, context),
          watchRevocations: (request, context) => steps.watchRevocations(request, context),
          reportSightings: (request, context) => steps.reportSightings(request, context),
        },
      ),
      owner("identity"),
    ],
    policy: [
      route(
        AuthorizationService,
        { authorize: ["gateway"] },
        { authorize: noted("policy.authorize", () => steps.authorize) },
      ),
      owner("policy"),
    ],
    secrets: [
      route(
        FetchService,
        { fetch: ["gateway"] },
        { fetch: noted("secrets.fetch", () => steps.fetch) },
      ),
      owner("secrets"),
    ],
    crypto: [
      route(OpenService, { open: ["gateway"] }, { open: noted("crypto.open", () => steps.open) }),
    ],
    audit: [
      route(
        AppendService,
        { append: ["gateway"] },
        { append: (request, context) => steps.append(request, context) },
      ),
      owner("audit"),
    ],
  };
}
