import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { inPty, lackingPty } from "../testing/pty.ts";
import { program } from "../testing/sallyport.ts";

vi.setConfig({ testTimeout: 60_000 });

let home: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "sallyport-pty-"));
  await placeIdentity(home, { vaultName: "prod\u001b[2Juction" });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function shown(
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
  steps: readonly string[] = [],
) {
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, TERM: "xterm", ...more };
  return inPty(steps, [process.execPath, program, ...args], env);
}

test.skipIf(lackingPty !== "")(
  `a terminal gets colours, and of a hostile name only its codes${lackingPty}`,
  () => {
    const out = shown(["vault", "list"]);
    expect(out).toContain("\u001b[2m");
    expect(out).toContain(String.raw`prod\x1b[2Ju`);
    expect(out).not.toContain("\u001b[2J");
  },
);

test.skipIf(lackingPty !== "")(`NO_COLOR and TERM=dumb are heeded${lackingPty}`, () => {
  for (const more of [{ NO_COLOR: "1" }, { TERM: "dumb" }])
    expect(shown(["vault", "list"], more)).not.toContain("\u001b");
  expect(shown(["nope"])).toContain("\u001b[31m");
  expect(shown(["nope"], { NO_COLOR: "1" })).not.toContain("\u001b");
});

test.skipIf(lackingPty !== "")(`a login code is asked for without showing it${lackingPty}`, () => {
  const code = "sp_login_typed-in";
  const steps = ["until:Login code", `type:${code}\\n`];
  const out = shown(["login"], { SALLYPORT_URL: "https://localhost:1" }, steps);
  expect(out).toMatch(/^exit 2/);
  expect(out).toContain("this is not a login code");
  expect(out).not.toContain("typed-in");
});

test.skipIf(lackingPty !== "")(
  `Ctrl-C at a hidden prompt is a stop and not a wrong usage${lackingPty}`,
  () => {
    const env = { SALLYPORT_URL: "https://localhost:1" };
    const out = shown(["login"], env, ["until:Login code", "type:\\x03"]);
    expect(out).toMatch(/^exit 130/);
    expect(out).toMatch(/stopped \[STOPPED\][^]*nothing was done/);
  },
);

test.skipIf(lackingPty !== "").each(["HUP", "TERM", "QUIT", "INT"])(
  "SIG%s at a hidden prompt gives the terminal its echo back",
  (signal) => {
    const line = ["sh", "-c", '"$0" "$@"; stty -a', process.execPath, program, "login"];
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      SALLYPORT_URL: "https://localhost:1",
    };
    const out = inPty(["until:Login code", `signal:${signal}`], line, env);
    expect(out).toMatch(/[ ;]echo /);
    expect(out).toMatch(/[ ;]icanon /);
  },
);

test.skipIf(lackingPty !== "")(
  `SIGHUP at a question gives the terminal its echo back${lackingPty}`,
  () => {
    const confirm = JSON.stringify(join(import.meta.dirname, "confirm.ts"));
    const ask = `import(${confirm}).then(({ confirmed }) => confirmed("Sure?", false))`;
    const line = ["sh", "-c", '"$0" -e "$1"; stty -a', process.execPath, ask];
    const out = inPty(["until:[y/N]", "signal:HUP"], line, { PATH: process.env["PATH"] ?? "" });
    expect(out).toMatch(/[ ;]echo /);
  },
);

test.skipIf(lackingPty !== "")(`lines that are pasted at a prompt are refused${lackingPty}`, () => {
  const steps = ["until:Login code", "type:sp_login_one\\nsp_login_two\\n"];
  const out = shown(["login"], { SALLYPORT_URL: "https://localhost:1" }, steps);
  expect(out).toMatch(/^exit 2/);
  expect(out).toContain("several lines were pasted");
  expect(out).not.toMatch(/sp_login_(?:one|two)/);
});

test.skipIf(lackingPty !== "")(`leaving at a question changes nothing${lackingPty}`, () => {
  const confirm = JSON.stringify(join(import.meta.dirname, "confirm.ts"));
  const ask = `import(${confirm}).then(({ confirmed }) => confirmed("Sure?", false)).catch(({ name, message }) => console.log(name, message))`;
  const leaving = [
    ["\\x03", "CliError stopped"],
    ["\\x04", "UsageError nothing was changed"],
  ] as const;
  for (const [key, said] of leaving)
    expect(
      inPty(["until:[y/N]", `type:${key}`], [process.execPath, "-e", ask], {
        PATH: process.env["PATH"] ?? "",
      }),
    ).toContain(said);
});

test.skipIf(lackingPty !== "")(
  `what takes its time is said on a terminal, and taken away again${lackingPty}`,
  () => {
    const out = shown(["vault", "show", "--timeout", "3s"]);
    expect(out).toMatch(/trying again in [\d.]+ s/);
    expect(out).toMatch(/^exit 6/);
  },
);
