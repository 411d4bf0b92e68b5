import { durationFromMs, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  SallyportError,
  formatToken,
  newTokenSecret,
} from "@sallyport/client";
import { defineCommand } from "../command/define.ts";
import { durationOr, flag, integerOr, requiredList, requiredText, textOr } from "../command/options.ts";
import { integer, object, text, time } from "../command/shape.ts";
import { findProject, findSecret } from "../lookup.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport token create`: makes an enrollment token; its secret half is made here and shown once. */
export const tokenCreate = defineCommand({
  args: {},
  options: {
    project: requiredText("project that its machines join, by name or id", {
      value: "project",
      complete: "projects",
    }),
    secret: requiredList("secrets that its machines may read", { value: "A,B" }),
    ttl: durationOr("1h", "how long the token enrolls, 60s to 365d"),
    machineTtl: durationOr("1h", "how long each machine lives, 60s to 30d"),
    uses: integerOr(1, "how many machines it may make", { min: 1, max: 10_000 }),
    anyVersion: flag("its machines may read every version, not only the current one"),
    description: textOr("", "for people"),
  },
  examples: [
    ["sallyport token create --project web --secret DB_URL,API_KEY", "for one machine, for an hour"],
    ["sallyport token create --project web --secret DB_URL --uses 100 --ttl 30d", "for a pipeline"],
  ],
  json: object({
    token: text("the token: it is shown this once"),
    tokenId: text("its id"),
    uses: integer("how many machines it may make"),
    expiresAt: time("when it stops enrolling"),
  }),
  run: ({ options, context }) =>
    context.session.asUserOnce((client, identity) => create(client, identity, options)),
  show({ token, uses, expiresAt }, screen, { context }) {
    screen.text(token);
    const machines = uses === 1 ? "one machine" : `up to ${uses} machines`;
    context.progress.say(`shown once; it makes ${machines} and expires ${relativeTime(expiresAt)}`);
  },
});

type TokenOptions = {
  readonly project: string;
  readonly secret: readonly string[];
  readonly ttl: number;
  readonly machineTtl: number;
  readonly uses: number;
  readonly anyVersion: boolean;
  readonly description: string;
};

async function create(client: Sallyport, { vaultId, rootFingerprint }: Identity, options: TokenOptions) {
  const { uses, anyVersion, description } = options;
  const project = await findProject(client, options.project);
  const secrets = await Promise.all(
    options.secret.map((name) => findSecret(client, project.projectId, name)),
  );
  const { seed, publicKeySha256 } = newTokenSecret();
  const { token } = await client.services.enrollment.createToken({
    tokenKeySha256: publicKeySha256,
    projectIds: [project.projectId],
    secretIds: secrets.map((secret) => secret?.secretId ?? ""),
    tokenLifetime: durationFromMs(options.ttl * 1000),
    machineLifetime: durationFromMs(options.machineTtl * 1000),
    maxUses: uses,
    anyVersion,
    description,
  });
  if (!token?.expiresAt) throw new SallyportError("INTERNAL", "the server described no token");
  const { tokenId } = token;
  const shown = formatToken("enr", { id: tokenId, vaultId, rootFingerprint, seed });
  return { token: shown, tokenId, uses, expiresAt: timestampDate(token.expiresAt).toISOString() };
}
