import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { holdCeremony } from "./ceremony.ts";
import { type Layout, layOut } from "../data/layout.ts";
import { type Deployment, IncompleteDeploymentError, findStanding } from "./standing.ts";

const marker = "supervisor/deployment.json";
const begun = "supervisor/ceremony-begun";
const cluster = "postgres/cluster/PG_VERSION";
const keys = [
  "crypto/kek.key",
  "crypto/keyring.bin",
  "policy/permit.key",
  "secrets/slip.key",
  "identity/credential.key",
  "audit/log.key",
  "audit/answer.key",
  "policy/answer.key",
  "secrets/answer.key",
  "identity/answer.key",
  "root/root.key",
];
const required = [...keys.slice(0, -1), "postgres/superuser.password", cluster];
const authorities = ["authorities/mesh/ca.pem", "authorities/edge/ca.pem"];
const authorityKeys = ["authorities/mesh/ca.key", "authorities/edge/ca.key"];

let held: string;
let data: string;
let layout: Layout;
const scratch = mkdtempSync(join(tmpdir(), "sallyport-ceremony-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function fresh(): string {
  return mkdtempSync(join(scratch, "data-"));
}

function put(dir: string, file: string, content = "kept"): void {
  mkdirSync(dirname(join(dir, file)), { recursive: true });
  writeFileSync(join(dir, file), content, { mode: 0o600 });
}

function tree(dir: string): ReadonlyMap<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return new Map(paths.map((path) => [relative(dir, path), readFileSync(path, "base64")]));
}

async function hold(dir: string): Promise<Deployment> {
  const laidOut = layOut(dir);
  return holdCeremony(laidOut, "localhost", await findStanding(laidOut));
}

// One real ceremony. Postgres's part is not the ceremony's: what it leaves stands for it.
beforeAll(async () => {
  held = fresh();
  await hold(held);
  put(held, "postgres/superuser.password");
  put(held, cluster);
}, 60_000);

beforeEach(() => {
  data = fresh();
  cpSync(held, data, { recursive: true, preserveTimestamps: true });
  layout = layOut(data);
});

describe("a ceremony that was held", () => {
  test("is marked, leaves every key to its owner alone, and is never held again, wherever it is moved", async () => {
    expect(existsSync(join(data, begun))).toBe(false);
    for (const file of [...keys, ...authorityKeys, marker])
      expect(statSync(join(held, file)).mode & 0o777, file).toBe(0o600);
    const before = tree(data);
    const { rootFingerprint } = JSON.parse(readFileSync(join(held, marker), "utf8")) as Deployment;
    const edgeCaFile = join(data, "authorities/edge/ca.pem");
    expect(await hold(data)).toEqual({ rootFingerprint, edgeCaFile });
    expect(tree(data)).toEqual(before);
  });

  test.each([...required, ...authorities])(
    "misses %s: the start names it and changes nothing",
    async (file) => {
      rmSync(join(data, file));
      const before = tree(data);
      await expect(findStanding(layout)).rejects.toThrow(IncompleteDeploymentError);
      await expect(hold(data)).rejects.toThrow(
        `${file === cluster ? dirname(cluster) : file} in ${data} is missing`,
      );
      expect(tree(data)).toEqual(before);
    },
  );

  test.each(["root/root.key", ...authorityKeys])(
    "needs no %s, and makes no other",
    async (file) => {
      rmSync(join(data, file));
      const before = tree(data);
      await hold(data);
      expect(tree(data)).toEqual(before);
    },
  );

  test("has lost its marker: the KEK, the root and all else stay, and the start names them", async () => {
    rmSync(join(data, marker));
    const before = tree(data);
    await expect(hold(data)).rejects.toThrow(
      /holds crypto\/kek\.key, .*postgres\/cluster, root\/root\.key.*, but not supervisor\/deployment\.json/,
    );
    expect(tree(data)).toEqual(before);
  });

  test.each(["", "{", '{"rootFingerprint":1}', "null"])(
    "has a damaged marker, %j: it is named",
    async (text) => {
      writeFileSync(join(data, marker), text);
      const before = tree(data);
      await expect(hold(data)).rejects.toThrow(`${join(data, marker)} is damaged`);
      expect(tree(data)).toEqual(before);
    },
  );
});

test.each([...keys, ...required.slice(-2), ...authorities, ...authorityKeys])(
  "no start makes a deployment where %s alone is left of another",
  async (file) => {
    const dir = fresh();
    put(dir, file);
    await expect(hold(dir)).rejects.toThrow(
      new RegExp(
        `holds ${file === cluster ? dirname(cluster) : file}, but not supervisor/deployment.json`,
      ),
    );
    expect(tree(dir)).toEqual(new Map([[file, Buffer.from("kept").toString("base64")]]));
  },
);

describe("a ceremony that was cut off", () => {
  // In the order in which the files came to be, so that each prefix is what an interruption leaves.
  const inOrder = (): string[] => {
    const made = (file: string): bigint => statSync(join(held, file), { bigint: true }).mtimeNs;
    const files = [...tree(held).keys()].filter(
      (file) => !file.startsWith("postgres") && file !== marker,
    );
    return files.sort((a, b) => Number(made(a) - made(b)));
  };

  test("is finished by the next start from every point, with every key that there was", async () => {
    const files = inOrder();
    const points = files.flatMap((file, index) => (keys.includes(file) ? [index + 1] : []));
    for (const point of [0, ...points]) {
      const dir = fresh();
      put(dir, begun);
      for (const file of files.slice(0, point)) {
        mkdirSync(dirname(join(dir, file)), { recursive: true });
        cpSync(join(held, file), join(dir, file));
      }
      const before = tree(dir);
      await hold(dir);
      const after = tree(dir);
      for (const file of keys)
        if (before.has(file)) expect(after.get(file), file).toBe(before.get(file));
      expect([...after.keys()]).toEqual(
        expect.arrayContaining([...keys, marker, "crypto/keyset.bin"]),
      );
      expect(after.has(begun)).toBe(false);
    }
  }, 300_000);

  test("and has lost its KEK: the keyring stays, and the start names what it needs", async () => {
    rmSync(join(data, marker));
    rmSync(join(data, "crypto/kek.key"));
    put(data, begun);
    const before = tree(data);
    await expect(hold(data)).rejects.toThrow(
      /the keyring needs the KEK file:[0-9a-f]{32}, but .*kek\.key is missing/,
    );
    expect(tree(data)).toEqual(before);
  });
});
