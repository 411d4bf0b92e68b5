import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { enroll, openSallyport } from "@sallyport/client";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { type Field, lifetime, newToken } from "../field.ts";
import { type Signed, signAs } from "../../system/signed.ts";
import { type Stage, askFor } from "./stage.ts";

type Change = { readonly owner: "identity" | "policy" | "secrets"; readonly action: string };

/**
 * One change of each owner of changes, signed by the vault's owner; made twice, it would leave two
 * records.
 */
const changes: readonly (Change & {
  readonly name: string;
  readonly sign: (field: Field, clock?: () => number) => Signed;
})[] = [
  {
    name: "secrets: a project",
    owner: "secrets",
    action: "project.created",
    sign: ({ owner }, clock) =>
      signAs(owner, ProjectService.method.createProject, { name: newName() }, clock),
  },
  {
    name: "policy: a membership taken away",
    owner: "policy",
    action: "membership.removed",
    sign: ({ owner, neighbour, projectId }, clock) => {
      const membership = { machineId: neighbour.principalId, projectId };
      return signAs(owner, MembershipService.method.removeMembership, membership, clock);
    },
  },
  {
    name: "identity: a login code",
    owner: "identity",
    action: "login_code.created",
    sign({ owner }, clock) {
      const code = {
        codeKeySha256: createHash("sha256").update(newName()).digest(),
        role: Role.AUDITOR,
      };
      return signAs(owner, UserService.method.createLoginCode, { ...code, lifetime }, clock);
    },
  },
];

const newName = () => `made-${randomBytes(6).toString("hex")}`;

/** A read with all that crypto wants, kept back by the gateway. */
async function hold({ field, cheat }: Stage) {
  const requestId = newId("req");
  const signed = askFor(field.machine, { secretIds: field.granted, allOrNothing: true });
  const { item } = await cheat.prepare(signed, {}, requestId);
  return { signed, item, requestId, sinceMs: Date.now() };
}

/**
 * The attacks that use what was good once, or is good no longer. Returns one for later: it uses
 * what was held back meanwhile.
 */
