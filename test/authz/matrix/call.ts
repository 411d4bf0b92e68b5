import { connect } from "node:http2";
import { type DescMethodUnary, create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { type Endpoint, type Signer, createSigner, newSeed } from "@sallyport/client";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import {
  AnswerClaimsSchema,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { answerHeader } from "@sallyport/proto/signing";
import { type Answer as RawAnswer, exchange } from "../../infra/index.ts";

/** How a request was answered. */
export type Answer = RawAnswer & {
  /** The Connect code, "ok" when it was done. */
  readonly code: string;
  /** The ErrorInfo's reason, "done" when there was no error. */
  readonly outcome: string;
};

/** Signs a request as a key and sends it as it is: no client of ours stands in between. */
export type Sender = Disposable & {
  send(signer: Signer, method: DescMethodUnary, request: object): Promise<Answer>;
};

const contentType = "application/proto";

/** Opens one HTTP/2 connection for everybody. */
export function openSender({ url, ca }: Endpoint): Sender {
  const session = connect(url, { ca });
  session.on("error", () => undefined);
  const authority = new URL(url).host;
  return {
    async send(signer, method, request) {
      const path = `/${method.parent.typeName}/${method.name}`;
      const body = toBinary(method.input, create(method.input, { ...request }));
      const { headers } = signer.sign({ authority, path, contentType }, body);
      return answerOf(
        await exchange(session, path, { "content-type": contentType, ...headers }, body),
      );
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

/** A key that nobody enrolled: under a machine's name that is made up, or under its own. */
export function newSigner(keyId?: string): Signer {
  return createSigner(newSeed(), keyId);
}

function answerOf(raw: RawAnswer): Answer {
  if (raw.status === 200) return { ...raw, code: "ok", outcome: "done" };
  const error: unknown = JSON.parse(raw.text);
  const [outcome = "none"] = detailsOf(error)
    .filter(({ type }) => type === ErrorInfoSchema.typeName)
    .map(({ value }) => fromBinary(ErrorInfoSchema, value).reason);
  return { ...raw, code: String(field(error, "code")), outcome };
}

/**
 * An answer as a text in which the names of what was asked for are blanked, to compare what is told
 * of two of them byte for byte. It is without what is new in each: times, signatures and the
 * digests in them, the log's end.
 */
export function comparable(
  method: DescMethodUnary,
  answer: Answer,
  names: readonly string[],
): string {
  const text =
    answer.status === 200
      ? JSON.stringify(toJson(method.output, fromBinary(method.output, answer.body)), withoutNews)
      : unfolded(answer.body);
  return names
    .filter((name) => name !== "")
    .reduce((blanked, name) => blanked.replaceAll(name, "…"), headersOf(answer) + text);
}

const news = new Set(["reply", "decisionId", "newestSeq", "serverTime"]);
const withoutNews = (key: string, value: unknown): unknown => (news.has(key) ? undefined : value);

function headersOf({ headers }: Answer): string {
  const passing = ["date", "content-length", answerHeader];
  const kept = Object.entries(headers).filter(([name]) => !passing.includes(name));
  return JSON.stringify(kept);
}

// Names inside of details are in base64; names of a kind have one length, so nothing else can hide
// behind that.
function unfolded(body: Buffer): string {
  const error: unknown = JSON.parse(body.toString());
  const details = detailsOf(error).map(({ type, value }) =>
    type === SignedAnswerSchema.typeName ? signedOf(value) : value.toString("latin1"),
  );
  return JSON.stringify({ code: field(error, "code"), message: field(error, "message"), details });
}

// What an owner signed, without the digest of the request.
function signedOf(value: Buffer): string {
  const { payload, keyId } = fromBinary(SignedAnswerSchema, value);
  const claims = fromBinary(AnswerClaimsSchema, payload);
  claims.requestDigest = new Uint8Array();
  return `${keyId} ${JSON.stringify(toJson(AnswerClaimsSchema, claims))}`;
}

function detailsOf(error: unknown): { readonly type: string; readonly value: Buffer }[] {
  const details = field(error, "details");
  if (!Array.isArray(details)) return [];
  return details.map((detail: unknown) => ({
    type: String(field(detail, "type")),
    value: Buffer.from(String(field(detail, "value")), "base64"),
  }));
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
