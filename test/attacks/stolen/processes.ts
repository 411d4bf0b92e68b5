import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { processes } from "@sallyport/deploy/local";
import { newEvent } from "@sallyport/proto/catalogue";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { authorizeItemOf } from "../gateway/cheat.ts";
import { poseAs, verdictOf } from "../../system/mesh.ts";
import { foundIn, folderOf, secretBytes } from "./alone.ts";

const thieves = ["policy", "secrets", "audit", "crypto"] as const;

/**
 * What each process has on disk, besides its certificate, its key, the authority and the keyset.
 */
const own = {
  gateway: ["edge.key", "edge.pem", "redis.url"],
  identity: ["answer.key", "credential.key", "database.url"],
  policy: ["answer.key", "database.url", "permit.key"],
  secrets: ["answer.key", "database.url", "slip.key"],
  audit: ["answer.key", "database.url", "log.key"],
  crypto: ["kek.key", "keyring.bin"],
} as const;

/** What every stolen process is without, whatever it does. */
export function describeProcesses(field: () => Field): void {
  describe.each(thieves)("%s, stolen", (name) => {
    test("may neither open, nor fetch, nor decide, nor forward, nor make a machine", async () => {
      const { system, machine, granted } = field();
      using thief = poseAs(system, name);
      const asked = create(ReadSecretsRequestSchema, { secretIds: granted });
      const read = authorizeItemOf(machine, randomBytes(32), asked, newId("req"));
      const calls = {
        open: () => thief.client(OpenService, "crypto").open({}),
        fetch: () => thief.client(FetchService, "secrets").fetch({}),
        authorize: () => thief.client(AuthorizationService, "policy").authorize({ items: [read] }),
        resolveKeys: () => thief.client(KeyService, "identity").resolveKeys({}),
        applyScope: () => thief.client(ScopeService, "policy").applyScope({}),
        forward: () => thief.client(ForwardService, "secrets").forward({}),
      };
      for (const [call, make] of Object.entries(calls))
        expect(await verdictOf(make()), call).toBe("PEER_NOT_ALLOWED");
      const seal = verdictOf(thief.client(SealService, "crypto").seal({}));
      expect(await seal).toBe(
        name === "secrets" ? "FIELD_INVALID signed_request" : "PEER_NOT_ALLOWED",
      );
    });
  });

  test.each(processes)("%s, stolen: has these files, and no value in them", (name) => {
    const folder = folderOf(field().system, name);
    const common = [`${name}.key`, `${name}.pem`, "ca.pem", "keyset.bin"];
    expect([...folder.keys()].sort()).toEqual([...common, ...own[name]].sort());
    const bytes = Buffer.concat([...folder.values()]);
    expect(foundIn(bytes, secretBytes(field()))).toEqual([]);
    const kek = folderOf(field().system, "crypto").get("kek.key")?.toString().trim() ?? "";
    expect(kek.length).toBeGreaterThan(40);
    expect(bytes.includes(kek.split(" ").at(-1) ?? kek)).toBe(name === "crypto");
  });

  test("crypto, stolen: what it gives: records of reads that never were", async () => {
    const { system, ledger, machine, granted } = field();
    using thief = poseAs(system, "crypto");
    const requestDigest = randomBytes(32);
    const event = newEvent("crypto", "secret.read", {
      actorKind: ActorKind.MACHINE,
      actorId: machine.principalId,
      machineId: machine.principalId,
      vaultId: machine.vaultId,
      secretId: granted[0] ?? "",
      requestDigest,
      decisionId: newId("dec"),
      attemptId: randomBytes(16),
    });
    await thief.client(AppendService, "audit").append({ events: [event] });
    expect(await ledger.of(requestDigest)).toMatchObject([
      { emitter: "crypto", action: "secret.read" },
    ]);
  });
}