export function describeReplays(stage: () => Stage): () => void {
  let held: Awaited<ReturnType<typeof hold>> | undefined;

  describe("replaying a read", () => {
    test("decided anew, a request that was read is not opened again", async () => {
      const { field, cheat } = stage();
      const signed = askFor(field.machine, { secretIds: field.granted, allOrNothing: true });
      expect((await cheat.read(signed)).verdict).toBe("opened");
      const again = await cheat.read(signed);
      expect(again.verdict).toBe("ALREADY_RECORDED");
      expect(await field.ledger.refusalsOf("crypto", again.requestId)).toContain(
        "already recorded",
      );
      expect((await field.ledger.of(signed.digest)).map(({ secret_id }) => secret_id)).toEqual(
        field.granted,
      );
      const anew = askFor(field.machine, { secretIds: field.granted, allOrNothing: true });
      expect((await cheat.read(anew)).verdict).toBe("opened");
    });

    test("of eight at once, one is opened", async () => {
      const { field, cheat } = stage();
      const signed = askFor(field.machine, { secretIds: field.granted, allOrNothing: true });
      const verdicts = await Promise.all(Array.from({ length: 8 }, () => cheat.read(signed)));
      expect(verdicts.map(({ verdict }) => verdict).sort()).toEqual([
        ...Array.from({ length: 7 }, () => "ALREADY_RECORDED"),
        "opened",
      ]);
      expect(await field.ledger.of(signed.digest)).toHaveLength(field.granted.length);
    });

    test("a request held back past its window is not opened, decided now or not", async () => {
      const { field, cheat } = stage();
      const old = askFor(field.machine, { secretIds: field.granted }, () => Date.now() - 70_000);
      const refused = await cheat.read(old);
      expect(refused.verdict).toBe("EVIDENCE_INVALID created");
      const said = await field.ledger.refusalsOf("crypto", refused.requestId);
      expect(said).toContain("created: it is outside the window");
      expect(await field.ledger.of(old.digest)).toEqual([]);
      const young = askFor(field.machine, { secretIds: field.granted }, () => Date.now() - 40_000);
      expect((await cheat.read(young)).verdict).toBe("opened");
    });

    test("a permit that is used at once is good", async () => {
      const { field, cheat } = stage();
      held = await hold(stage());
      const { item, requestId } = await hold(stage());
      expect((await cheat.openAll([item], requestId)).map(({ verdict }) => verdict)).toEqual([
        "opened",
      ]);
      expect(await field.ledger.of(held.signed.digest)).toEqual([]);
    });
  });

  describe.each(changes)("replaying a change: $name", ({ owner, action, sign }) => {
    test("is made once, and its repetition is on record", async () => {
      const { field, cheat } = stage();
      const begin = await field.ledger.end();
      const signed = sign(field);
      expect((await cheat.forward(owner, signed)).verdict).toBe("answered");
      expect((await cheat.forward(owner, signed)).verdict).toBe("REQUEST_REJECTED");
      expect(await field.ledger.since(begin, action)).toHaveLength(1);
      const replays = () => field.ledger.since(begin, "mutation.replayed");
      await expect.poll(replays, { timeout: 5_000 }).toMatchObject([
        {
          emitter: owner,
          reason: "REQUEST_REJECTED",
          actor_id: field.owner.principalId,
          detail: { path: signed.signedRequest.path, count: "1" },
        },
      ]);
    });

    test("eight at once: it is made once", async () => {
      const { field, cheat } = stage();
      const begin = await field.ledger.end();
      await restoreMembership(field, owner);
      const signed = sign(field);
      const all = await Promise.all(Array.from({ length: 8 }, () => cheat.forward(owner, signed)));
      expect(
        all.map(({ verdict }) => verdict).filter((verdict) => verdict === "answered"),
      ).toHaveLength(1);
      expect(await field.ledger.since(begin, action)).toHaveLength(1);
      await restoreMembership(field, owner);
    });

    test("held back past its window it is not made", async () => {
      const { field, cheat } = stage();
      const begin = await field.ledger.end();
      const held = sign(field, () => Date.now() - 70_000);
      expect((await cheat.forward(owner, held)).verdict).toBe("EVIDENCE_INVALID created");
      expect(await field.ledger.since(begin, action, "mutation.replayed")).toEqual([]);
    });
  });

  test("what it gives: a change that was refused may be tried again while its signature is fresh", async () => {
    const { field, cheat } = stage();
    const name = newName();
    const { project } = await field.admin.services.projects.createProject({ name });
    const signed = signAs(field.owner, ProjectService.method.createProject, { name });
    expect((await cheat.forward("secrets", signed)).verdict).toBe("ALREADY_EXISTS name");
    await field.admin.services.projects.deleteProject({
      projectId: project?.projectId ?? "",
      name,
    });
    expect((await cheat.forward("secrets", signed)).verdict).toBe("answered");
    expect((await cheat.forward("secrets", signed)).verdict).toBe("REQUEST_REJECTED");
  });

  test("the credential of a machine that was revoked opens nothing new, for as long as it is kept", async () => {
    const { field, cheat } = stage();
    const machine = await enroll(field.deployment.endpoint, await newToken(field), {
      name: newName(),
    });
    const ask = () => askFor(machine, { secretIds: field.granted, allOrNothing: true });
    const credential = await cheat.credentialOf(machine.keyId);
    const [before, after] = [ask(), ask()];
    const requestId = newId("req");
    const held = await cheat.prepare(before, {}, requestId);
    await field.admin.services.machines.revokeMachine({ machineId: machine.principalId });

    await expect(cheat.credentialOf(machine.keyId)).rejects.toThrow("vouches for no");
    const decision = await cheat.authorizeAs(credential, after);
    expect(decision.permit).toBeUndefined();
    expect(await field.ledger.of(after.digest)).toMatchObject([
      {
        emitter: "policy",
        action: "secret.read.denied",
        reason: "MACHINE_DISABLED",
        refused: field.granted.map((secretId) => [secretId, "MACHINE_DISABLED"]),
      },
    ]);
    // Decided before: it opens within its ten seconds, once, and for no other request.
    const moved = { ...held.item, signedRequest: after.signedRequest, requestDigest: after.digest };
    const outcomes = await cheat.openAll([moved, held.item], requestId);
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(["EVIDENCE_INVALID permit", "opened"]);
  });

  test("a grant that was taken away is gone in the very next decision", async () => {
    const { field, cheat } = stage();
    const machine = await enroll(field.deployment.endpoint, await newToken(field), {
      name: newName(),
    });
    const [secretId = ""] = field.granted;
    const ask = () => askFor(machine, { secretIds: [secretId] });
    expect((await cheat.read(ask())).verdict).toBe("opened");
    await field.admin.services.grants.removeGrant({ machineId: machine.principalId, secretId });
    const after = ask();
    expect((await cheat.read(after)).verdict).toBe("policy: NOT_GRANTED");
    expect(await field.ledger.of(after.digest)).toMatchObject([
      { action: "secret.read.denied", reason: "NOT_GRANTED", secret_id: secretId },
    ]);
    const reader = openSallyport(field.machine);
    expect(await reader.read({ secretIds: [secretId] })).toHaveLength(1);
    reader.close();
  });

  return () =>
    test("a permit, and a slip, that was held back is good for ten seconds", async () => {
      const { field, cheat } = stage();
      const { item, signed, requestId, sinceMs } = (held ??= await hold(stage()));
      await sleep(Math.max(0, sinceMs + 10_200 - Date.now()));
      const [late] = await cheat.openAll([item], requestId);
      expect(late?.verdict).toBe("EVIDENCE_INVALID permit");
      expect(await field.ledger.refusalsOf("crypto", requestId)).toContain("permit: it is expired");

      const halfLateId = newId("req");
      const { item: renewed } = await cheat.prepare(signed, {}, halfLateId);
      renewed.secrets = item.secrets;
      const [halfLate] = await cheat.openAll([renewed], halfLateId);
      expect(halfLate?.verdict).toBe("EVIDENCE_INVALID slip");
      expect(await field.ledger.refusalsOf("crypto", halfLateId)).toContain("slip: it is expired");
      expect(await field.ledger.of(signed.digest)).toEqual([]);
      expect((await cheat.read(signed)).verdict).toBe("opened");
    });
}

async function restoreMembership(
  { admin, neighbour, projectId, ids }: Field,
  owner: string,
): Promise<void> {
  if (owner !== "policy") return;
  const machineId = neighbour.principalId;
  await admin.services.memberships.addMembership({ machineId, projectId });
  await admin.services.grants.addGrant({ machineId, secretId: ids["OTHER"] ?? "" });
}
