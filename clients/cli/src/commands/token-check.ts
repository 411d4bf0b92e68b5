import { text as readText } from "node:stream/consumers";
import { defineCommand } from "../definition/define.ts";
import { text } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { promptHidden } from "../terminal/input.ts";
import { checkShape, checkToken, showCheck } from "../tokens/check.ts";
import type { Context } from "../app/context.ts";

/** `sallyport token check`: what a token would enroll, without enrolling. */
export const tokenCheck = defineCommand({
  description:
    "Takes the token from SALLYPORT_ENROLLMENT_TOKEN, from standard input, or prompts for it. " +
    "The server runs every check of an enrollment from here and reports what it would make, or " +
    "why not; no use is spent, and the check is recorded. SALLYPORT_URL is the address of the " +
    "gateway, if this computer has no user of the vault.",
  args: {},
  options: {
    name: text("the machine name that would be asked for", { value: "name" }),
    hostname: text("the host name that would be given; this computer's if not given", {
      value: "name",
    }),
  },
  examples: [
    ["sallyport token check < token-file", "what would this enroll?"],
    [
      "sallyport token check --hostname build-7.ci.example < token-file",
      "would it enroll that host?",
    ],
  ],
  json: checkShape,
  async run({ options: { name, hostname }, context }) {
    const token = await tokenText(context);
    const wanted = {
      ...(name === undefined ? {} : { name }),
      ...(hostname === undefined ? {} : { hostname }),
    };
    return checkToken(context, token, wanted);
  },
  show: showCheck,
});

async function tokenText({ env }: Context): Promise<string> {
  const given = env["SALLYPORT_ENROLLMENT_TOKEN"];
  if (given) return given.trim();
  const typed = process.stdin.isTTY
    ? await promptHidden("Enrollment token: ")
    : await readText(process.stdin);
  if (typed.trim() === "")
    throw new UsageError(
      "no token was given",
      "pipe it in, or put it into SALLYPORT_ENROLLMENT_TOKEN",
    );
  return typed.trim();
}
