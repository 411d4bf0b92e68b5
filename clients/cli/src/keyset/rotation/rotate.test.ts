import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { newSeed, verifyKeyset } from "@sallyport/client";
import { KeysetClaimsSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type KeyFileEntry,
  type Keyring,
  createFileKek,
  formatKeyFile,
  openKeyring,
  parseKeyFile,
  sealKeyring,
} from "@sallyport/proto/keyring";
import { rootFingerprint } from "@sallyport/proto/signing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesOf, keyOf, readKeyset } from "../files.ts";
import { renewKeyset, underLock } from "../renew.ts";
import { signSigner } from "../sign.ts";
import { publicHalf } from "./key-store.ts";
import { type KeySlot, allKeySlots, filesIn, keyUseOf, lifeMs, nameOf } from "./key-slot.ts";
import { type RotateOptions, rotate, standingOf } from "./rotate.ts";
import type { RotationStep } from "./standing.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
const root = newSeed();
const pinned = rootFingerprint(keyOf(root).publicKey);
const kek = randomBytes(32);

let deployment: string;
let startMs: number;
beforeEach(async () => {
  deployment = mkdtempSync(join(tmpdir(), "sallyport-rotate-"));
  startMs = Date.now();
  await makeDeployment();
});
afterEach(() => rmSync(deployment, { recursive: true, force: true }));

const entry = (keyId: string): KeyFileEntry => ({ keyId, key: randomBytes(32) });
const isSigned = (slot: KeySlot): boolean => keyUseOf(slot) !== undefined;

/**
 * A deployment as its ceremony leaves it: a key of each slot, a keyset of them and a copy for each
 * process.
 */
async function makeDeployment(): Promise<void> {
  const files = filesIn(deployment);
  const held = new Map(
    allKeySlots.map((slot) => [slot, entry(`${nameOf(slot).slice(4).replaceAll(" ", "-")}-1`)]),
  );
  for (const name of ["gateway", "audit", "crypto", "policy", "secrets", "identity"])
    mkdirSync(join(deployment, name));
  writeFileSync(files.kek, formatKeyFile([{ keyId: "kek-1", key: kek }]), { mode: 0o600 });
  const of = (use: keyof Keyring): KeyFileEntry[] =>
    [...held].filter(([slot]) => slot.use === use).map(([, key]) => key);
  const keyring = {
    permit: of("permit"),
    slip: of("slip"),
    sealing: of("sealing"),
    reply: of("reply"),
  };
  writeFileSync(files.keyring, await sealKeyring(createFileKek(kek), keyring), { mode: 0o600 });
  for (const [slot, key] of held)
    if (!["sealing", "reply"].includes(slot.use))
      writeFileSync(files.keyFile(slot), formatKeyFile([key]), { mode: 0o640 });
  const rootKeyFile = join(deployment, "root.key");
  writeFileSync(rootKeyFile, Buffer.from(root).toString("base64"), { mode: 0o600 });
  await signSigner({ dir: files.dir, rootKeyFile, days: 365, nowMs: startMs });
  rmSync(rootKeyFile);
  const keys = [...held].flatMap(([slot, { keyId, key }]) => {
    const use = keyUseOf(slot);
    return use === undefined
      ? []
      : [{ keyId, use, holder: slot.holder ?? "", publicKey: publicHalf(slot, key) }];
  });
  await renewKeyset({ dir: files.dir, days: 7, nowMs: startMs, keys, copies: files.copies });
}

const take = (slot: KeySlot, step: RotationStep, afterMs = 0, more: Partial<RotateOptions> = {}) =>
  rotate({ deployment, slot, step, nowMs: startMs + afterMs, days: 7, ...more });

const keyringOf = async (): Promise<Keyring> =>
  openKeyring(createFileKek(kek), readFileSync(filesIn(deployment).keyring));

/**
 * The ids of the private keys of a slot, the newest first: of who makes, and of who takes what was
 * made.
 */
async function heldIds(slot: KeySlot): Promise<readonly string[]> {
  const files = filesIn(deployment);
  const ids = (keys: readonly KeyFileEntry[]) => keys.map(({ keyId }) => keyId);
  if (slot.use === "sealing" || slot.use === "reply") return ids((await keyringOf())[slot.use]);
  return ids(parseKeyFile(readFileSync(files.keyFile(slot), "utf8")));
}

