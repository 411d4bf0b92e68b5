import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chainTo } from "./boundaries/closure.ts";
import { importsOf, packageOf } from "./boundaries/imports.ts";
import { readTexts, readTree } from "./boundaries/read-tree.ts";
import { findViolations } from "./boundaries/rules.ts";
import { findStyleViolations } from "./boundaries/style.ts";
import type { Package, Tree } from "./boundaries/tree.ts";

const real = readTree(join(import.meta.dirname, ".."));

describe("the repository", () => {
  test("is read whole", () => {
    expect(real.packages.map(({ dir }) => dir)).toEqual(
      expect.arrayContaining(["proto", "gateway", "services/lib/rpc"]),
    );
    expect(real.files.map(({ path }) => path)).toContain("test/boundaries.test.ts");
    expect(Object.keys(real.tags).sort()).toEqual([
      "client",
      "contract",
      "deploy",
      "gateway",
      "lib",
      "service",
      "test",
    ]);
  });

  test("is read with its lock file", () => {
    expect(chainTo(real.lock, "services/policy", "pg")).toEqual([
      "services/policy",
      "@sallyport/postgres",
      "pg",
    ]);
    expect(chainTo(real.lock, "gateway", "sodium-native")).toEqual([
      "gateway",
      "@sallyport/evidence",
      "sodium-native",
    ]);
  });

  test("lets nobody but tests reach a service, the gateway or deploy", () => {
    const importers = Object.entries(real.tags).filter(([, allowed]) =>
      allowed.some((tag) => ["service", "gateway", "deploy"].includes(tag)),
    );
    expect(importers.map(([tag]) => tag)).toEqual(["test"]);
  });

  test("keeps to its style", () => {
    const texts = readTexts(join(import.meta.dirname, ".."));
    expect(texts.some(({ path }) => path.endsWith(".proto"))).toBe(true);
    expect(findStyleViolations(texts, real.packages)).toEqual([]);
  });

  test("keeps every boundary", () => {
    expect(findViolations(real)).toEqual([]);
  });
});

const closed = { "./server": "./src/server.ts" };

const packages: readonly Package[] = (
  [
    { dir: "proto", name: "@sallyport/proto", tag: "contract", exports: {}, dependencies: [] },
    {
      dir: "services/lib/rpc",
      name: "@sallyport/rpc",
      tag: "lib",
      exports: {},
      dependencies: ["@sallyport/proto", "@sallyport/config"],
    },
    {
      dir: "services/lib/config",
      name: "@sallyport/config",
      tag: "lib",
      exports: {},
      dependencies: [],
    },
    {
      dir: "services/secrets",
      name: "@sallyport/secrets",
      tag: "service",
      exports: closed,
      dependencies: ["@sallyport/rpc", "pg", "ioredis", "@hpke/core", "@opentelemetry/api"],
    },
    {
      dir: "services/crypto",
      name: "@sallyport/crypto",
      tag: "service",
      exports: closed,
      dependencies: ["@hpke/core"],
    },
    {
      dir: "gateway",
      name: "@sallyport/gateway",
      tag: "gateway",
      exports: closed,
      dependencies: ["ioredis", "pg"],
    },
    {
      dir: "clients/typescript",
      name: "@sallyport/client",
      tag: "client",
      exports: {},
      dependencies: ["@sallyport/proto"],
    },
    {
      dir: "deploy",
      name: "@sallyport/deploy",
      tag: "deploy",
      exports: {},
      dependencies: ["@sallyport/client", "pg"],
    },
  ] satisfies Omit<Package, "shipped">[]
).map((owner) => ({ ...owner, shipped: [] }));

function treeWith(change: Partial<Tree>): Tree {
  return { tags: real.tags, packages, lock: {}, files: [], paths: [], ...change };
}

function file(path: string, text: string): Partial<Tree> {
  return { files: [{ path, text }] };
}

function changed(dir: string, change: Partial<Package>): Partial<Tree> {
  return {
    packages: packages.map((owner) => (owner.dir === dir ? { ...owner, ...change } : owner)),
  };
}

const tag = "node_modules/@sallyport";
const lock: Tree["lock"] = {
  gateway: { dependencies: ["@sallyport/evidence"] },
  [`${tag}/evidence`]: { dependencies: [], linkTo: "services/lib/evidence" },
  "services/lib/evidence": { dependencies: ["a"] },
  "services/crypto": { dependencies: [] },
  // The copy of "b" that stands in the package that asks for it is the one that it gets.
  "node_modules/a": { dependencies: ["b"] },
  "node_modules/a/node_modules/b": { dependencies: ["pg"] },
  "node_modules/b": { dependencies: [] },
  "node_modules/pg": { dependencies: [] },
};

