import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { openPermit } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type AuthorizeItem,
  type AuthorizeResult,
  Purpose,
  SecretDecisionSchema,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  claimsOf as claimsOfMachine,
  readOf,
  scopeOf,
  startTestPolicy,
  testStartMs,
} from "../testing/policy.ts";

let policy: TestPolicy;
let project: TestProject;
let machineId: string;
let first: string;
let second: string;
let ungranted: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.time.nowMs = testStartMs;
  policy.audit.down = false;
  project = await addTestProject(policy, 3);
  [first = "", second = "", ungranted = ""] = project.secretIds;
  const scope = scopeOf(project, [first, second]);
  machineId = scope.machineId;
  await policy.scope.applyScope(scope);
  policy.audit.events.length = 0;
});

const notGranted = (secretId: string) => ({
  reason: Reason.NOT_GRANTED,
  metadata: { secret_id: secretId },
  nextStep: "ask an admin of the vault to grant it",
});

type Item = Partial<Omit<AuthorizeItem, "$typeName" | "$unknown">>;

async function decide(changes: Item): Promise<AuthorizeResult> {
  const { vaultId = project.vaultId, machineId: asking = machineId } = changes;
  const item = { ...readOf(vaultId, asking, []), ...changes };
  const { results } = await policy.authorization.authorize({ items: [item] });
  const [result] = results;
  if (!result) throw new Error("no result");
  expect(result.requestDigest).toEqual(item.requestDigest);
  return result;
}

function claimsOf({ permit }: AuthorizeResult) {
  if (!permit) throw new Error("no permit");
  return openPermit(permit, policy.permitKeys, policy.time.nowMs);
}

