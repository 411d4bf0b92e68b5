import type { ClientHttp2Session } from "node:http2";
import { constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { createSigner, enroll, newSeed, openSallyport } from "@sallyport/client";
import { expect, test } from "vitest";
import { reasonIn } from "../../infra/index.ts";
import { type Ground, signerOf } from "./ground.ts";
import { openSession, readPath, send } from "./wire.ts";

const enrollPath = "/sallyport.identity.v1.EnrollmentService/Enroll";
const addVersionPath = "/sallyport.secrets.v1.SecretService/AddVersion";
const contentType = "application/json";
// Few at a time: this is about what is left of them, not about load.
const inFlight = { strangers: 8, users: 4, readers: 1 };
const sizes = [1_040_000, 512_000, 256_000, 128_000, 98_000, 64_000, 16_000, 4_000];
const valueBytes = 65_536;

type Signer = Pick<ReturnType<typeof createSigner>, "sign">;

/** A request whose sender allows 10 ms for its answer. */
function hasty({ authority }: Ground, signer: Signer, path: string, body: Uint8Array) {
  const { headers } = signer.sign({ authority, path, contentType }, body);
  return {
    path,
    headers: { "content-type": contentType, "connect-timeout-ms": "10", ...headers },
    body,
  };
}

/** JSON of so many bytes that no owner accepts. */
function junk(bytes: number): Uint8Array {
  return Buffer.from(`{"a":"${"x".repeat(bytes - 8)}"}`);
}

/** The largest content that the gateway takes for a method. */
async function largestFor(ground: Ground, signer: () => Signer, path: string): Promise<Uint8Array> {
  for (const bytes of sizes) {
    const session = openSession(ground);
    const { headers, body } = hasty(ground, signer(), path, junk(bytes));
    const { text } = await send(session, path, headers, body);
    session.close();
    if (reasonIn(text) !== "TOO_LARGE") return body;
  }
  throw new Error(`nothing is taken for ${path}`);
}

/** Takes a request back 10 ms after it was sent. */
async function takeBack(
  session: ClientHttp2Session,
  { path, headers, body }: ReturnType<typeof hasty>,
) {
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.on("error", () => undefined);
  stream.end(body);
  await sleep(10);
  stream.close(constants.NGHTTP2_CANCEL);
}

/**
 * Has so many requests begun and given up: every other by its deadline, the others by taking them
 * back.
 */
async function giveUp(
  ground: Ground,
  count: number,
  senders: number,
  request: () => ReturnType<typeof hasty>,
) {
  let left = count;
  const sender = async (): Promise<void> => {
    let session = openSession(ground);
    for (; left > 0; left -= 1) {
      if (session.destroyed) session = openSession(ground);
      const { path, headers, body } = request();
      if (left % 2 === 0) await takeBack(session, { path, headers, body });
      else await send(session, path, headers, body);
    }
    session.destroy();
  };
  await Promise.all(Array.from({ length: senders }, sender));
}

/** Nothing that is begun and given up, however large, stops what others ask. */
export function deadlineTests(ground: () => Ground): void {
  test("500 enrollments of a stranger, as large as they may be, whose deadlines are 10 ms", async () => {
    const stranger = () => createSigner(newSeed());
    const body = await largestFor(ground(), stranger, enrollPath);
    const siege = ground().besieged(() =>
      giveUp(ground(), 500, inFlight.strangers, () =>
        hasty(ground(), stranger(), enrollPath, body),
      ),
    );
    await expect(siege).resolves.toBeUndefined();
  });

  test("100 versions of a user, as large as they may be, whose deadlines are 10 ms", async () => {
    const owner = signerOf(ground().job.owner);
    const body = await largestFor(ground(), () => owner, addVersionPath);
    expect(body.length).toBeGreaterThanOrEqual(valueBytes);
    const siege = ground().besieged(() =>
      giveUp(ground(), 100, inFlight.users, () => hasty(ground(), owner, addVersionPath, body)),
    );
    await expect(siege).resolves.toBeUndefined();
  });

  test("large values that are written and read by clients that do not wait", async () => {
    const { admin, owner, projectId, token, deployment } = ground().job;
    const reader = await enroll(deployment.endpoint, token, { name: "impatient" });
    const secret = { projectId, projectName: "web", plaintext: Buffer.alloc(valueBytes) };
    const names = Array.from({ length: 16 }, (_, at) => `LARGE_${at}`);
    for (const name of names) {
      const { secretId } = await admin.createSecret({ ...secret, name });
      await admin.services.grants.addGrant({ machineId: reader.principalId, secretId });
    }
    const signer = signerOf(reader);
    const read = () => hasty(ground(), signer, readPath, Buffer.from('{"allGranted":true}'));
    const impatient = openSallyport(owner, "connect", { attemptMs: 40 });
    const write = (at: number) =>
      impatient.createSecret({ ...secret, name: `GIVEN_UP_${at}` }).catch(() => undefined);
    await ground().besieged(async () => {
      const writes = (async () => {
        for (let at = 0; at < 40; at += 1) await write(at);
      })();
      await Promise.all([giveUp(ground(), 30, inFlight.readers, read), writes]);
    });
    impatient.close();
    // Both ways to crypto still open and seal.
    const { secretId } = await admin.createSecret({ ...secret, name: "AFTERWARDS" });
    await admin.services.grants.addGrant({ machineId: reader.principalId, secretId });
    const patient = openSallyport(reader);
    const [result] = await patient.read({ secretIds: [secretId] });
    patient.close();
    expect(result?.kind).toBe("value");
  });
}
