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
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { parseRequest } from "@sallyport/evidence";
import { OpenedRequestSchema } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  KeysetSchema,
  ReplyClaimsSchema,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  GetKeysetResponseSchema,
  ListReadableSecretsResponseSchema,
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import type { Signed } from "../../system/signed.ts";
import { authorizeItemOf, claimsOf } from "./cheat.ts";
import type { Stage } from "./stage.ts";

/** What clients see where the gateway was: honest, except for what it is told to do to a reply's message. */
export type Front = AsyncDisposable & {
  reply: (path: string, message: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** The last read that was signed. */
  asked?: Signed<ReadSecretsRequest>;
  /** Every request that arrived, in order, with what came of it. */
  readonly seen: { readonly path: string; readonly verdict: string }[];
};

type Answer = { readonly verdict: string; readonly message?: Uint8Array };

const owners = ["identity", "policy", "secrets", "audit"] as const;

/** Takes the gateway's place, for good: its port, its public certificate, and for each request what a gateway does. */
export async function takeFront(stage: Stage): Promise<Front> {
  const { system } = stage.field;
  await system.stopProcess("gateway");
  const file = (name: string) => readFileSync(join(system.layout.folder("gateway"), name));
  const server = createSecureServer({ cert: file("edge.pem"), key: file("edge.key") });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => void sessions.add(session));
  const front: Front = {
    reply: (_, message) => message,
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
    front.asked = { ...signed, message: fromBinary(ReadSecretsRequestSchema, signed.signedRequest.body) };
  const { verdict, message } = await answer(stage, signed);
  front.seen.push({ path, verdict });
  if (!message) {
    stream.respond({ ":status": 403, "content-type": "application/json" });
    return void stream.end(JSON.stringify({ code: "permission_denied", message: verdict }));
  }
  stream.respond({ ":status": 200, "content-type": "application/proto" });
  stream.end(await front.reply(path, message));
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
  const [, owner = "", method = ""] = /^\/sallyport\.([a-z]+)\.v1\.[A-Za-z]+\/([A-Za-z]+)$/.exec(
    signed.signedRequest.path,
  ) ?? [""];
  switch (method) {
    case "GetKeyset":
      return { verdict: "answered", message: keysetReply(stage) };
    case "ReadSecrets":
      return read(stage, signed);
    case "ListReadableSecrets":
      return { verdict: "answered", message: await listReadable(stage, signed) };
    default: {
      const to = owners.find((name) => name === owner);
      if (!to) return { verdict: "NOT_FOUND" };
      const { verdict, response } = await stage.cheat.forward(to, signed);
      return response ? { verdict, message: response } : { verdict };
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

async function listReadable({ cheat }: Stage, { keyId, digest }: Signed): Promise<Uint8Array> {
  const claims = claimsOf(await cheat.credentialOf(keyId));
  const requestId = newId("req");
  const asked = create(ReadSecretsRequestSchema, { allGranted: true });
  const item = authorizeItemOf(claims, digest, asked, requestId);
  item.purpose = Purpose.LIST;
  const { secrets } = await cheat.authorize(item, requestId);
  const secretIds = secrets.map(({ secretId }) => secretId);
  const described = await cheat.describe({ vaultId: claims.vaultId, secretIds });
  const readable = described.secrets.map(({ secretId, name, projectId, projectName, version, kind }) => ({
    secretId,
    name,
    projectId,
    projectName,
    version,
    kind,
  }));
  return toBinary(
    ListReadableSecretsResponseSchema,
    create(ListReadableSecretsResponseSchema, { secrets: readable }),
  );
}
