import { createSigner, newSeed, openSallyport, parseToken, proveToken } from "@sallyport/client";
import {
  EnrollResponseSchema,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { newToken } from "../field.ts";
import { signWith } from "../../system/signed.ts";
import type { Stage } from "./stage.ts";

/** The attacks on a token that a gateway watches being used. */
export function describeTokens(stage: () => Stage): void {
  describe("using a token that it saw being used", () => {
    test("the proof is for the machine's key, and lets no other key in", async () => {
      const { field, cheat } = stage();
      const begin = await field.ledger.end();
      const { honest, token } = await watchEnrollment(stage());
      const own = createSigner(newSeed());
      const stolen = enrollAs(stage(), own, { ...honest.message, machinePublicKey: own.publicKey });
      expect((await cheat.forward("identity", stolen)).verdict).toBe("REQUEST_REJECTED");
      const refusals = () => field.ledger.since(begin, "token.refused");
      await expect
        .poll(refusals, { timeout: 5_000 })
        .toMatchObject([
          { emitter: "identity", reason: "REQUEST_REJECTED", detail: { count: "1" } },
        ]);
      // The body may name the machine's key, which is then not the one that signed.
      const named = enrollAs(stage(), own, honest.message);
      expect((await cheat.forward("identity", named)).verdict).toMatch(
        /^(REQUEST_REJECTED|FIELD_INVALID)/,
      );
      expect(await field.ledger.since(begin, "machine.enrolled")).toEqual([]);

      expect((await cheat.forward("identity", honest)).verdict).toBe("answered");
      expect(await usesOf(stage(), token)).toBe(1);
    });

    test("the machine's own request, repeated, makes no second machine and spends no second use", async () => {
      const { field, cheat } = stage();
      const begin = await field.ledger.end();
      const { honest, token } = await watchEnrollment(stage());
      const answers = [];
      for (let time = 0; time < 3; time += 1) answers.push(await cheat.forward("identity", honest));
      const machines = answers.flatMap(({ response }) =>
        response ? [fromBinary(EnrollResponseSchema, response).machineId] : [],
      );
      expect(new Set(machines).size).toBe(1);
      expect(await field.ledger.since(begin, "machine.enrolled")).toHaveLength(1);
      expect(await usesOf(stage(), token)).toBe(1);
    });

    test("what it gives: it asserts the source address, and so gets around a token's source ranges", async () => {
      const { field, cheat } = stage();
      const { honest } = await watchEnrollment(stage());
      expect((await cheat.forward("identity", honest)).verdict).toBe("answered");
      const { records } = await field.admin.services.audit.listRecords({
        actions: ["machine.enrolled"],
      });
      expect(records[0]?.sourceIp).toBe("203.0.113.9");
    });
  });
}

/** A machine that begins to enroll: the gateway has its request, and has not passed it on. */
async function watchEnrollment(given: Stage) {
  const token = await newToken(given.field);
  const { id, vaultId, seed } = parseToken(token, "enr");
  const machine = createSigner(newSeed());
  const { publicKey, proof } = proveToken("enr", vaultId, seed, machine.publicKey);
  const request = {
    vaultId,
    admission: { case: "token", value: { tokenId: id, publicKey, proof } } as const,
    machinePublicKey: machine.publicKey,
    hostname: "watched",
  };
  return { honest: enrollAs(given, machine, request), token: id };
}

function enrollAs(
  { field }: Stage,
  signer: Parameters<typeof signWith>[0],
  request: Parameters<typeof signWith<typeof EnrollmentService.method.enroll.input>>[3],
) {
  return signWith(
    signer,
    new URL(field.machine.url).host,
    EnrollmentService.method.enroll,
    request,
  );
}

async function usesOf({ field }: Stage, tokenId: string): Promise<number | undefined> {
  const admin = openSallyport(field.owner);
  try {
    const { token } = await admin.services.enrollment.getToken({ tokenId });
    return token?.uses;
  } finally {
    admin.close();
  }
}