describe("a read of named secrets", () => {
  test("is permitted for what was granted, for ten seconds, bound to request, machine and vault", async () => {
    const requestDigest = new Uint8Array(32).fill(9);
    const result = await decide({ secretIds: [second, first], requestDigest });
    expect(result.refusal).toBeUndefined();
    const claims = claimsOf(result);
    expect(claims).toMatchObject({
      machineId,
      vaultId: project.vaultId,
      requestDigest,
      policyVersion: 4,
    });
    expect(claims).toMatchObject({
      projectId: "",
      allGranted: false,
      pageToken: "",
      nextPageToken: "",
    });
    expect(claims.sealedOnly).toBe(false);
    expect(claims.decisionId).toBe(result.decisionId);
    expect(claims.secrets.map(({ secretId }) => secretId)).toEqual([second, first]);
    expect(claims.secrets.every(({ refusal }) => refusal === undefined)).toBe(true);
    if (!claims.expiresAt) throw new Error("no expiry");
    expect(timestampMs(claims.expiresAt)).toBe(testStartMs + 10_000);
    expect(policy.audit.events).toEqual([]);
  });

  test("of a named version is permitted by a grant of any version, and carries the version", async () => {
    const scope = { ...scopeOf(project, [first]), anyVersion: true };
    await policy.scope.applyScope(scope);
    const claims = claimsOf(
      await decide({ machineId: scope.machineId, secretIds: [first], requestedVersion: 3 }),
    );
    expect(claims.secrets[0]?.requestedVersion).toBe(3);
  });

  test("of a named version is refused when the grant is of the current one; the record says which", async () => {
    const result = await decide({ secretIds: [first], requestedVersion: 3 });
    expect(result.permit).toBeUndefined();
    expect(result.refusal).toMatchObject({
      reason: Reason.NOT_GRANTED,
      metadata: { secret_id: first },
    });
    expect(policy.audit.events).toMatchObject([
      {
        action: "secret.read.denied",
        reason: "NOT_GRANTED",
        secretId: first,
        secretVersion: 3,
        detail: { selector: "3" },
      },
    ]);
    expect((await decide({ secretIds: [first], requestedVersion: 0 })).permit).toBeDefined();
  });

  test("of a project in a named version permits what its grants reach, and lists the rest as refused", async () => {
    const { vaultId, projectId } = project;
    const owner = newUser(vaultId);
    await policy.call(owner, GrantService.method.addGrant, {
      machineId,
      secretId: second,
      anyVersion: true,
    });
    const claims = claimsOf(await decide({ projectId, requestedVersion: 1 }));
    expect(claims.secrets.map(({ secretId, refusal }) => [secretId, refusal?.reason])).toEqual([
      [first, Reason.NOT_GRANTED],
      [second, undefined],
    ]);
  });

  test("in part: the permit lists the refused too, and each refusal is in the log before the answer", async () => {
    const unknown = newId("sec");
    const result = await decide({ secretIds: [first, unknown, ungranted] });
    const claims = claimsOf(result);
    expect(claims.secrets).toMatchObject([
      { secretId: first, projectId: project.projectId },
      { secretId: unknown, projectId: "", refusal: notGranted(unknown) },
      { secretId: ungranted, refusal: notGranted(ungranted) },
    ]);
    expect(claims.secrets[0]?.refusal).toBeUndefined();
    expect(result.secrets.map(({ refusal }) => refusal)).toEqual(
      claims.secrets.map(({ refusal }) => refusal),
    );
    const denied = {
      action: "secret.read.denied",
      reason: "NOT_GRANTED",
      machineId,
      decisionId: result.decisionId,
    };
    // What exists is listed first, or made-up names could push it out of the list.
    expect(policy.audit.events).toMatchObject([
      {
        ...denied,
        secretId: "",
        projectId: "",
        refused: [
          { secretId: ungranted, reason: "NOT_GRANTED" },
          { secretId: unknown, reason: "NOT_GRANTED" },
        ],
        sourceIp: "192.0.2.1",
        client: "sallyport-cli/0.1.0",
        detail: { selector: "current", secrets: "2" },
      },
    ]);
  });

  test("with claims of no credential, or of another machine's, is refused", async () => {
    for (const claims of [undefined, claimsOfMachine(project.vaultId, newId("mch"))]) {
      const read = readOf(project.vaultId, machineId, [first]);
      const { claims: _, ...unclaimed } = read;
      const item = claims ? { ...read, claims } : unclaimed;
      const { results } = await policy.authorization.authorize({ items: [item] });
      expect(results[0]?.permit).toBeUndefined();
      expect(results[0]?.refusal?.reason).toBe(Reason.NOT_GRANTED);
    }
  });

  test("all or nothing: one refusal refuses the item; only the refused secret is recorded", async () => {
    const result = await decide({ secretIds: [first, ungranted], allOrNothing: true });
    expect(result.permit).toBeUndefined();
    expect(result.refusal).toMatchObject({
      reason: Reason.NOT_GRANTED,
      metadata: { secret_id: ungranted },
    });
    expect(policy.audit.events.map(({ secretId }) => secretId)).toEqual([ungranted]);
  });

  test("nothing allowed refuses the item with the first reason", async () => {
    const result = await decide({ secretIds: [ungranted] });
    expect(result.permit).toBeUndefined();
    expect(result.refusal?.reason).toBe(Reason.NOT_GRANTED);
  });

  test("a denial that cannot be recorded is unavailable, though another secret is allowed", async () => {
    policy.audit.down = true;
    policy.logged.length = 0;
    const requestId = newId("req");
    const result = await decide({ secretIds: [first, ungranted], requestId });
    expect(result.permit).toBeUndefined();
    expect(result.refusal?.reason).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    expect(result.secrets).toEqual([]);
    expect(policy.logged).toMatchObject([
      {
        msg: "denial not recorded",
        err: { message: "[unavailable] the log is away" },
        decision_id: result.decisionId,
        request_id: requestId,
      },
    ]);
  });

  test("a secret of another vault and one that does not exist are refused alike", async () => {
    const other = await addTestProject(policy, 1);
    const [foreign = ""] = other.secretIds;
    const absent = newId("sec");
    const known = await decide({ secretIds: [foreign] });
    const unknown = await decide({ secretIds: [absent] });
    // To the letter, but for the id that was asked for.
    const said = ({ secrets, refusal }: AuthorizeResult, id: string) =>
      [...secrets.map((one) => toJsonString(SecretDecisionSchema, one)), refusal?.nextStep]
        .join("\n")
        .replaceAll(id, "ID");
    expect(said(known, foreign)).toBe(said(unknown, absent));
    expect(said(known, foreign)).toContain("NOT_GRANTED");
    expect(known.refusal).toMatchObject(notGranted(foreign));
  });

  test("a machine asking under another vault is a stranger there", async () => {
    const other = await addTestProject(policy, 1);
    const result = await decide({ vaultId: other.vaultId, secretIds: [first, ...other.secretIds] });
    expect(result.refusal?.reason).toBe(Reason.NOT_GRANTED);
    const all = await decide({ vaultId: other.vaultId, allGranted: true });
    expect(all).toMatchObject({ secrets: [], refusal: { reason: Reason.NOT_GRANTED } });
  });

  test("items of a batch are decided by themselves", async () => {
    const good = readOf(project.vaultId, machineId, [first]);
    const bad = readOf(project.vaultId, machineId, [ungranted]);
    const { results } = await policy.authorization.authorize({ items: [bad, good] });
    const byDigest = (digest: Uint8Array) =>
      results.find((result) => Buffer.compare(result.requestDigest, digest) === 0);
    expect(byDigest(good.requestDigest)?.permit).toBeDefined();
    expect(byDigest(bad.requestDigest)?.refusal?.reason).toBe(Reason.NOT_GRANTED);
  });

  test("items of every kind of target go together in a batch, each with its own page", async () => {
    const { vaultId, projectId } = project;
    const named = readOf(project.vaultId, machineId, [ungranted]);
    const ofProject = { ...readOf(vaultId, machineId, []), projectId };
    const none = readOf(vaultId, machineId, []);
    const { results } = await policy.authorization.authorize({ items: [ofProject, none, named] });
    expect(results.map(({ secrets }) => secrets.map(({ secretId }) => secretId))).toEqual([
      [first, second],
      [],
      [ungranted],
    ]);
  });
});

