import {
  type DescMessage,
  type DescMethodUnary,
  type JsonValue,
  type MessageInitShape,
  create,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { decodeBody } from "@sallyport/evidence";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { SignedRequestSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { frameMessage, maxContentBytes, newSecretId } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { limitsOf } from "./method-limits.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import { newKeyPaths } from "../forwarding/routes.ts";
import { publicServices } from "@sallyport/proto/verifying";

const paths = publicServices.flatMap(({ methods }) => methods.map(methodPath));

describe("the table of methods", () => {
  test("has every public method, each with a bound far below what would hurt", () => {
    for (const path of paths) {
      const { rate, contentBytes } = limitsOf(path);
      expect(["read", "manage", "none"]).toContain(rate);
      expect(contentBytes).toBeLessThanOrEqual(maxContentBytes);
    }
  });

  test("leaves without a principal's limit only what has no principal, and gives that least", () => {
    const free = paths.filter((path) => limitsOf(path).rate === "none");
    const newKeys = [...newKeyPaths].filter((path) => !path.endsWith("/GetKeyset"));
    expect(free.toSorted()).toEqual(newKeys.toSorted());
    for (const path of free) expect(limitsOf(path).contentBytes).toBe(4096);
  });

  test("does not invent a limit for an unknown path", () => {
    expect(() => limitsOf("/x.Y/Z")).toThrow("no limit is set for /x.Y/Z");
  });

  test("lets through what an owner takes, and nothing that it would refuse for its size", () => {
    const most = Math.max(...paths.map((path) => limitsOf(path).contentBytes));
    const head = {
      method: "POST",
      authority: "sallyport.example",
      path: "/a.B/C",
      contentType: "application/proto",
      contentDigest: "d",
      signatureInput: "i",
      signature: "s",
    };
    const taken = (length: number) => {
      const signed = create(SignedRequestSchema, { ...head, body: new Uint8Array(length) });
      const body = toBinary(SignedRequestSchema, signed);
      return decodeBody(SignedRequestSchema, { contentType: "application/proto", body }).body
        .length;
    };
    expect(taken(most)).toBe(most);
    expect(() => taken(most + 1)).toThrow("field invalid");
  });
});

const ids = (prefix: Parameters<typeof newId>[0], count: number) =>
  Array.from({ length: count }, () => newId(prefix));
// In base64 no slash among them, which a strict encoder may escape: what is sealed looks random and
// has few.
const bytes = (length: number) => new Uint8Array(length).fill(0x11);
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 999_999_999 });
// What takes most when it is escaped: six bytes for one.
const text = (length: number) => "<".repeat(length);

function largest<I extends DescMessage>(method: DescMethodUnary<I>, request: MessageInitShape<I>) {
  return [method.name, method as DescMethodUnary, create(method.input, request)] as const;
}

/** JSON at its longest: indented, and every character escaped that a strict encoder may escape. */
function longest(value: JsonValue): Buffer {
  const escape = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return Buffer.from(JSON.stringify(value, undefined, 2).replaceAll(/[</+&>']/g, escape));
}

const sealed = {
  suite: 1,
  keyId: "k".repeat(64),
  encapsulatedKey: bytes(32),
  ciphertext: bytes(65_536 + 16),
  kind: 1,
} as const;
const names = { project: "P".repeat(128), secret: "S".repeat(128), machine: "M".repeat(128) };

describe("the largest valid request is within its bound", () => {
  test.each([
    largest(EnrollmentService.method.enroll, {
      vaultId: newId("vlt"),
      admission: {
        case: "token",
        value: { tokenId: newId("tok"), publicKey: bytes(32), proof: bytes(64) },
      },
      machinePublicKey: bytes(32),
      hostname: text(253),
      machineName: names.machine,
      validateOnly: true,
    }),
    largest(UserService.method.redeemLoginCode, {
      vaultId: newId("vlt"),
      codeId: newId("tok"),
      codePublicKey: bytes(32),
      codeProof: bytes(64),
      devicePublicKey: bytes(32),
      userName: "U".repeat(128),
    }),
    largest(ReadService.method.readSecrets, {
      secretIds: ids("sec", 100),
      allOrNothing: true,
      recipient: { suite: 1, publicKey: bytes(32) },
    }),
    largest(EnrollmentService.method.createToken, {
      tokenKeySha256: bytes(32),
      projectIds: ids("prj", 100),
      secretIds: ids("sec", 1000),
      tokenLifetime: seconds(31_535_999),
      machineLifetime: seconds(2_591_999),
      maxUses: 10_000,
      description: text(500),
      sourceCidrs: Array.from(
        { length: 32 },
        (_, at) => `2001:db8:1234:5678:9abc:def0:${at}:1/128`,
      ),
      hostnamePattern: "h".repeat(253),
      machineNamePattern: "m".repeat(128),
      anyVersion: true,
    }),
    largest(MachineService.method.batchGetMachines, { machineIds: ids("mch", 200) }),
    largest(GrantService.method.setGrants, {
      machineId: newId("mch"),
      projectId: newId("prj"),
      secretIds: ids("sec", 1000),
      anyVersion: true,
    }),
    largest(GrantService.method.countGrants, { machineIds: ids("mch", 200) }),
    largest(SecretService.method.batchGetSecrets, {
      secretIds: ids("sec", 200),
      showDeleted: true,
    }),
    largest(SecretService.method.createSecret, {
      ...newSecretId(newId("vlt")),
      projectId: newId("prj"),
      name: names.secret,
      value: sealed,
      allowDangerousName: true,
      note: text(1000),
    }),
    largest(SecretService.method.addVersion, {
      secretId: newId("sec"),
      projectId: newId("prj"),
      expectedVersion: 4_294_967_295,
      value: sealed,
    }),
    largest(AuditService.method.listRecords, {
      pageSize: 200,
      pageToken: "t".repeat(200),
      actions: Array.from({ length: 50 }, () => text(64)),
      reasons: Array.from({ length: 50 }, () => "R".repeat(64)),
      machineId: newId("mch"),
      secretId: newId("sec"),
      projectId: newId("prj"),
      subjectId: "s".repeat(64),
    }),
  ])("%s", (_, method, message) => {
    const proto = toBinary(method.input, message);
    const contents = [
      ["application/json", longest(toJson(method.input, message))],
      ["application/proto", proto],
      ["application/grpc", frameMessage(proto)],
    ] as const;
    const { contentBytes } = limitsOf(methodPath(method));
    for (const [contentType, body] of contents) {
      expect(decodeBody(method.input, { contentType, body })).toEqual(message);
      expect(body.length, contentType).toBeLessThanOrEqual(contentBytes);
    }
  });
});
