import { randomBytes } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { type Identity, createSigner, newSeed } from "@sallyport/client";
import { access, mayCall } from "@sallyport/roles";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Role, PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { type Signed, signAs, signWith } from "../../system/signed.ts";
import type { Stage } from "./stage.ts";

type Owner = "identity" | "policy" | "secrets" | "audit";

const owners = [
  { owner: "identity", services: [EnrollmentService, MachineService, UserService, VaultService] },
  {
    owner: "policy",
    services: [GrantService, MembershipService, ProjectRoleService, SealingService],
  },
  { owner: "secrets", services: [ProjectService, SecretService] },
  { owner: "audit", services: [AuditService] },
] as const;

const methods: readonly {
  readonly owner: Owner;
  readonly method: DescMethod;
  readonly path: string;
}[] = owners.flatMap(({ owner, services }) =>
  services
    .flatMap(({ methods: all }): readonly DescMethod[] => all)
    .map((method) => ({ owner, method, path: `/${method.parent.typeName}/${method.name}` })),
);

const machine = { kind: PrincipalKind.MACHINE, role: Role.UNSPECIFIED };

/**
 * A look-up of each owner that any machine or user of the right role may sign, with what it
 * answers.
 */
const listings: readonly {
  readonly owner: Owner;
  readonly method: DescMethod;
  readonly init: (field: Field) => Record<string, unknown>;
}[] = [
  { owner: "identity", method: MachineService.method.listMachines, init: () => ({}) },
  {
    owner: "policy",
    method: MembershipService.method.listMembershipsByMachine,
    init: ({ machine: { principalId } }) => ({ machineId: principalId }),
  },
  { owner: "secrets", method: ProjectService.method.listProjects, init: () => ({}) },
  { owner: "audit", method: AuditService.method.listRecords, init: () => ({}) },
];

/** The attacks that show an owner somebody else's evidence, or none. */
export function describeEvidence(stage: () => Stage): void {
  test("no owner of public methods is left out", () => {
    const reads = ReadService.methods.map(({ name }) => `/${ReadService.typeName}/${name}`);
    expect(methods.map(({ path }) => path).sort()).toEqual(
      [...access.keys()].filter((path) => !reads.includes(path)).sort(),
    );
  });

  describe("a machine's true signature over what only people may do", () => {
    const refused = methods.filter(({ path }) => !mayCall(path, machine));
    test.each(refused)("$path", async ({ owner, method }) => {
      const { field, cheat } = stage();
      const { verdict } = await cheat.forward(owner, signAs(field.machine, method, {}));
      expect(verdict).toBe("ROLE_REQUIRED");
    });
  });

  describe("a stranger's key over what only the enrolled may do", () => {
    const refused = methods.filter(({ path }) => !mayCall(path, undefined));
    test.each(refused)("$path", async ({ owner, method }) => {
      const { cheat } = stage();
      expect((await cheat.forward(owner, byStranger(stage(), method))).verdict).toBe(
        "EVIDENCE_INVALID role",
      );
    });
  });

  describe.each(listings)("evidence of somebody else, to $owner", ({ owner, method, init }) => {
    const signed = ({ field }: Stage): Signed => signAs(field.owner, method, init(field));
    // Each is a listing: it leaves no record when it is answered, and none when it is refused; the
    // owner logs and counts.
    const cases: readonly {
      readonly name: string;
      readonly verdict: string;
      readonly show: (given: Stage, request: Signed) => Promise<string>;
    }[] = [
      {
        name: "the credential of a machine",
        verdict: "EVIDENCE_INVALID binding",
        show: (given, request) => withCredentialOf(given, owner, request, given.field.machine),
      },
      {
        name: "the credential of another vault's owner",
        verdict: "EVIDENCE_INVALID binding",
        show: (given, request) =>
          withCredentialOf(given, owner, request, given.field.foreign.owner),
      },
      {
        name: "no credential",
        verdict: "EVIDENCE_INVALID credential",
        show: async ({ cheat }, request) => (await cheat.forward(owner, request, "none")).verdict,
      },
      {
        name: "a body that was exchanged",
        verdict: "EVIDENCE_INVALID content-digest",
        show: async ({ cheat }, { keyId, signedRequest }) =>
          (
            await cheat.forward(owner, {
              keyId,
              signedRequest: { ...signedRequest, body: randomBytes(8) },
            })
          ).verdict,
      },
      {
        name: "another path of the same owner",
        verdict: "EVIDENCE_INVALID signature",
        show: async ({ cheat }, { keyId, signedRequest }) =>
          (
            await cheat.forward(owner, {
              keyId,
              signedRequest: { ...signedRequest, path: elsewhere(owner, signedRequest.path) },
            })
          ).verdict,
      },
      {
        name: "another deployment's request",
        verdict: "EVIDENCE_INVALID authority",
        async show({ cheat, field }) {
          const seed = Buffer.from(field.owner.seed, "base64");
          const away = signWith(
            createSigner(seed, field.owner.keyId),
            "elsewhere.test:8443",
            method,
            {},
          );
          return (await cheat.forward(owner, away)).verdict;
        },
      },
    ];
    test.each(cases)("$name", async ({ show, verdict }) => {
      const given = stage();
      const request = signed(given);
      const before = await given.field.ledger.end();
      expect(await show(given, request)).toBe(verdict);
      expect(await given.field.ledger.end()).toBe(before);
      expect((await given.cheat.forward(owner, request)).verdict).toBe("answered");
    });

    test("a request that another owner should get", async () => {
      const given = stage();
      for (const other of listings.filter((candidate) => candidate.owner !== owner)) {
        const { verdict } = await given.cheat.forward(other.owner, signed(given));
        expect(verdict, `${owner} → ${other.owner}`).toBe("EVIDENCE_INVALID path");
      }
    });
  });
}

function byStranger({ field }: Stage, method: DescMethod): Signed {
  return signWith(createSigner(newSeed()), new URL(field.machine.url).host, method, {});
}

async function withCredentialOf(
  { cheat }: Stage,
  owner: Owner,
  request: Signed,
  { keyId }: Identity,
): Promise<string> {
  return (await cheat.forward(owner, request, await cheat.credentialOf(keyId))).verdict;
}

function elsewhere(owner: Owner, path: string): string {
  return (
    methods.find((candidate) => candidate.owner === owner && candidate.path !== path)?.path ?? ""
  );
}
