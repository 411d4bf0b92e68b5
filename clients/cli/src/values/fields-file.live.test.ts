import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { sallyport } from "../testing/sallyport.ts";

vi.setConfig({ testTimeout: 60_000 });

let home: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sallyport-fields-"));
  await placeIdentity(home);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (input: string) =>
  sallyport(
    ["secret", "put", "DB", "--project", "web", "--fields-file", "-"],
    { HOME: home },
    input,
  );

test("--fields-file - takes the fields from standard input", async () => {
  const { code, err } = await put('{"user": "ada"}');
  expect(code).toBe(6); // There is no gateway; what was piped in was taken.
  expect(err).toContain("[UNREACHABLE");
});

test("what is piped in and holds no fields is refused as what it is", async () => {
  for (const input of ["", "user=ada", '["ada"]', '{"port": 5432}']) {
    const { code, err } = await put(input);
    expect(code, input).toBe(2);
    expect(err).toContain("standard input does not hold fields");
    expect(err).not.toContain("ada");
  }
});