describe("the machine itself", () => {
  test("is refused from the instant of its expiry on", async () => {
    policy.time.nowMs = testStartMs + 3_600_000 - 1;
    expect((await decide({ secretIds: [first] })).permit).toBeDefined();
    policy.time.nowMs += 1;
    const { refusal } = await decide({ secretIds: [first] });
    expect(refusal?.reason).toBe(Reason.MACHINE_EXPIRED);
    expect(refusal?.metadata).toEqual({});
    expect(policy.audit.events).toMatchObject([{ reason: "MACHINE_EXPIRED", secretId: first }]);
  });

  test("is refused while disabled, reads again when active, and never after revocation", async () => {
    const { vaultId } = project;
    const set = (status: PrincipalStatus) =>
      policy.scope.setPrincipalStatus({ vaultId, machineId, status });
    await set(PrincipalStatus.DISABLED);
    expect((await decide({ secretIds: [first] })).refusal?.reason).toBe(Reason.MACHINE_DISABLED);
    await set(PrincipalStatus.ACTIVE);
    expect((await decide({ secretIds: [first] })).permit).toBeDefined();
    await set(PrincipalStatus.REVOKED);
    expect((await decide({ secretIds: [first] })).refusal?.reason).toBe(Reason.MACHINE_DISABLED);
    const all = await decide({ allGranted: true });
    expect(all.refusal?.reason).toBe(Reason.MACHINE_DISABLED);
    expect(policy.audit.events.at(-1)).toMatchObject({ reason: "MACHINE_DISABLED", secretId: "" });
  });
});

