import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  SallyportError,
  formatToken,
  newTokenSecret,
} from "@sallyport/client";
import { durationWithin, textUpTo } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, list, integer } from "../definition/options.ts";
import { object, text } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { relativeTime } from "../terminal/time.ts";
import { checkScope, findScope } from "../tokens/scope.ts";
import { readRange } from "../tokens/source-range.ts";
import { gatewayOf } from "../views/login-code.ts";
import { plainToken, tokenKeys } from "../views/token.ts";

const mostRanges = 32;

/**
 * `sallyport token create`: makes an enrollment token; its secret half is made here and shown once.
 */
export const tokenCreate = defineCommand({
  description:
    "Secrets are named by id, as project/NAME, or by their name alone in the projects given. A " +
    "project that stands before a secret is joined too.\n\n" +
    "Globs know * ? [a-z] [!a-z]. --machine-name with {id8} in it makes the name itself, such as " +
    "worker-{id8}: {id8} becomes 8 random characters. Host names are what machines say of " +
    "themselves: a guard against mistakes, not against an attacker.",
  args: {},
  options: {
    project: list("projects that its machines join, by name or id: at most 100", {
      value: "A,B",
      complete: "projects",
    }),
    secret: list("secrets that its machines may read, at most 1000", { value: "A,project/B" }),
    ttl: durationWithin("1h", "how long the token enrolls", { min: "60s", max: "365d" }),
    machineTtl: durationWithin("1h", "how long each machine lives", { min: "60s", max: "30d" }),
    uses: integer(
      "how many machines it may make, 1 to 10000 (1 if not given)",
      {
        min: 1,
        max: 10_000,
      },
      { default: 1 },
    ),
    source: list("address ranges from which it enrolls, at most 32; everywhere if not given", {
      value: "CIDR",
    }),
    hostname: textUpTo(253, "glob that host names have to match", { value: "glob" }),
    machineName: textUpTo(128, "glob that machine names have to match, or how they are made", {
      value: "pattern",
    }),
    anyVersion: flag("its machines may read every version, not only the current one"),
    description: textUpTo(500, "for people: at most 500 bytes"),
  },
  examples: [
    [
      "sallyport token create --project web --secret DB_URL,API_KEY",
      "for one machine, for an hour",
    ],
    [
      "sallyport token create --secret web/DB_URL,api/KEY --uses 100 --ttl 30d --source " +
        "10.1.0.0/16 --machine-name 'ci-{id8}'",
      "for a pipeline, from one network",
    ],
    [
      "SALLYPORT_ENROLLMENT_TOKEN=$(sallyport token create --project web --secret DB_URL) " +
        "sallyport enroll",
      "make this computer a machine",
    ],
  ],
  json: object({
    token: text("the token: it is shown this once"),
    next: text("the command that enrolls a machine with it, out of SALLYPORT_ENROLLMENT_TOKEN"),
    ...tokenKeys,
  }),
  async run({ options, context }) {
    checkScope(options);
    if (options.source.length > mostRanges)
      throw new UsageError(
        `--source takes at most ${mostRanges} ranges, not ${options.source.length}`,
      );
    const sourceCidrs = [...new Set(options.source.map((typed) => readRange(typed, "--source")))];
    return context.session.asUserOnce((client, identity) =>
      create(client, identity, { ...options, sourceCidrs }),
    );
  },
  show({ token, next, maxUses, expiresAt, secretIds }, screen, { context: { progress } }) {
    screen.text(token);
    const machines = maxUses === 1 ? "one machine" : `up to ${maxUses} machines`;
    progress.say(`shown once; it makes ${machines} and expires ${relativeTime(expiresAt)}`);
    if (secretIds.length === 0)
      progress.say("its machines may read nothing until they are granted something");
    progress.say(`on the machine, with the token in SALLYPORT_ENROLLMENT_TOKEN: ${next}`);
  },
});

type TokenOptions = {
  readonly project: readonly string[];
  readonly secret: readonly string[];
  readonly ttl: number;
  readonly machineTtl: number;
  readonly uses: number;
  readonly sourceCidrs: string[];
  readonly hostname: string;
  readonly machineName: string;
  readonly anyVersion: boolean;
  readonly description: string;
};

async function create(client: Sallyport, identity: Identity, options: TokenOptions) {
  const { uses, sourceCidrs, hostname, machineName, anyVersion, description } = options;
  const scope = await findScope(client, options);
  const { seed, publicKeySha256 } = newTokenSecret();
  const { token } = await client.services.enrollment.createToken({
    ...scope,
    tokenKeySha256: publicKeySha256,
    tokenLifetime: durationFromMs(options.ttl * 1000),
    machineLifetime: durationFromMs(options.machineTtl * 1000),
    maxUses: uses,
    sourceCidrs,
    hostnamePattern: hostname,
    machineNamePattern: machineName,
    anyVersion,
    description,
  });
  if (!token) throw new SallyportError("INTERNAL", "the server described no token");
  const { vaultId, rootFingerprint } = identity;
  const shown = formatToken("enr", { id: token.tokenId, vaultId, rootFingerprint, seed });
  return { token: shown, next: `${gatewayOf(identity)} sallyport enroll`, ...plainToken(token) };
}
