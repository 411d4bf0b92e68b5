import { create } from "@bufbuild/protobuf";
import {
  PermitClaimsSchema,
  SealingSuite,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsRequestSchema,
  RecipientSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { expect, test } from "vitest";
import { newKey } from "@sallyport/proto/keyring";
import { sealingPublicKeyOf } from "../hpke.ts";
import { createAuditContract } from "../testing/audit-contract.ts";
import { nowMs } from "../testing/deployment.ts";
import { planRead } from "../testing/read.ts";
import { startReplica, verdictOf } from "../testing/replica.ts";
import { bindingCases } from "../testing/refused-reads/binding.ts";
import { bodyCases } from "../testing/refused-reads/body.ts";
import {
  deployment,
  first,
  ids,
  json,
  projectId,
  readJson,
  second,
  stored,
} from "../testing/refused-reads/ground.ts";
import { permitCases } from "../testing/refused-reads/permit.ts";
import { requestCases } from "../testing/refused-reads/request.ts";
import { slipCases } from "../testing/refused-reads/slip.ts";
import { checkRecipient } from "./steps.ts";

// Whatever depends on what a case changes was made anew, so that no other step can object.
const cases = [...requestCases, ...bodyCases, ...permitCases, ...slipCases, ...bindingCases];

test("a valid read is opened: what the cases below change one thing of", async () => {
  const replica = await startReplica(deployment, createAuditContract());
  for (const request of [{}, json(readJson)]) {
    const [result] = await replica.open(planRead(deployment, stored, { request }));
    expect(verdictOf(result)).toBe("opened");
  }
  const paged = { secretIds: [], projectId };
  expect(verdictOf((await replica.open(planRead(deployment, stored, { asked: paged })))[0])).toBe(
    "opened",
  );
  expect(
    verdictOf(
      (
        await replica.open(
          planRead(deployment, stored, { asked: { secretIds: [], allGranted: true } }),
        )
      )[0],
    ),
  ).toBe("opened");
});

test("a sealed reply is made where policy allows no other, and a named version is opened", async () => {
  const replica = await startReplica(deployment, createAuditContract());
  const recipient = {
    suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
    publicKey: sealingPublicKeyOf(newKey()),
  };
  const sealedOnly = planRead(deployment, stored, {
    asked: { secretIds: ids, recipient },
    permit: { sealedOnly: true },
  });
  const named = planRead(deployment, [first], {
    asked: { secretIds: [first.secretId], version: 3 },
    permit: { secrets: [{ secretId: first.secretId, projectId, requestedVersion: 3 }] },
    slip: { requestedVersion: 3 },
  });
  for (const item of [sealedOnly, named])
    expect(verdictOf((await replica.open(item))[0])).toBe("opened");
});

test.each([-65_000, 65_000])(
  "a read of a clock that differs by %i ms is opened, which is the edge",
  async (by) => {
    const replica = await startReplica(deployment, createAuditContract());
    const [result] = await replica.open(
      planRead(deployment, stored, { request: { createdMs: nowMs + by } }),
    );
    expect(verdictOf(result)).toBe("opened");
  },
);

test.each(cases)("$step: $name", async ({ step, says, plan, stored: secrets = stored }) => {
  const log = createAuditContract();
  const replica = await startReplica(deployment, log);
  const [result] = await replica.open(planRead(deployment, secrets, plan));
  expect(verdictOf(result)).toBe(`EVIDENCE_INVALID ${step}`);
  expect(JSON.parse(replica.logged())).toMatchObject({
    msg: "refused to open",
    err: { cause: { message: `${step}: ${says}` } },
  });
  expect(log.calls()).toBe(0); // What is not proven is not recorded as read.
});

test.each([
  {
    name: "envelope of another secret",
    changed: { envelope: second.envelope, projectKey: second.projectKey },
  },
  { name: "envelope of another version", changed: { version: 2 } },
])("binding: $name does not open, even with a slip for it", async ({ changed }) => {
  const replica = await startReplica(deployment, createAuditContract());
  const [result] = await replica.open(planRead(deployment, [{ ...first, ...changed }]));
  expect(verdictOf(result)).toBe("EVIDENCE_INVALID binding");
});

test("body: a suite that the contract may name one day is refused until it is built", () => {
  const recipient = create(RecipientSchema, { publicKey: new Uint8Array(32) });
  const asked = create(ReadSecretsRequestSchema, { recipient });
  expect(() => checkRecipient(asked, create(PermitClaimsSchema))).toThrow(
    "body: it names an unknown suite",
  );
});
