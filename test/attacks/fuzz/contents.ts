import {
  type DescMessage,
  type MessageShape,
  equals,
  fromJson,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { EvidenceError, decodeBody } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { frameMessage } from "@sallyport/proto/signing";
import { Failure } from "@sallyport/rpc";
import { type FuzzTarget, type Random, corpusOf, randomJson } from "@sallyport/test/infra";
import { publicMethods } from "../../authz/matrix/methods.ts";

const schemas = (await publicMethods()).map(({ input }) => input);
const contentTypes = ["application/json", "application/proto", "application/grpc"] as const;
type Read<D extends DescMessage> = MessageShape<D> | undefined;

/** Reads a body as every owner does; undefined for a typed refusal. */
function read<D extends DescMessage>(schema: D, contentType: string, body: Uint8Array): Read<D> {
  try {
    return decodeBody(schema, { contentType, body: new Uint8Array(body) });
  } catch (error) {
    if (error instanceof EvidenceError && error.step === "body") return undefined;
    if (error instanceof Failure && error.reason === Reason.FIELD_INVALID) return undefined;
    throw error;
  }
}

/** What was read is read as the same from both encodings of it. */
function checkAgain<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
  const binary = read(schema, "application/proto", toBinary(schema, message));
  const json = read(schema, "application/json", Buffer.from(toJsonString(schema, message)));
  if (!binary || !equals(schema, binary, message))
    throw new Error("in binary it is another message");
  if (!json || !equals(schema, json, message)) throw new Error("in JSON it is another message");
}

/** The first bytes of an input say which method and which encoding it is for. */
function targetOf(contentType: (typeof contentTypes)[number], index: number): FuzzTarget {
  const generate = (random: Random): Uint8Array => {
    const which = random.below(schemas.length);
    const schema = schemas[which];
    if (!schema) throw new Error("there is no such method");
    const json = randomJson(schema, random);
    return Buffer.concat([Buffer.from([which]), encoded(schema, json, contentType)]);
  };
  return {
    name: `content in ${contentType}`,
    seeds: corpusOf(index === 0 ? "content" : "evidence").map((body) =>
      Buffer.concat([Buffer.from([0]), body]),
    ),
    words: [
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "\\u0000",
      "__proto__",
      "null",
      "true",
      "\u00ff",
      "1e999",
    ],
    generate,
    accepts(input) {
      const schema = schemas[(input[0] ?? 0) % schemas.length];
      if (!schema) throw new Error("there is no such method");
      const message = read(schema, contentType, input.subarray(1));
      if (message) checkAgain(schema, message);
      return message !== undefined;
    },
  };
}

function encoded(
  schema: DescMessage,
  json: ReturnType<typeof randomJson>,
  contentType: string,
): Uint8Array {
  if (contentType === "application/json") return Buffer.from(JSON.stringify(json));
  try {
    const binary = toBinary(schema, fromJson(schema, json));
    return contentType === "application/grpc" ? frameMessage(binary) : binary;
  } catch {
    return new Uint8Array(); // What is out of every bound has no binary form.
  }
}

/** The bodies of all public methods, in every encoding. */
export const contentTargets: readonly FuzzTarget[] = contentTypes.map(targetOf);