describe("the rules refuse", () => {
  const store = "services/secrets/src/store.ts";
  const service = "services/secrets/src/service.ts";
  test.each<[name: string, tree: Partial<Tree>, violation: RegExp]>([
    [
      "service to service",
      file(service, 'import { x } from "@sallyport/crypto/server";'),
      /service must not import/,
    ],
    [
      "service to gateway",
      file(service, 'import "@sallyport/gateway/server";'),
      /must not import @sallyport\/gateway/,
    ],
    [
      "service to client",
      file(service, 'import { x } from "@sallyport/client";'),
      /must not import @sallyport\/client/,
    ],
    [
      "gateway to service",
      file("gateway/src/x.ts", 'await import("@sallyport/crypto/server");'),
      /gateway must not/,
    ],
    [
      "contract to lib",
      file("proto/signing/x.ts", 'export { x } from "@sallyport/rpc";'),
      /contract must not import/,
    ],
    [
      "client to lib",
      file("clients/typescript/src/x.ts", 'import { x } from "@sallyport/rpc";'),
      /client must not/,
    ],
    [
      "deploy to service",
      file("deploy/x.ts", 'import "@sallyport/crypto/server";'),
      /deploy must not import/,
    ],
    [
      "client to deploy",
      changed("clients/typescript", { dependencies: ["@sallyport/deploy"] }),
      /client must not/,
    ],
    [
      "service depending on service",
      changed("services/crypto", { dependencies: ["@sallyport/secrets"] }),
      /service must/,
    ],
    [
      "a path into another package",
      file(service, 'import "../../crypto/src/open.ts";'),
      /leaves services\/secrets/,
    ],
    [
      "a database driver in the gateway by a chain of dependencies",
      { lock },
      /gateway: must not bring pg: gateway → @sallyport\/evidence → a → b → pg/,
    ],
    [
      "a database driver in crypto's own dependencies",
      { lock: { "services/crypto": { dependencies: ["pg"] } } },
      /services\/crypto: must not bring pg: services\/crypto → pg/,
    ],
    [
      "an undeclared package",
      file("gateway/src/x.ts", 'import left from "left-pad";'),
      /left-pad is not in gateway/,
    ],
    [
      "a dependency that nothing imports",
      changed("gateway", { shipped: ["ioredis"] }),
      /nothing imports ioredis/,
    ],
    [
      "a dependency that only a test imports",
      {
        ...changed("gateway", { shipped: ["ioredis"] }),
        ...file("gateway/src/x.test.ts", 'import { Redis } from "ioredis";'),
      },
      /nothing imports ioredis/,
    ],
    ["an untagged package", changed("gateway", { tag: "" }), /no known tag/],
    [
      "a service that exports more",
      changed("gateway", { exports: { ...closed, ".": "./x.ts" } }),
      /exports something/,
    ],
    [
      "a service that exports nothing",
      changed("services/crypto", { exports: {} }),
      /exports something/,
    ],
    ["pg in a handler", file(service, 'import type { Pool } from "pg";'), /imports pg/],
    ["pg in a store", file(store, 'import { Pool } from "pg";'), /imports pg/],
    ["ioredis in secrets", file(store, 'import { Redis } from "ioredis";'), /imports ioredis/],
    [
      "OpenTelemetry in a service",
      file(service, 'import { trace } from "@opentelemetry/api";'),
      /imports OpenTelemetry/,
    ],
    ["HPKE in secrets", file(service, 'import { CipherSuite } from "@hpke/core";'), /imports HPKE/],
    [
      "AEAD in secrets",
      file(service, 'import { createCipheriv } from "node:crypto";'),
      /uses AEAD/,
    ],
    [
      "AEAD by WebCrypto",
      file("gateway/src/x.ts", "await crypto.subtle.decrypt(a, b, c);"),
      /uses AEAD/,
    ],
    [
      "a module of Node where browsers run",
      file("proto/signing/x.ts", 'import { createHash } from "node:crypto";'),
      /imports Node's modules/,
    ],
    [
      "a global of Node where browsers run",
      file("clients/typescript/src/core/x.ts", 'Buffer.from("x");'),
      /uses a global of Node/,
    ],
    [
      "an internal contract in a client",
      file(
        "clients/typescript/src/x.ts",
        'import {\n  X,\n} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";',
      ),
      /imports an internal contract/,
    ],
    [
      "a test's fixture in a handler",
      file(service, 'import { x } from "../testing/x.ts";'),
      /is for tests/,
    ],
    [
      "a page that is not there",
      file("gateway/src/x.ts", ["/** As NOWHERE", "§3 says. */"].join(" ")),
      /there is no NOWHERE.md/,
    ],
    ["a drawer file", { paths: ["gateway/src/utils.ts"] }, /name it after/],
    ["a drawer test", { paths: ["gateway/src/helper.test.ts"] }, /name it after/],
    [
      "test support beside the code",
      { paths: ["services/lib/rpc/src/fixture.ts"] },
      /stands in the package's src\/testing/,
    ],
    [
      "test support beside src",
      { paths: ["services/policy/testing/world.ts"] },
      /stands in the package's src\/testing/,
    ],
    ["a drawer folder", { paths: ["services/lib/common"] }, /name it after/],
  ])("%s", (_name, tree, violation) => {
    expect(findViolations(treeWith(tree))).toEqual([expect.stringMatching(violation)]);
  });
});

