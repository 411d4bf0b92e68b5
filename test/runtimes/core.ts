import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { expectedVerdicts, signingVectors } from "../interop/expected-verdicts.ts";
import { announceMissing } from "../interop/foreign-program.ts";
import type { startMainJob } from "../system/deployment.ts";
import { bundleForBrowser } from "./bundle.ts";
import { findRuntimes } from "./runtimes.ts";

const vectors = Object.fromEntries(
  readdirSync(signingVectors).map((name): [string, unknown] => [
    name.replace(".json", ""),
    JSON.parse(readFileSync(join(signingVectors, name), "utf8")),
  ]),
);

// The library says that it does not trust an answer, not at which step of the specification.
const stepless = /^(?:answers|replies)\/(?:contents|refusals|replies)Invalid\//;
const expected = Object.fromEntries(
  Object.entries(expectedVerdicts()).map(([name, verdict]) => [
    name,
    stepless.test(name) ? "refused" : verdict,
  ]),
);

/**
 * Shows that the core of the library, bundled as for a browser, does in every runtime what it does
 * in Node.
 */
export async function describeCoreElsewhere(
  job: () => Awaited<ReturnType<typeof startMainJob>>,
): Promise<void> {
  test("the code that runs elsewhere is the one that the library's README shows", () => {
    const readme = readFileSync(
      join(import.meta.dirname, "../../clients/typescript/README.md"),
      "utf8",
    );
    expect(readme).toContain(readFileSync(join(import.meta.dirname, "snippet.ts"), "utf8"));
  });
  for (const { name, prepared, run } of await findRuntimes()) {
    const skipped = announceMissing(`the core in ${name}`, prepared);
    describe.skipIf(skipped !== "")(`the core in ${name}${skipped}`, () => {
      let outcome: Record<string, unknown>;
      beforeAll(async () => {
        const { machine, granted, deployment } = job();
        const { code } = await bundleForBrowser();
        const input = { vectors, identity: machine, secretIds: granted };
        const reached = { url: machine.url, caFile: deployment.system.edgeCaFile };
        outcome = (await run(code, input, reached)) as Record<string, unknown>;
      });

      test("agrees with every vector of SIGNING", () => {
        expect(outcome["verdicts"]).toEqual(expected);
      });

      test("lists and reads what was granted, sealed and unsealed", () => {
        const values = { DB_URL: job().values.DB_URL, API_KEY: job().values.API_KEY };
        expect(outcome["sealed"]).toEqual(values);
        expect(outcome["unsealed"]).toEqual(values);
        expect(outcome["listed"]).toEqual(["API_KEY", "DB_URL"]);
        expect(outcome["epoch"]).toBe(1);
      });

      test("is refused with another key, and refuses another root", () => {
        expect(outcome["refusals"]).toEqual({
          stranger: "REQUEST_REJECTED",
          otherRoot: "ROOT_CHANGED",
        });
      });
    });
  }
}
