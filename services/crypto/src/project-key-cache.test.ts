import { newId } from "@sallyport/proto/ids";
import { exposeMetrics } from "@sallyport/telemetry";
import { seriesOf } from "@sallyport/test/infra";
import { beforeEach, expect, test } from "vitest";
import { createFileKek, EnvelopeError, type KekProvider, newKey } from "@sallyport/proto/keyring";
import { createProjectKeyCache } from "./project-key-cache.ts";
import { wrapProjectKey } from "./project-key.ts";

const owner = { vaultId: newId("vlt"), projectId: newId("prj") };
const file = createFileKek(newKey());
let unwrapped: Uint8Array[];
let kek: KekProvider;

beforeEach(() => {
  unwrapped = [];
  kek = {
    ...file,
    async unwrap(wrapped, aad) {
      const key = await file.unwrap(wrapped, aad);
      unwrapped.push(key);
      return key;
    },
  };
});

const wrap = (key: Uint8Array) => wrapProjectKey(file, owner, { generation: 1, key });
const isZero = (bytes: Uint8Array | undefined) =>
  bytes !== undefined && bytes.every((byte) => byte === 0);

test("asks the KEK once for a key, and hands out copies that their holder zeroes", async () => {
  using cache = createProjectKeyCache(kek);
  const key = newKey();
  const wrapped = await wrap(key);
  const first = await cache.get(owner, wrapped);
  first[Symbol.dispose]();
  expect(isZero(first.key)).toBe(true);
  using second = await cache.get(owner, wrapped);
  expect(Buffer.compare(second.key, key)).toBe(0);
  expect(unwrapped.length).toBe(1);
});

test("a key that is kept is still refused to another project or vault", async () => {
  using cache = createProjectKeyCache(kek);
  const wrapped = await wrap(newKey());
  using _held = await cache.get(owner, wrapped);
  await expect(cache.get({ ...owner, projectId: newId("prj") }, wrapped)).rejects.toThrow(
    EnvelopeError,
  );
  await expect(cache.get({ ...owner, vaultId: newId("vlt") }, wrapped)).rejects.toThrow(
    EnvelopeError,
  );
});

test("zeroes a key when its time is over, not one in use", async () => {
  let nowMs = 0;
  using cache = createProjectKeyCache(kek, { ttlMs: 1_000, clock: () => nowMs });
  const key = newKey();
  const wrapped = await wrap(key);
  using held = await cache.get(owner, wrapped);
  nowMs = 1_000;
  using _again = await cache.get(owner, wrapped);
  expect(unwrapped.length).toBe(2);
  expect(isZero(unwrapped[0])).toBe(true);
  expect(Buffer.compare(held.key, key)).toBe(0);
});

test("of two who unwrap one key at a time the later's is kept, and the other zeroed", async () => {
  using cache = createProjectKeyCache(kek);
  const key = newKey();
  const wrapped = await wrap(key);
  const held = await Promise.all([cache.get(owner, wrapped), cache.get(owner, wrapped)]);
  expect(unwrapped.map(isZero)).toEqual([true, false]);
  expect(held.map((each) => Buffer.compare(each.key, key))).toEqual([0, 0]);
  (await cache.get(owner, wrapped))[Symbol.dispose]();
  expect(unwrapped).toHaveLength(2);
});

test("keeps no more keys than it may, and none after its end", async () => {
  const cache = createProjectKeyCache(kek, { maxKeys: 2 });
  for (let count = 0; count < 3; count += 1)
    (await cache.get(owner, await wrap(newKey())))[Symbol.dispose]();
  expect(unwrapped.map(isZero)).toEqual([true, false, false]);
  cache[Symbol.dispose]();
  expect(unwrapped.map(isZero)).toEqual([true, true, true]);
});

test("the sweep needs no caller", async () => {
  using cache = createProjectKeyCache(kek, { ttlMs: 20 });
  (await cache.get(owner, await wrap(newKey())))[Symbol.dispose]();
  await expect.poll(() => isZero(unwrapped[0])).toBe(true);
});

async function shown(): Promise<(number | undefined)[]> {
  const series = seriesOf(await exposeMetrics());
  const lookups = ["hit", "miss"].map((result) =>
    series.get(`sallyport_cache_lookups_total{cache="project_keys",result="${result}"}`),
  );
  return [...lookups, series.get('sallyport_cache_entries{cache="project_keys"}')];
}

test("tells how often it was asked, with what result, and how many keys it keeps", async () => {
  using cache = createProjectKeyCache(kek);
  const [hits = 0, misses = 0, entries] = await shown();
  expect(entries).toBe(0);
  const wrapped = await wrap(newKey());
  for (let count = 0; count < 3; count += 1) (await cache.get(owner, wrapped))[Symbol.dispose]();
  expect(await shown()).toEqual([hits + 2, misses + 1, 1]);
});
