import { readFileSync, readdirSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { parseRequest } from "@sallyport/evidence";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { askFor } from "../gateway/stage.ts";
import { type Signed, signAs } from "../signed.ts";
import { foundIn, secretBytes } from "./alone.ts";

/** Sends a request byte for byte, as often as it is called; the answer's text has the reason. */
async function send({ deployment: { endpoint } }: Field, { signedRequest: signed }: Signed): Promise<string> {
  const session = connect(endpoint.url, endpoint.ca === undefined ? {} : { ca: endpoint.ca });
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": signed.path,
      "content-type": signed.contentType,
      "content-digest": signed.contentDigest,
      "signature-input": signed.signatureInput,
      signature: signed.signature,
    });
    let status = 0;
    stream.once("response", (headers) => (status = headers[":status"] ?? 0));
    stream.end(signed.body);
    const text = (await buffer(stream)).toString("latin1");
    return status === 200 ? "answered" : `${status} ${/"reason":"([A-Z_]+)"/.exec(text)?.[1] ?? text}`;
  } finally {
    session.close();
  }
}

/** The gateway's Redis, whose memory is all that a nonce is held by. */
export function describeRedis(field: () => Field): void {
  async function forget({ signedRequest }: Signed): Promise<void> {
    const url = readFileSync(join(field().system.layout.folder("gateway"), "redis.url"), "utf8").trim();
    const { pathname, searchParams } = new URL(url);
    const redis = new Redis({
      path: decodeURIComponent(pathname),
      username: searchParams.get("username") ?? "",
      password: searchParams.get("password") ?? "",
      enableReadyCheck: false,
    });
    const { keyId, nonce } = parseRequest(signedRequest);
    const key = `gw:nonce:${keyId}:${nonce}`;
    expect(await redis.get(key)).toBe("1");
    await redis.set(key, "", "PX", 1);
    await expect.poll(() => redis.get(key)).toBeNull();
    redis.disconnect();
  }

  describe("Redis, stolen", () => {
    test("a nonce that it forgot lets a read pass the gateway again, and nothing is opened again", async () => {
      const signed = askFor(field().machine, { secretIds: field().granted, allOrNothing: true });
      expect(await send(field(), signed)).toBe("answered");
      expect(await send(field(), signed)).toBe("401 REQUEST_REJECTED");
      await forget(signed);
      const again = await send(field(), signed);
      expect(again).not.toBe("answered");
      expect(again).toBe("401 REQUEST_REJECTED");
      const reads = (await field().ledger.of(signed.digest)).filter(({ action }) => action === "secret.read");
      expect(reads.map(({ secret_id }) => secret_id)).toEqual(field().granted);
    });

    test("a nonce that it forgot lets a change pass the gateway again, and its owner refuses it, on record", async () => {
      const begin = await field().ledger.end();
      const signed = signAs(field().owner, ProjectService.method.createProject, { name: "made-once" });
      expect(await send(field(), signed)).toBe("answered");
      expect(await send(field(), signed)).toBe("401 REQUEST_REJECTED");
      await forget(signed);
      expect(await send(field(), signed)).toBe("401 REQUEST_REJECTED");
      expect(await field().ledger.since(begin, "project.created")).toHaveLength(1);
      const found = () => field().ledger.since(begin, "replay.refused", "mutation.replayed");
      await expect.poll(found, { timeout: 5_000 }).toMatchObject([
        { emitter: "gateway", action: "replay.refused" },
        { emitter: "secrets", action: "mutation.replayed", reason: "REQUEST_REJECTED" },
      ]);
    });

    test("what it keeps is nonces and rates: no value, no seed, no token", () => {
      const folder = field().system.layout.redis;
      const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) =>
        file.isFile(),
      );
      const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
      expect(bytes.includes("gw:nonce:")).toBe(true);
      expect(foundIn(bytes, secretBytes(field()))).toEqual([]);
    });
  });
}
