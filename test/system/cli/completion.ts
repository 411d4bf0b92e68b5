import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { isInstalled } from "../deployment.ts";
import { cliProgram } from "./home.ts";
import type { Cli } from "./state.ts";

// Types into an interactive zsh on a terminal: zsh's own completion calls the function of the
// script.
const typing = `
import os, pty, select, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp("zsh", ["zsh", "-f"])
out = b""
def until(word, seconds):
    global out
    end = time.time() + seconds
    while word not in out and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: out += os.read(fd, 4096)
            except OSError: return
def enter(text): os.write(fd, text.encode())
enter("autoload -Uz compinit && compinit -D -u && source <(sallyport completion zsh) && echo re''ady\\n")
until(b"ready", 30)
enter("sallyport get OD")
for attempt in range(8):
    enter("\\t")
    until(b"ODD", 4)
enter(" --json\\n")
until(b'"version"', 30)
print(out.decode("utf8", "replace"))
`;

/**
 * Completion in the shells themselves. Names have a time limit: a busy machine is asked again, as a
 * person would.
 */
export function describeCompletion(cli: () => Cli): void {
  describe("completion", () => {
    const installed = (shell: string) =>
      isInstalled(shell) ? "" : ` (skipped: ${shell} not installed)`;

    /** A folder with `sallyport` in it, as shells find it. */
    function pathWithProgram(): string {
      const bin = join(cli().home.dir, "bin");
      mkdirSync(bin, { recursive: true });
      const file = join(bin, "sallyport");
      writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${cliProgram}" "$@"\n`, {
        mode: 0o755,
      });
      return `${bin}:${cli().home.env["PATH"] ?? ""}`;
    }

    async function inShell(shell: string, args: readonly string[]): Promise<string> {
      const env = { ...cli().home.env, PATH: pathWithProgram() };
      const { stdout, stderr } = await promisify(execFile)(shell, [...args], {
        env,
        timeout: 100_000,
      });
      expect(stderr).toBe("");
      return stdout;
    }

    test(`bash offers commands, options and names of the server${installed("bash")}`, async () => {
      await cli().note("completion", ["bash"]);
      const script = `
        source <(sallyport completion bash)
        [ "$(complete -p sallyport)" = "complete -F _sallyport sallyport" ] || exit 1
        offers() {
          COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
          for attempt in 1 2 3 4 5 6 7 8; do _sallyport; [ "\${#COMPREPLY[@]}" -gt 0 ] && break; done
          printf '%s ' "\${COMPREPLY[@]}"; echo
        }
        offers sallyport vault ''
        offers sallyport get ''
        offers sallyport get D
        offers sallyport run --only DB_URL,O
        offers sallyport token create --project ''
        cd "$HOME" && offers sallyport get X --output binar`;
      expect(
        (await inShell("bash", ["--norc", "-c", script])).split("\n").map((line) => line.trim()),
      ).toEqual([
        "list use show create sealing",
        "BINARY DB DB_URL ODD my-key",
        "DB DB_URL",
        "DB_URL,ODD",
        "api web",
        "binary",
        "",
      ]);
    });

    test.skipIf(installed("fish") !== "")(`fish offers them too${installed("fish")}`, async () => {
      const script = `sallyport completion fish | source
        for attempt in 1 2 3 4 5 6 7 8
          set -g offers (complete -C "sallyport get D")
          test (count $offers) -gt 0; and break
        end
        printf '%s\\n' $offers
        complete -C "sallyport vault u"`;
      expect(await inShell("fish", ["--no-config", "-c", script])).toBe(
        "DB\nDB_URL\nuse\tChoose the vault that commands use\n",
      );
    });

    test.skipIf(installed("zsh") !== "" || installed("python3") !== "")(
      `zsh completes a name on a terminal${installed("zsh")}${installed("python3")}`,
      async () => {
        const out = await inShell("python3", ["-c", typing]);
        expect(out).toContain('"name": "ODD"');
      },
    );
  });
}