describe("the rules allow", () => {
  const service = "services/secrets/src/service";
  test.each<[name: string, tree: Partial<Tree>]>([
    ["service to lib", file(`${service}.ts`, 'import { x } from "@sallyport/rpc";')],
    [
      "a database driver in the closure of others, and circles",
      {
        lock: {
          ...lock,
          "node_modules/a/node_modules/b": { dependencies: ["a"] },
          "services/policy": { dependencies: ["pg"] },
        },
      },
    ],
    ["pg in the local Postgres", file("deploy/local/x.ts", 'import { Client } from "pg";')],
    ["lib to lib", file("services/lib/rpc/src/x.ts", 'import { x } from "@sallyport/config";')],
    ["pg in a test", file(`${service}.test.ts`, 'import { Client } from "pg";')],
    [
      "a test to the test servers",
      file(`${service}.test.ts`, 'import { x } from "@sallyport/test/infra";'),
    ],
    [
      "a fixture to the test servers",
      file("services/secrets/src/testing/x.ts", 'import { x } from "@sallyport/test/infra";'),
    ],
    [
      "HPKE in crypto",
      file("services/crypto/src/open.ts", 'import { CipherSuite } from "@hpke/core";'),
    ],
    [
      "a dependency that is imported",
      {
        ...changed("gateway", { shipped: ["ioredis"] }),
        ...file("gateway/src/x.ts", 'import type { Redis } from "ioredis";'),
      },
    ],
    [
      "a page that is there, and a standard's section",
      {
        ...file("gateway/src/x.ts", "/** SIGNING §3, RFC 9421 §2, X509-SVID §2. */"),
        paths: ["proto/SIGNING.md"],
      },
    ],
    [
      "a module of Node where Node alone runs",
      file("proto/signing/sha256/node.ts", 'import { hash } from "node:crypto";'),
    ],
    ["deploy to client", file("deploy/x.ts", 'import { x } from "@sallyport/client";')],
    [
      "names that only contain a drawer's",
      { paths: ["services/crypto/src/shared-key.ts", "gateway/src/commons.ts"] },
    ],
  ])("%s", (_name, tree) => {
    expect(findViolations(treeWith(tree))).toEqual([]);
  });
});

test("imports are found in every form", () => {
  const text = [
    'import a, { type B } from "one";',
    'import type { C } from "two/deep";',
    'import "three";',
    'export { D } from "@four/x/y";',
    'export * from "./five.ts";',
    'const e = await import("node:six");',
    'const f = createRequire(import.meta.url); f("x"); require("seven");',
  ].join("\n");
  const found = ["@four/x/y", "./five.ts", "node:six", "one", "seven", "three", "two/deep"];
  expect(importsOf(text).sort()).toEqual(found.sort());
  expect(new Set(found.map(packageOf))).toEqual(
    new Set([undefined, "@four/x", "one", "seven", "three", "two"]),
  );
});

describe("the style", () => {
  const path = "gateway/src/server.ts";
  const main = "/**\n * Why.\n * Promise.\n * Never.\n */\n";
  const styleOf = (text: string, at = path) =>
    findStyleViolations(
      [{ path: at, text }],
      packages.filter(({ dir }) => dir === "gateway"),
    );

  test("takes a main file that begins with a paragraph", () => {
    expect(styleOf(main)).toEqual([]);
    expect(styleOf("export {};\n")).toEqual([expect.stringMatching(/begin with a paragraph/)]);
  });

  test.each([
    { name: "a comment", line: `// ${"word ".repeat(20)}` },
    { name: "a string", line: `const x = "${"word ".repeat(20)}";` },
  ])("limits the columns of $name", ({ line }) => {
    expect(styleOf(`${main}${line}\n`)).toEqual([`${path}:6: is longer than 100 columns`]);
  });

  test("leaves lines alone that cannot break, and what tests say", () => {
    const long = "x".repeat(110);
    expect(styleOf(`${main}import { x } from "${long}";\n${long}\n`)).toEqual([]);
    const title = `test("${"word ".repeat(20)}", () => {});\n`;
    expect(styleOf(title, "gateway/src/a.test.ts")).toEqual([]);
  });

  test.each(["for good", "whoever asks", "his key"])("says %s in standard terms", (words) => {
    expect(styleOf(`${main}// It is ${words}.\n`)).toEqual([expect.stringMatching(/:6: .*: say /)]);
  });
});
