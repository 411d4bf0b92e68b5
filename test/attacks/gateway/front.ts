import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  createSecureServer,
} from "node:http2";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import {
  type DescMessage,
  type MessageInitShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { parseRequest } from "@sallyport/evidence";
import { OpenedRequestSchema } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import {
  Reason,
  ReasonSchema,
  type Refusal,
} from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  KeysetSchema,
  ReplyClaimsSchema,
  type SignedAnswer,
  SignedAnswerSchema,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  GetKeysetResponseSchema,
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { enumName } from "@sallyport/proto/names";
import { answerHeader, answerOwnerOf } from "@sallyport/proto/signing";
import type { Signed } from "../../system/signed.ts";
import type { Stage } from "./stage.ts";

/** What clients see where the gateway was: honest, except for what it is told to do. */
export type Front = AsyncDisposable & {
  reply: (path: string, message: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** What a request is met with; `honest` does what a gateway does and need not be called. */
  meet: (signed: Signed, honest: () => Promise<Answer>) => Promise<Answer>;
  /** The last read that was signed. */
  asked?: Signed<ReadSecretsRequest>;
  /** Every request that arrived, in order, with what came of it. */
  readonly seen: { readonly path: string; readonly verdict: string }[];
};

/**
 * What came of a request: a message or a refusal, with the signature of the owner whose method it
 * is.
 */
export type Answer = {
  readonly verdict: string;
  readonly message?: Uint8Array;
  readonly refusal?: Refusal;
  readonly answer?: SignedAnswer;
};

/**
 * Takes the gateway's place, for good: its port, its public certificate, and for each request what
 * a gateway does.
 */
export async function takeFront(stage: Stage): Promise<Front> {
  const { system } = stage.field;
  await system.stopProcess("gateway");
  const file = (name: string) => readFileSync(join(system.layout.folder("gateway"), name));
  const server = createSecureServer({ cert: file("edge.pem"), key: file("edge.key") });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => void sessions.add(session));
  const front: Front = {
    reply: (_, message) => message,
    meet: (_, honest) => honest(),
    seen: [],
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    serve(stage, front, stream, headers).catch((error: unknown) => {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  server.listen(system.addresses.ports.gateway, "127.0.0.1");
  await once(server, "listening");
  return front;
}

async function serve(
  stage: Stage,
  front: Front,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const signed = signedOf(headers, await buffer(stream));
  const { path } = signed.signedRequest;
  if (path.endsWith("/ReadSecrets"))
    front.asked = {
      ...signed,
      message: fromBinary(ReadSecretsRequestSchema, signed.signedRequest.body),
    };
  const met = await front.meet(signed, () => answer(stage, signed));
  const { verdict, message, answer: signature } = met;
  front.seen.push({ path, verdict });
  if (!message) {
    stream.respond({ ":status": 403, "content-type": "application/json" });
    return void stream.end(JSON.stringify(errorOf(met)));
  }
  const header = signature && {
    [answerHeader]: Buffer.from(toBinary(SignedAnswerSchema, signature)).toString("base64url"),
  };
  stream.respond({ ":status": 200, "content-type": "application/proto", ...header });
  stream.end(await front.reply(path, message));
}

function errorOf({ verdict, refusal, answer: signature }: Answer) {
  const { reason, metadata } = refusal ?? { reason: Reason.UNSPECIFIED, metadata: {} };
  const info = { reason: enumName(ReasonSchema, reason), domain: "sallyport", metadata };
  const detail = <D extends DescMessage>(schema: D, value: MessageInitShape<D>) => ({
    type: schema.typeName,
    value: Buffer.from(toBinary(schema, create(schema, value))).toString("base64"),
  });
  return {
    code: "permission_denied",
    message: verdict,
    details: [
      ...(refusal ? [detail(ErrorInfoSchema, info)] : []),
      ...(signature ? [detail<typeof SignedAnswerSchema>(SignedAnswerSchema, signature)] : []),
    ],
  };
}

function signedOf(headers: IncomingHttpHeaders, body: Buffer): Signed {
  const text = (name: string): string => String(headers[name] ?? "");
  const signedRequest = create(SignedRequestSchema, {
    method: text(":method"),
    authority: text(":authority"),
    path: text(":path"),
    contentType: text("content-type"),
    contentDigest: text("content-digest"),
    signatureInput: text("signature-input"),
    signature: text("signature"),
    body: new Uint8Array(body),
  });
  const { keyId, digest } = parseRequest(signedRequest);
  return { keyId, signedRequest, digest, message: undefined };
}

async function answer(stage: Stage, signed: Signed): Promise<Answer> {
  const { path } = signed.signedRequest;
  const method: string = path.split("/").at(-1) ?? "";
  switch (method) {
    case "GetKeyset":
      return { verdict: "answered", message: keysetReply(stage) };
    case "ReadSecrets":
      return read(stage, signed);
    default: {
      const to = answerOwnerOf(path);
      if (!to || to === "itself") return { verdict: "NOT_FOUND" };
      const { response, ...forwarded } = await stage.cheat.forward(to, signed);
      return { ...forwarded, ...(response ? { message: response } : {}) };
    }
  }
}

function keysetReply({ field: { system } }: Stage): Uint8Array {
  const bytes = readFileSync(join(system.layout.folder("gateway"), "keyset.bin"));
  const keyset = fromBinary(KeysetSchema, bytes);
  return toBinary(
    GetKeysetResponseSchema,
    create(GetKeysetResponseSchema, { keyset, serverTime: timestampNow() }),
  );
}

async function read({ cheat }: Stage, signed: Signed): Promise<Answer> {
  const message = fromBinary(ReadSecretsRequestSchema, signed.signedRequest.body);
  const { verdict, opened } = await cheat.read({ ...signed, message });
  if (!opened?.reply) return { verdict };
  const { secrets, nextPageToken } = fromBinary(ReplyClaimsSchema, opened.reply.payload);
  const contents = new Map(opened.secrets.map(({ secretId, content }) => [secretId, content]));
  const response: ReadSecretsResponse = create(ReadSecretsResponseSchema, {
    secrets: secrets.map(({ secretId, name, version, kind, refusal }) => {
      const content = contents.get(secretId) ?? { case: undefined };
      return { secretId, name, version, kind, refusal, content };
    }),
    encapsulatedKey: create(OpenedRequestSchema, opened).encapsulatedKey,
    reply: opened.reply,
    nextPageToken,
    decisionId: newId("dec"),
  });
  return { verdict, message: toBinary(ReadSecretsResponseSchema, response) };
}