/** The ids that are accepted for a slot, the preferred one first, by every process alike. */
async function acceptedIds(
  slot: KeySlot,
  file = filesOf(filesIn(deployment).dir).keyset,
): Promise<string[]> {
  if (slot.use === "permit" || slot.use === "slip") {
    const [signing = ""] = await heldIds(slot);
    const taken = (await keyringOf())[slot.use].map(({ keyId }) => keyId);
    return [signing, ...taken.filter((keyId) => keyId !== signing)];
  }
  const keyset = await readKeyset(file);
  await verifyKeyset(keyset, pinned, startMs);
  const { keys } = fromBinary(KeysetClaimsSchema, keyset?.payload ?? new Uint8Array());
  return keys
    .filter(({ use, holder }) => use === keyUseOf(slot) && holder === (slot.holder ?? ""))
    .map(({ keyId }) => keyId);
}

/** What signs now: the rule of a holder, over every file that it may have of the two. */
async function signingId(slot: KeySlot): Promise<string | undefined> {
  const accepted = await acceptedIds(slot);
  const held = await heldIds(slot);
  return (
    accepted.find((keyId) => keyId === accepted[0] && held.includes(keyId)) ??
    held.find((keyId) => accepted.includes(keyId))
  );
}

type Tree = ReadonlyMap<
  string,
  { readonly content: Buffer; readonly mode: number; readonly mtimeMs: number }
>;

/** Every file there is. */
function tree(): Tree {
  const entries = readdirSync(deployment, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => join(found.parentPath, found.name))
    .map((path) => {
      const { mode, mtimeMs } = statSync(path);
      return [path, { content: readFileSync(path), mode, mtimeMs }] as const;
    });
  return new Map(entries);
}

function putBack(files: Tree): void {
  for (const path of tree().keys()) if (!files.has(path)) rmSync(path);
  for (const [path, { content, mode, mtimeMs }] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  }
}

/**
 * Runs a step and gives the files that it changed, in the order in which they were written.
 * The kernel tells it: times of files written in the same few milliseconds are equal.
 */
async function changedBy(step: () => Promise<unknown>): Promise<string[]> {
  const before = tree();
  const told: string[] = [];
  const folders = new Set([...before.keys()].map((path) => dirname(path)));
  const watchers = [...folders].map((folder) =>
    watch(folder, (_, name) => void told.push(join(folder, name ?? ""))),
  );
  await step();
  const changed = [...tree()].filter(
    ([path, { content }]) => before.get(path)?.content.equals(content) !== true,
  );
  const paths = changed.map(([path]) => path);
  await expect.poll(() => paths.filter((path) => !told.includes(path))).toEqual([]);
  for (const watcher of watchers) watcher.close();
  return paths.toSorted((one, other) => told.lastIndexOf(one) - told.lastIndexOf(other));
}

/**
 * The trees that a step leaves when it is cut off after its first, second, … write; without and
 * with all of them, too.
 */
function cutOff(before: Tree, after: Tree, changed: readonly string[]): Tree[] {
  const written = changed.map((path) => [path, after.get(path)] as const).filter(isThere);
  return Array.from(
    { length: written.length + 1 },
    (_, count) => new Map([...before, ...written.slice(0, count)]),
  );
}

function isThere<T>(entry: readonly [string, T | undefined]): entry is readonly [string, T] {
  return entry[1] !== undefined;
}

const later = (slot: KeySlot): number => lifeMs(slot, 8 * dayMs) + 2 * minuteMs;

