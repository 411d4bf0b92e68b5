import { defineCommand } from "../command/define.ts";
import { listOf, nullable, object, text } from "../command/shape.ts";
import { checkEnvironment, checkIdentities, checkRuntime } from "../doctor/local.ts";
import { checkGateway } from "../doctor/remote.ts";
import type { Mark } from "../terminal/screen.ts";

const marks: Readonly<Record<string, Mark>> = { ok: "ok", warn: "warn", bad: "bad" };

/** `sallyport doctor`: checks what has to be right, from here to the server. */
export const doctor = defineCommand({
  description:
    "The exit code is that of the first fault: 2 a setting, 4 the identity or the clock, 6 the way to the server.",
  args: {},
  options: {},
  examples: [
    ["sallyport doctor", "before asking for help"],
    ["sallyport doctor --vault staging", "another vault's identity and gateway"],
  ],
  json: listOf(
    object({
      check: text(
        "`runtime`, `environment`, `identity`, `gateway`, `reach`, `TLS`, `root`, `clock` or `accepted`",
      ),
      status: text("`ok`, `warn` or `bad`"),
      detail: text("what was found"),
      fix: nullable(text("what to do about it; null when it is well")),
    }),
  ),
  async run({ context }) {
    const findings = [
      checkRuntime(),
      ...(await checkEnvironment(context.env)),
      ...(await checkIdentities(context)),
      ...(await checkGateway(context)),
    ];
    context.exitCode = findings.find(({ status }) => status === "bad")?.exitCode ?? 0;
    return findings.map(({ check, status, detail, fix }) => ({ check, status, detail, fix }));
  },
  show(findings, screen) {
    for (const { check, status, detail, fix } of findings) {
      screen.mark(marks[status] ?? "bad", `${check.padEnd(11)}  ${detail}`);
      if (fix !== null) screen.line(`               → ${fix}`);
    }
  },
});
