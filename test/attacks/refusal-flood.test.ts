import type { ClientHttp2Session } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { createSigner, newSeed, openSallyport, parseToken, proveToken } from "@sallyport/client";
import {
  type Record as AuditRecord,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { EnrollRequestSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectFrom, exchange } from "../infra/index.ts";
import { loginOwner, makeSecrets, makeToken, startDeployment } from "../system/deployment.ts";

const addresses = 300;
const rejectedEach = 10;
const enrollmentsEach = 2;
// Kinds that are told apart, their first and their counts, and the rest.
const mostOfAGroup = 2 * 51;

let deployment: Awaited<ReturnType<typeof startDeployment>>;
let owner: Awaited<ReturnType<typeof loginOwner>>;
let token: string;

beforeAll(async () => {
  deployment = await startDeployment();
  owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const { projectId, ids } = await makeSecrets(admin, "web", { DB_URL: "kept" });
  token = await makeToken(admin, owner, { projectId, secretIds: Object.values(ids), uses: 10 });
  admin.close();
});
afterAll(() => deployment[Symbol.asyncDispose]());

const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const enrollPath = "/sallyport.identity.v1.EnrollmentService/Enroll";
const contentType = "application/proto";

/** A read under a name that is made up. */
function rejected(session: ClientHttp2Session) {
  const signer = createSigner(newSeed(), newId("mch"));
  const target = { authority: new URL(deployment.endpoint.url).host, path: readPath, contentType };
  const { headers } = signer.sign(target, new Uint8Array());
  return exchange(session, readPath, { "content-type": contentType, ...headers }, new Uint8Array());
}

/**
 * An enrollment, properly signed, that does not hold the token that it names; every other token is
 * made up.
 */
function refused(session: ClientHttp2Session, known: boolean) {
  const signer = createSigner(newSeed());
  const { id, vaultId } = parseToken(token, "enr");
  const { publicKey, proof } = proveToken("enr", vaultId, newSeed(), signer.publicKey);
  const request = create(EnrollRequestSchema, {
    vaultId,
    admission: {
      case: "token",
      value: { tokenId: known ? id : newId("tok"), publicKey, proof },
    },
    machinePublicKey: signer.publicKey,
    hostname: "flood",
  });
  const body = toBinary(EnrollRequestSchema, request);
  const target = {
    authority: new URL(deployment.endpoint.url).host,
    path: enrollPath,
    contentType,
  };
  const { headers } = signer.sign(target, body);
  return exchange(session, enrollPath, { "content-type": contentType, ...headers }, body);
}

async function recordsOf(action: string, scope: RecordScope): Promise<AuditRecord[]> {
  const admin = openSallyport(owner);
  try {
    const { records, nextPageToken } = await admin.services.audit.listRecords({
      actions: [action],
      scope,
      pageSize: 200,
    });
    if (nextPageToken === "") return records;
    const next = await admin.services.audit.listRecords({
      actions: [action],
      scope,
      pageSize: 200,
      pageToken: nextPageToken,
    });
    expect(next.nextPageToken).toBe("");
    return [...records, ...next.records];
  } finally {
    admin.close();
  }
}

const total = (records: readonly AuditRecord[]) =>
  records.reduce((sum, { detail }) => sum + Number(detail["count"]), 0);

test.runIf(process.platform === "linux")(
  "thousands of refusals from hundreds of addresses are few records, and every one is counted",
  async () => {
    const begunMs = Date.now();
    for (let n = 0; n < addresses; n += 1) {
      const session = connectFrom(`127.0.${1 + (n >> 8)}.${n & 255}`, deployment.endpoint);
      const answers = await Promise.all([
        ...Array.from({ length: rejectedEach }, () => rejected(session)),
        ...Array.from({ length: enrollmentsEach }, (_, index) => refused(session, index === 0)),
      ]);
      for (const { status, text } of answers)
        expect([status, text]).toEqual([401, expect.stringContaining("REQUEST_REJECTED")]);
      session.close();
    }
    const windows = 1 + Math.ceil((Date.now() - begunMs) / 60_000);
    // What is still counted is recorded by a stop.
    for (const name of ["gateway", "identity"] as const) await deployment.system.stopProcess(name);
    for (const name of ["identity", "gateway"] as const) await deployment.system.startProcess(name);
    const known = await expect
      .poll(() => recordsOf("token.refused", RecordScope.VAULT).then(total), { timeout: 20_000 })
      .toBe(addresses)
      .then(() => recordsOf("token.refused", RecordScope.VAULT));
    const unknown = await recordsOf("token.refused", RecordScope.DEPLOYMENT);
    const strangers = await recordsOf("request.rejected", RecordScope.DEPLOYMENT);
    expect(total(unknown)).toBe(addresses * (enrollmentsEach - 1));
    expect(total(strangers)).toBe(addresses * rejectedEach);
    for (const group of [known, unknown, strangers])
      expect(group.length).toBeLessThanOrEqual(windows * mostOfAGroup);
    expect(
      known.every(({ subjectId }) => subjectId === "" || subjectId === parseToken(token, "enr").id),
    ).toBe(true);
  },
  180_000,
);