describe.each(allKeySlots.map((slot) => ({ name: nameOf(slot), slot })))("$name", ({ slot }) => {
  test("is accepted, then preferred, then the old one is retired, and again", async () => {
    const [first = ""] = await heldIds(slot);
    expect(await standingOf(deployment, slot, startMs)).toMatchObject({
      standing: { preferred: { keyId: first }, coming: undefined, former: [] },
      next: { step: "accept", fromMs: 0 },
    });
    const accepted = await take(slot, "accept");
    const next = accepted.standing.coming?.keyId ?? "";
    expect(accepted).toMatchObject({ changed: true, next: { step: "prefer" } });
    expect(next).not.toBe(first);
    expect(await acceptedIds(slot)).toEqual([first, next]);
    expect(await signingId(slot)).toBe(first);
    const preferred = await take(slot, "prefer", 2 * minuteMs);
    expect(preferred).toMatchObject({ changed: true, next: { step: "retire" } });
    expect(await acceptedIds(slot)).toEqual([next, first]);
    expect(await heldIds(slot)).toEqual([next, first]);
    expect(await signingId(slot)).toBe(next);
    const retired = await take(slot, "retire", later(slot));
    expect(retired).toMatchObject({ changed: true, next: { step: "accept" } });
    expect(await heldIds(slot)).toEqual([next]);
    expect(await acceptedIds(slot)).toEqual(slot.use === "log" ? [next, first] : [next]);
    for (const copy of isSigned(slot) ? filesIn(deployment).copies : [])
      expect(await acceptedIds(slot, copy)).toEqual(await acceptedIds(slot));
    for (const step of ["accept", "prefer", "retire"] as const)
      expect((await take(slot, step, 0, { hurry: true })).changed).toBe(true);
    expect(await heldIds(slot)).toHaveLength(1);
    expect((await acceptedIds(slot)).length).toBe(slot.use === "log" ? 3 : 1);
  });

  test("each step may be repeated and changes nothing then", async () => {
    for (const [step, afterMs] of [
      ["accept", 0],
      ["prefer", 2 * minuteMs],
      ["retire", later(slot)],
    ] as const) {
      await take(slot, step, afterMs);
      const before = tree();
      expect((await take(slot, step, afterMs)).changed).toBe(false);
      expect([...tree()]).toEqual([...before]);
    }
  });

  test("a step that is cut off after any of its writes is finished by the same step", async () => {
    for (const [step, afterMs] of [
      ["accept", 0],
      ["prefer", 2 * minuteMs],
      ["retire", later(slot)],
    ] as const) {
      const before = tree();
      const changed = await changedBy(() => take(slot, step, afterMs));
      const after = tree();
      const [accepted, held] = [await acceptedIds(slot), await heldIds(slot)];
      for (const torn of cutOff(before, after, changed)) {
        putBack(torn);
        // Whatever was written, there is a key that its holder has and everybody takes.
        expect(await signingId(slot)).toBeDefined();
        for (const copy of isSigned(slot) ? filesIn(deployment).copies : [])
          expect(
            (await acceptedIds(slot, copy)).some((keyId) => held.includes(keyId)),
            step,
          ).toBe(true);
        await take(slot, step, afterMs, { hurry: true });
        const ids =
          step === "accept" ? (await acceptedIds(slot)).slice(0, 1) : await acceptedIds(slot);
        expect(ids).toEqual(step === "accept" ? accepted.slice(0, 1) : accepted);
        expect((await acceptedIds(slot)).length).toBe(accepted.length);
        expect((await heldIds(slot)).length).toBe(held.length);
        for (const copy of isSigned(slot) ? filesIn(deployment).copies : [])
          expect(readFileSync(copy)).toEqual(readFileSync(filesOf(filesIn(deployment).dir).keyset));
      }
      putBack(after);
    }
  });

  test("a step before its time or out of its order is refused and changes nothing", async () => {
    const refused = async (step: RotationStep, afterMs: number, sentence: string) => {
      const before = tree();
      await expect(take(slot, step, afterMs)).rejects.toThrow(sentence);
      expect([...tree()]).toEqual([...before]);
    };
    await refused("prefer", later(slot), "there is no accepted key to prefer");
    await take(slot, "accept");
    await refused("prefer", 30_000, "it is too early for prefer: every process has to have taken");
    await refused("retire", later(slot), "is not preferred yet: run the step prefer first");
    await take(slot, "prefer", 2 * minuteMs);
    await refused("accept", later(slot), "is not at its end");
    await refused("retire", 2 * minuteMs, "it is too early for retire");
  });
});

