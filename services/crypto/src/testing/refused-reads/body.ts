import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Case, projectId, first, second, other, ids, json, readJson } from "./ground.ts";

/** Reads whose body asks for something else than the evidence, or is no body. */
export const bodyCases: readonly Case[] = [
  {
    step: "body",
    says: "the message is malformed or has unknown fields",
    name: "unknown field",
    plan: { request: json(readJson.replace("{", '{"extra":1,')) },
  },
  {
    step: "body",
    says: "the message gives a field twice",
    name: "key given twice",
    plan: { request: json(readJson.replace("{", `{"secretIds":["${ids[0]}"],`)) },
  },
  {
    step: "body",
    says: "the message is malformed or has unknown fields",
    name: "trailing bytes",
    plan: { request: json(`${readJson} x`) },
  },
  {
    step: "body",
    says: "a field breaks its bounds",
    name: "a field out of bounds",
    plan: { asked: { secretIds: [...ids, ids[0] ?? ""] } },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "fewer secrets than decided on",
    plan: { asked: { secretIds: ids.slice(1) } },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "other secrets than decided on",
    plan: { asked: { secretIds: [ids[0] ?? "", newId("sec")] } },
  },
  {
    step: "body",
    says: "it asks for another project than the permit is about",
    name: "another project than decided on",
    plan: { asked: { secretIds: [], projectId: newId("prj") } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "everything granted, where one project was decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { allGranted: false, projectId } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "everything granted, where named secrets were decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { allGranted: false } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "a project, where everything granted was decided on",
    plan: { asked: { secretIds: [], projectId }, permit: { projectId: "", allGranted: true } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "a project, where another one was decided on and found empty",
    plan: { asked: { secretIds: [], projectId }, permit: { projectId: other.projectId } },
    stored: [],
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "named secrets, where their project was decided on",
    plan: { permit: { projectId } },
  },
  {
    step: "body",
    says: "it asks for another page than the permit is about",
    name: "the first page, where a later one was decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { pageToken: newId("sec") } },
  },
  {
    step: "body",
    says: "it asks for another page than the permit is about",
    name: "a later page, where the first one was decided on",
    plan: {
      asked: { secretIds: [], projectId, pageToken: newId("sec") },
      permit: { pageToken: "" },
    },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "named secrets, where nothing was decided on",
    plan: { asked: { secretIds: ids } },
    stored: [],
  },
  {
    step: "body",
    says: "it asks for another version than the permit is about",
    name: "another version than decided on",
    plan: { asked: { version: 2 } },
    stored: [first],
  },
  {
    step: "body",
    says: "it asks for another project than the permit is about",
    name: "a project, where a secret of another one was decided on as well",
    plan: {
      asked: { secretIds: [], projectId },
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, projectId: other.projectId },
        ],
      },
    },
  },
  {
    step: "body",
    says: "it asks for another version than the permit is about",
    name: "the current version, where a named one of one secret was decided on",
    plan: {
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, projectId, requestedVersion: 3 },
        ],
      },
    },
  },
  {
    step: "body",
    says: "it asks for all or nothing, and not all is allowed",
    name: "all or nothing, and one refused",
    plan: {
      asked: { secretIds: ids, allOrNothing: true },
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, refusal: { reason: Reason.NOT_GRANTED } },
        ],
      },
    },
    stored: [first],
  },
  {
    step: "body",
    says: "a field breaks its bounds",
    name: "a recipient to which nothing can be sealed",
    plan: {
      asked: {
        recipient: {
          suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
          publicKey: new Uint8Array(32),
        },
      },
    },
  },
];
