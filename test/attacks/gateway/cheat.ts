import { type MessageInitShape, clone, create, fromBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { Identity } from "@sallyport/client";
import type { System } from "@sallyport/deploy/local";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  type OpenItem,
  OpenItemSchema,
  OpenService,
  type OpenedRequest,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import type { Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  type Credential,
  type CredentialClaims,
  CredentialClaimsSchema,
  PrincipalKind,
  type SignedAnswer,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import {
  AuthorizationService,
  AuthorizeItemSchema,
  type AuthorizeItem,
  type AuthorizeResult,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import {
  type FetchItem,
  FetchItemSchema,
  type FetchResult,
  FetchService,
} from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { poseAs, told, verdictOf } from "../../system/mesh.ts";
import type { Signed } from "../../system/signed.ts";

/**
 * Where a read is cheated with; what is absent is as an honest gateway does it. Each changes its
 * message in place.
 */
export type ReadCheat = {
  readonly authorize?: (item: AuthorizeItem) => void;
  readonly fetch?: (item: FetchItem) => void;
  readonly open?: (item: OpenItem) => void | Promise<void>;
};

/** How a read ended at crypto or before, and the id under which the processes logged it. */
export type ReadOutcome = {
  readonly requestId: string;
  /** "opened", or the refusal with its step. */
  readonly verdict: string;
  readonly opened?: OpenedRequest;
};

/** A read as an honest gateway would put it to crypto. */
export type Prepared = { readonly item: OpenItem; readonly decision: AuthorizeResult };

/** How an owner met a request, and what it signed of that. */
export type Forwarded = {
  readonly requestId: string;
  readonly verdict: string;
  readonly response?: Uint8Array;
  readonly refusal?: Refusal;
  readonly answer?: SignedAnswer;
};

/**
 * A gateway that was taken over: it has the gateway's certificate, and calls whom it likes with
 * what it likes.
 */
export type Cheat = ReturnType<typeof takeOverGateway>;

const sourceIp = "203.0.113.9";
const client = "cheat/1";

/** Takes the gateway's certificate and key from its folder. */
export function takeOverGateway(system: System) {
  const thief = poseAs(system, "gateway");
  const keys = thief.client(KeyService, "identity");
  const authorization = thief.client(AuthorizationService, "policy");
  const envelopes = thief.client(FetchService, "secrets");
  const crypto = thief.client(OpenService, "crypto");
  const audit = thief.client(AppendService, "audit");

  async function credentialOf(keyId: string): Promise<Credential> {
    const { results } = await keys.resolveKeys({ keyIds: [keyId] });
    const credential = results[0]?.credential;
    if (!credential) throw new Error(`identity vouches for no ${keyId}`);
    return credential;
  }

  async function authorize(item: AuthorizeItem, requestId: string): Promise<AuthorizeResult> {
    const headers = { "sallyport-request-id": requestId };
    const said = create(AuthorizeItemSchema, { ...item, claims: claimsFor(item) });
    const { results } = await authorization.authorize({ items: [said] }, { headers });
    const [result] = results;
    if (!result) throw new Error("policy answered nothing");
    return result;
  }

  async function fetch(item: MessageInitShape<typeof FetchItemSchema>): Promise<FetchResult> {
    const { results } = await envelopes.fetch({ items: [item] });
    const [result] = results;
    if (!result) throw new Error("secrets answered nothing");
    return result;
  }

  /**
   * Everything up to crypto, with the decision that policy made; without a permit there is nothing
   * to open.
   */
  async function prepare(
    { keyId, digest, signedRequest, message: asked }: Signed<ReadSecretsRequest>,
    cheat: ReadCheat,
    requestId: string,
  ): Promise<Prepared> {
    const credential = await credentialOf(keyId);
    const claims = claimsOf(credential);
    const wanted = authorizeItemOf(claims, digest, asked, requestId);
    cheat.authorize?.(wanted);
    const decision = await authorize(wanted, requestId);
    const allowed = decision.secrets
      .filter(({ refusal }) => refusal === undefined)
      .map(({ secretId }) => secretId);
    const fetched = create(FetchItemSchema, {
      requestDigest: digest,
      vaultId: wanted.vaultId,
      secretIds: allowed,
      requestedVersion: wanted.requestedVersion,
    });
    cheat.fetch?.(fetched);
    const secrets = fetched.secretIds.length === 0 ? [] : (await fetch(fetched)).secrets;
    const sealed = secrets.map(({ envelope, projectKey, slip }) => ({
      envelope,
      projectKey,
      ...(slip ? { slip } : {}),
    }));
    const item = create(OpenItemSchema, {
      requestDigest: digest,
      signedRequest: clone(SignedRequestSchema, signedRequest),
      credential,
      ...(decision.permit ? { permit: decision.permit } : {}),
      secrets: sealed,
      sourceIp,
      client,
    });
    return { item, decision };
  }

  async function openAll(items: OpenItem[], requestId: string): Promise<ReadOutcome[]> {
    const headers = { "sallyport-request-id": requestId };
    const { results } = await crypto.open({ items }, { headers });
    return results.map(({ outcome }) =>
      outcome.case === "opened"
        ? { requestId, verdict: "opened", opened: outcome.value }
        : { requestId, verdict: outcome.case === "refusal" ? told(outcome.value) : "nothing" },
    );
  }

  return {
    credentialOf,
    authorize,
    fetch,
    prepare,
    openAll,
    /** Asks policy with a credential that was kept. */
    authorizeAs(credential: Credential, { digest, message }: Signed<ReadSecretsRequest>) {
      const requestId = newId("req");
      return authorize(
        authorizeItemOf(claimsOf(credential), digest, message, requestId),
        requestId,
      );
    },
    /** Asks policy about a read that nobody signed. */
    decide({ vaultId, principalId }: Identity, requestDigest: Uint8Array, secretIds: string[]) {
      const requestId = newId("req");
      const asked = create(ReadSecretsRequestSchema, { secretIds });
      return authorize(
        authorizeItemOf({ vaultId, principalId }, requestDigest, asked, requestId),
        requestId,
      );
    },
    append: audit.append,
    /** Reads as an honest gateway does, except where it cheats. */
    async read(signed: Signed<ReadSecretsRequest>, cheat: ReadCheat = {}): Promise<ReadOutcome> {
      const requestId = newId("req");
      const { item, decision } = await prepare(signed, cheat, requestId);
      if (decision.refusal) return { requestId, verdict: `policy: ${told(decision.refusal)}` };
      await cheat.open?.(item);
      const [outcome] = await openAll([item], requestId);
      return outcome ?? { requestId, verdict: "nothing" };
    },
    /** Hands a request to an owner of public methods; says how it was met, or gives the answer. */
    async forward(
      owner: "identity" | "policy" | "secrets" | "audit",
      { keyId, signedRequest }: Pick<Signed, "keyId" | "signedRequest">,
      credential?: Credential | "none",
      requestId = newId("req"),
    ): Promise<Forwarded> {
      const given = credential ?? (keyId.startsWith("key:") ? "none" : await credentialOf(keyId));
      const evidence = given === "none" ? {} : { credential: given };
      const request = { signedRequest, ...evidence, sourceIp, client, requestId };
      const headers = { "sallyport-request-id": requestId };
      const call = thief.client(ForwardService, owner).forward(request, { headers });
      const verdict = await verdictOf(call);
      if (verdict !== "answered") return { verdict, requestId };
      const { result, answer } = await call;
      if (!answer) return { verdict: "not signed", requestId };
      if (result.case === "refusal")
        return { verdict: told(result.value), refusal: result.value, answer, requestId };
      return result.case === "response"
        ? { verdict: "answered", response: result.value, answer, requestId }
        : { verdict: "nothing", requestId };
    },
    [Symbol.dispose]: () => thief[Symbol.dispose](),
  };
}

/** What a credential says; nobody checked it. */
export function claimsOf({ payload }: Credential): CredentialClaims {
  return fromBinary(CredentialClaimsSchema, payload);
}

// The claims that go with what the gateway says: it can make up any.
function claimsFor({ vaultId, machineId }: AuthorizeItem): CredentialClaims {
  return create(CredentialClaimsSchema, {
    principalId: machineId,
    kind: PrincipalKind.MACHINE,
    vaultId,
    publicKey: new Uint8Array(32),
    keyId: machineId,
    issuedAt: timestampNow(),
    expiresAt: timestampNow(),
    serial: new Uint8Array(16),
  });
}

/** What an honest gateway asks policy about a read. */
export function authorizeItemOf(
  { vaultId, principalId }: Pick<CredentialClaims, "vaultId" | "principalId">,
  requestDigest: Uint8Array,
  asked: ReadSecretsRequest,
  requestId: string,
): AuthorizeItem {
  return create(AuthorizeItemSchema, {
    requestDigest,
    vaultId,
    machineId: principalId,
    sourceIp,
    client,
    purpose: Purpose.READ,
    secretIds: [...asked.secretIds],
    projectId: asked.projectId,
    allGranted: asked.allGranted,
    requestedVersion: asked.version,
    allOrNothing: asked.allOrNothing,
    sealed: asked.recipient !== undefined,
    pageToken: asked.pageToken,
    requestId,
  });
}
