import { defineCommand } from "../definition/define.ts";
import { listOf, nullable, object, text as word } from "../definition/shape.ts";
import { text } from "../definition/options.ts";
import { checkData } from "../doctor/data.ts";
import { checkEnvironment, checkIdentities, checkRuntime } from "../doctor/local.ts";
import { checkGateway } from "../doctor/remote.ts";
import type { Context } from "../app/context.ts";
import type { Finding } from "../doctor/finding.ts";
import type { Mark } from "../terminal/screen.ts";

const marks: Readonly<Record<string, Mark>> = { ok: "ok", warn: "warn", bad: "bad" };

/** `sallyport doctor`: checks what has to be right, from here to the server. */
export const doctor = defineCommand({
  description:
    "The exit code is that of the first fault: 2 a setting, 4 the identity or the clock, 6 the " +
    "way to the server.",
  args: {},
  options: {
    data: text("check what ends in a deployment's data directory instead", {
      value: "folder",
      complete: "files",
    }),
  },
  examples: [
    ["sallyport doctor", "before asking for help"],
    ["sallyport doctor --vault staging", "another vault's identity and gateway"],
    [
      "sallyport doctor --data .sallyport",
      "for an operator: keyset, signer and certificates that end soon",
    ],
  ],
  json: listOf(
    object({
      check: word(
        "`runtime`, `environment`, `identity`, `gateway`, `proxy`, `reach`, `TLS`, `root`, " +
          "`clock` or `accepted`; with --data `runtime`, `data`, `root` or `certificates`",
      ),
      status: word("`ok`, `warn` or `bad`"),
      detail: word("what was found"),
      fix: nullable(word("what to do about it; null when it is well")),
    }),
  ),
  async run({ context, options: { data } }) {
    const findings = [
      checkRuntime(),
      ...(await (data === undefined ? checkAll(context) : checkData(data))),
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

async function checkAll(context: Context): Promise<Finding[]> {
  return [
    ...(await checkEnvironment(context.env)),
    ...(await checkIdentities(context)),
    ...(await checkGateway(context)),
  ];
}