describe("a read of what was granted", () => {
  test("of a project finds the granted secrets, and no others", async () => {
    const { projectId } = project;
    const claims = claimsOf(await decide({ projectId }));
    expect(claims).toMatchObject({
      projectId,
      allGranted: false,
      pageToken: "",
      nextPageToken: "",
    });
    expect(claims.secrets.map(({ secretId }) => secretId)).toEqual([first, second]);
  });

  test("that is empty is permitted too, so that crypto signs that it is; nothing is recorded", async () => {
    const empty = await addTestProject(policy, 1);
    const scope = scopeOf(empty, []);
    await policy.scope.applyScope(scope);
    policy.audit.events.length = 0;
    const { vaultId, projectId } = empty;
    for (const target of [{ projectId }, { allGranted: true }]) {
      const result = await decide({ vaultId, machineId: scope.machineId, ...target });
      expect(result.refusal).toBeUndefined();
      expect(claimsOf(result)).toMatchObject({ ...target, secrets: [], nextPageToken: "" });
    }
    expect(policy.audit.events).toEqual([]);
  });

  test("of a project that is another's, or of none, is refused and recorded", async () => {
    const other = await addTestProject(policy, 1);
    for (const projectId of [other.projectId, newId("prj")]) {
      const result = await decide({ projectId });
      expect(result.permit).toBeUndefined();
      expect(result.refusal?.reason).toBe(Reason.NOT_GRANTED);
      expect(policy.audit.events.at(-1)).toMatchObject({
        projectId,
        secretId: "",
        reason: "NOT_GRANTED",
      });
    }
  });

  test("pages by a hundred in the order of ids, without gap or overlap", async () => {
    const large = await addTestProject(policy, 205);
    const scope = scopeOf(large, large.secretIds);
    await policy.scope.applyScope(scope);
    const seen: string[] = [];
    const pages: number[] = [];
    for (let pageToken = ""; pages.length < 4;) {
      const result = await decide({
        vaultId: large.vaultId,
        machineId: scope.machineId,
        allGranted: true,
        pageToken,
      });
      pages.push(result.secrets.length);
      const claims = claimsOf(result);
      expect(claims).toMatchObject({
        allGranted: true,
        pageToken,
        nextPageToken: result.nextPageToken,
      });
      seen.push(...claims.secrets.map(({ secretId }) => secretId));
      pageToken = result.nextPageToken;
      if (pageToken === "") break;
    }
    expect(pages).toEqual([100, 100, 5]);
    expect(seen).toEqual(large.secretIds);
  });

  test("an item that names no target, or two, is refused", async () => {
    const { projectId } = project;
    const unclear: Item[] = [
      {},
      { secretIds: [first], allGranted: true },
      { secretIds: [first], projectId },
      { projectId, allGranted: true },
      { secretIds: [first], projectId, allGranted: true },
    ];
    for (const item of unclear) {
      const { refusal, permit, decisionId } = await decide(item);
      expect(refusal).toMatchObject({
        reason: Reason.FIELD_INVALID,
        metadata: { field: "secret_ids", description: "name exactly one target" },
      });
      expect(permit).toBeUndefined();
      expect(decisionId).toMatch(/^dec_/);
    }
    expect(policy.audit.events).toEqual([]);
  });

  test("is all that secrets may ask for: a batch with a read in it is refused, and not recorded", async () => {
    const item = readOf(project.vaultId, machineId, [ungranted]);
    const list = { ...item, purpose: Purpose.LIST };
    const { results } = await policy.listing.authorize({ items: [list] });
    expect(results).toHaveLength(1);
    const mixed = policy.listing.authorize({ items: [list, item] });
    await expect(mixed).rejects.toMatchObject({ code: Code.PermissionDenied });
    expect(policy.audit.events).toEqual([]);
    await policy.authorization.authorize({ items: [list, item] });
    expect(policy.audit.events).toHaveLength(1);
  });
});

describe("a listing", () => {
  test("names what may be read, gives no permit and leaves no record", async () => {
    const result = await decide({ purpose: Purpose.LIST, secretIds: [first, ungranted] });
    expect(result.permit).toBeUndefined();
    expect(result.secrets.map(({ secretId }) => secretId)).toEqual([first]);
    const all = await decide({ purpose: Purpose.LIST, allGranted: true });
    expect(all.secrets.map(({ secretId }) => secretId)).toEqual([first, second]);
    expect(policy.audit.events).toEqual([]);
  });
});