describe("a rotation", () => {
  const credential: KeySlot = { use: "credential" };

  test("keeps mode and owner of the files that it changes", async () => {
    await take(credential, "accept");
    expect(statSync(filesIn(deployment).keyFile(credential)).mode & 0o777).toBe(0o640);
    await take({ use: "permit" }, "accept");
    expect(statSync(filesIn(deployment).keyring).mode & 0o777).toBe(0o600);
  });

  test.each(["credential", "permit", "sealing"] as const)(
    "of %s refuses a key file that everyone may read, is damaged or has another key under the id",
    async (use) => {
      const slot: KeySlot = { use };
      const files = filesIn(deployment);
      const file = use === "sealing" ? files.keyring : files.keyFile(slot);
      const [keyId = ""] = await heldIds(slot);
      const good = readFileSync(file);
      const other = { keyId, key: randomBytes(32) };
      const swapped =
        use === "sealing"
          ? await sealKeyring(createFileKek(kek), { ...(await keyringOf()), sealing: [other] })
          : formatKeyFile([other]);
      for (const [content, mode, sentence] of [
        [good, 0o644, "everyone may open"],
        [good.subarray(0, 20), 0o600, "cannot be used"],
        [swapped, 0o600, "have different keys under the id"],
      ] as const) {
        writeFileSync(file, content);
        chmodSync(file, mode);
        const before = tree();
        await expect(take(slot, "accept"), sentence).rejects.toThrow(sentence);
        expect([...tree()]).toEqual([...before]);
      }
    },
  );

  test("refuses when the file does not hold what is preferred, or more than one key in front of it", async () => {
    const file = filesIn(deployment).keyFile(credential);
    const [mine] = parseKeyFile(readFileSync(file, "utf8"));
    writeFileSync(file, formatKeyFile([entry("credential-9")]));
    await expect(take(credential, "accept")).rejects.toThrow("does not hold");
    writeFileSync(
      file,
      formatKeyFile([entry("credential-8"), entry("credential-9"), ...(mine ? [mine] : [])]),
    );
    await expect(take(credential, "accept")).rejects.toThrow("only one can follow it");
    rmSync(file);
    await expect(take(credential, "accept")).rejects.toThrow("there is no key file at");
  });

  test("never runs beside another, nor beside a renewal, and both keep what the other did", async () => {
    const { dir, copies } = filesIn(deployment);
    const renew = () => renewKeyset({ dir, days: 7, nowMs: startMs, copies });
    await Promise.all([
      take(credential, "accept"),
      take({ use: "reply" }, "accept"),
      renew(),
      take({ use: "permit" }, "accept"),
      renew(),
      take({ use: "sealing" }, "accept"),
    ]);
    for (const use of ["credential", "reply", "permit", "sealing"] as const)
      expect(await acceptedIds({ use }), use).toHaveLength(2);
    await underLock(dir, () =>
      expect(renew()).rejects.toThrow("another command is changing the keyset"),
    );
  });

  test("a renewal in between changes nothing about it", async () => {
    const { dir, copies } = filesIn(deployment);
    await take(credential, "accept");
    const before = await standingOf(deployment, credential, startMs);
    await renewKeyset({ dir, days: 7, nowMs: startMs + minuteMs, copies });
    expect((await standingOf(deployment, credential, startMs)).standing).toEqual(before.standing);
  });

  test("a sealing key stays until no keyset that prefers it is valid, however long those are", async () => {
    const sealing: KeySlot = { use: "sealing" };
    await take(sealing, "accept");
    await take(sealing, "prefer", 2 * minuteMs, { days: 30 });
    await expect(take(sealing, "retire", 8 * dayMs)).rejects.toThrow("it is too early");
    expect((await take(sealing, "retire", 16 * dayMs)).changed).toBe(true);
  });

  test("makes no key for which the keyset has no room", async () => {
    const log: KeySlot = { use: "log" };
    let refusal: unknown;
    for (let count = 0; count < 40 && refusal === undefined; count += 1)
      for (const step of ["accept", "prefer", "retire"] as const)
        refusal ??= await take(log, step, 0, { hurry: true }).then(
          () => undefined,
          (error: unknown) => error,
        );
    expect(String(refusal)).toContain("the keyset holds 32 keys, and no more fit");
    expect(await heldIds(log)).toHaveLength(1);
  });

  test("in a hurry waits for nothing", async () => {
    for (const step of ["accept", "prefer", "retire"] as const)
      expect((await take({ use: "sealing" }, step, 0, { hurry: true })).changed).toBe(true);
  });

  test("changes the keys of its own slot alone", async () => {
    const others = allKeySlots.filter((slot) => slot.holder !== "policy");
    const before = await Promise.all(others.map((slot) => acceptedIds(slot)));
    for (const step of ["accept", "prefer", "retire"] as const)
      await take({ use: "answer", holder: "policy" }, step, 0, { hurry: true });
    expect(await Promise.all(others.map((slot) => acceptedIds(slot)))).toEqual(before);
  });
});
