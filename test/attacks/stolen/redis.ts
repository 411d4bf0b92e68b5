import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseRequest } from "@sallyport/evidence";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { reasonIn } from "../../infra/index.ts";
import { type Signed, sendSigned, signAs } from "../../system/signed.ts";
import type { Field } from "../field.ts";
import { askFor } from "../gateway/stage.ts";
import { foundIn, secretBytes } from "./alone.ts";

/** Sends a request, as often as it is called; tells the status and the reason of a refusal. */
async function send({ deployment }: Field, { signedRequest }: Signed): Promise<string> {
  const { status, text } = await sendSigned(deployment.endpoint, signedRequest);
  return status === 200 ? "answered" : `${status} ${reasonIn(text) ?? text}`;
}

/** The gateway's Redis, whose memory is all that a nonce is held by. */
export function describeRedis(field: () => Field): void {
  async function forget({ signedRequest }: Signed): Promise<void> {
    const url = readFileSync(
      join(field().system.layout.folder("gateway"), "redis.url"),
      "utf8",
    ).trim();
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
      const reads = (await field().ledger.of(signed.digest)).filter(
        ({ action }) => action === "secret.read",
      );
      expect(reads.map(({ secret_id }) => secret_id)).toEqual(field().granted);
    });

    test("a nonce that it forgot lets a change pass the gateway again, and its owner refuses it, on record", async () => {
      const begin = await field().ledger.end();
      const signed = signAs(field().owner, ProjectService.method.createProject, {
        name: "made-once",
      });
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
      const bytes = Buffer.concat(
        files.map((file) => readFileSync(join(file.parentPath, file.name))),
      );
      expect(bytes.includes("gw:nonce:")).toBe(true);
      expect(foundIn(bytes, secretBytes(field()))).toEqual([]);
    });
  });
}
