import { create } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadableSecret,
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { type Secret, SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { toSallyportError } from "./errors.ts";
import type { Identity } from "./identity.ts";
import { type TrustedKeys, verifyKeyset } from "./keyset.ts";
import { type OpenedReply, type ReadResult, openReply } from "./reply.ts";
import { createRecipient, sealValue } from "./seal.ts";
import { createSigner } from "./signer.ts";
import { createSignedTransport, requestDigestHeader } from "./transport.ts";

/** What to read: named secrets (one of them in an older version, if wished), a project, or everything granted. */
export type ReadTarget =
  | { readonly secretIds: readonly string[]; readonly version?: number }
  | { readonly projectId: string }
  | { readonly allGranted: true };

/** A client that acts as one principal. Every method throws a SallyportError. */
export type Sallyport = {
  /** Reads secrets in one signed request a page, sealed to a key of this call, and verifies the reply. */
  read(target: ReadTarget, options?: { readonly allOrNothing?: boolean }): Promise<ReadResult[]>;
  /** Names what this machine may read. */
  listReadable(projectId?: string): Promise<ReadableSecret[]>;
  /** Makes a secret with its first value, sealed before it is sent. */
  createSecret(secret: NewSecret): Promise<Secret>;
  /** Stores a new value if `expectedVersion` is still the current one. */
  addVersion(version: NewVersion): Promise<Secret>;
  /** The public services as generated clients over the same signed transport. */
  readonly services: Services;
  readonly close: () => void;
};

/**
 * A secret to make. `projectName` is the project's name as the user means it: the value is sealed for it, so that it opens
 * nowhere else should the gateway have lied about the id.
 */
export type NewSecret = {
  readonly projectId: string;
  readonly projectName: string;
  readonly name: string;
  readonly plaintext: Uint8Array;
  readonly kind?: ValueKind;
  readonly allowDangerousName?: boolean;
};

/** A value to store in a secret that exists; both names are as the user means them (see NewSecret). */
export type NewVersion = {
  readonly secretId: string;
  readonly name: string;
  readonly projectId: string;
  readonly projectName: string;
  readonly expectedVersion: number;
  readonly plaintext: Uint8Array;
  readonly kind?: ValueKind;
};

/** Generated clients of the public services. */
export type Services = {
  readonly enrollment: Client<typeof EnrollmentService>;
  readonly machines: Client<typeof MachineService>;
  readonly users: Client<typeof UserService>;
  readonly vaults: Client<typeof VaultService>;
  readonly grants: Client<typeof GrantService>;
  readonly memberships: Client<typeof MembershipService>;
  readonly projects: Client<typeof ProjectService>;
  readonly secrets: Client<typeof SecretService>;
  readonly audit: Client<typeof AuditService>;
};

/** Opens a client for an identity over the Connect or the gRPC protocol. */
export function openSallyport(identity: Identity, protocol: "connect" | "grpc" = "connect"): Sallyport {
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId);
  const endpoint = { url: identity.url, ...(identity.ca === undefined ? {} : { ca: identity.ca }) };
  const { transport, close } = createSignedTransport(endpoint, signer, protocol);
  const reads = createClient(ReadService, transport);
  const secrets = createClient(SecretService, transport);
  let keyset: TrustedKeys | undefined;

  async function trustedKeys(): Promise<TrustedKeys> {
    if (keyset && Date.now() < keyset.notAfterMs) return keyset;
    const answer = await reads.getKeyset({});
    keyset = verifyKeyset(answer.keyset, identity.rootFingerprint, Date.now(), keyset?.epoch);
    return keyset;
  }

  async function readPage(
    target: ReadTarget,
    allOrNothing: boolean,
    pageToken: string,
  ): Promise<OpenedReply> {
    const [keys, recipient] = await Promise.all([trustedKeys(), createRecipient()]);
    const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
    const wanted =
      "secretIds" in target ? { secretIds: [...target.secretIds], version: target.version ?? 0 } : target;
    const request = create(ReadSecretsRequestSchema, {
      ...wanted,
      allOrNothing,
      pageToken,
      recipient: { suite, publicKey: recipient.publicKey },
    });
    let requestDigest = new Uint8Array();
    const onHeader = (header: Headers): void => {
      requestDigest = new Uint8Array(Buffer.from(header.get(requestDigestHeader) ?? "", "base64"));
    };
    const response = await reads.readSecrets(request, { onHeader });
    const asked = { secretIds: request.secretIds, version: request.version, requestDigest };
    return openReply(response, asked, keys, recipient);
  }

  return {
    read: guarded(
      async (target: ReadTarget, { allOrNothing = true }: { readonly allOrNothing?: boolean } = {}) => {
        const results: ReadResult[] = [];
        let pageToken = "";
        do {
          const page = await readPage(target, allOrNothing, pageToken);
          results.push(...page.results);
          pageToken = page.nextPageToken;
        } while (pageToken !== "");
        return results;
      },
    ),
    listReadable: guarded(async (projectId = "") => {
      const found: ReadableSecret[] = [];
      let pageToken = "";
      do {
        const page = await reads.listReadableSecrets({ projectId, pageToken });
        found.push(...page.secrets);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return found;
    }),
    createSecret: guarded(
      async ({
        projectId,
        projectName,
        name,
        plaintext,
        kind = ValueKind.SINGLE,
        allowDangerousName = false,
      }: NewSecret) => {
        const secretId = newId("sec");
        const target = {
          vaultId: identity.vaultId,
          projectId,
          secretId,
          expectedVersion: 0,
          principalId: identity.principalId,
          projectName,
          secretName: name,
        };
        const value = await sealValue(plaintext, kind, target, await trustedKeys());
        const { secret } = await secrets.createSecret({
          secretId,
          projectId,
          name,
          value,
          allowDangerousName,
        });
        return stored(secret);
      },
    ),
    addVersion: guarded(
      async ({
        secretId,
        name,
        projectId,
        projectName,
        expectedVersion,
        plaintext,
        kind = ValueKind.SINGLE,
      }: NewVersion) => {
        const target = {
          vaultId: identity.vaultId,
          projectId,
          secretId,
          expectedVersion,
          principalId: identity.principalId,
          projectName,
          secretName: name,
        };
        const value = await sealValue(plaintext, kind, target, await trustedKeys());
        const { secret } = await secrets.addVersion({ secretId, projectId, expectedVersion, value });
        return stored(secret);
      },
    ),
    services: {
      enrollment: createClient(EnrollmentService, transport),
      machines: createClient(MachineService, transport),
      users: createClient(UserService, transport),
      vaults: createClient(VaultService, transport),
      grants: createClient(GrantService, transport),
      memberships: createClient(MembershipService, transport),
      projects: createClient(ProjectService, transport),
      secrets,
      audit: createClient(AuditService, transport),
    },
    close,
  };
}

function stored(secret: Secret | undefined): Secret {
  if (!secret) throw new Error("the server described no secret");
  return secret;
}

function guarded<A extends unknown[], R>(run: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return (...args) =>
    run(...args).catch((error: unknown) => {
      throw toSallyportError(error);
    });
}
