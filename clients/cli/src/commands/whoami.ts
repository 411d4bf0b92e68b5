import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  PrincipalKind,
  PrincipalKindSchema,
  RoleSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { defineCommand } from "../definition/define.ts";
import { choice } from "../definition/options.ts";
import { nullable, object, text, time } from "../definition/shape.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport whoami`: what the server knows of the identity in use. */
export const whoami = defineCommand({
  args: {},
  options: { as: choice("which identity; the user's if there is one", ["user", "machine"]) },
  examples: [
    ["sallyport whoami", "who you are"],
    ["sallyport whoami --as machine", "who this machine is"],
  ],
  json: object({
    principalId: text("the user's or machine's id"),
    kind: text("`user` or `machine`"),
    name: text("its name"),
    role: nullable(
      text("a user's role: `owner`, `admin`, `developer` or `auditor`; null for a machine"),
    ),
    vaultId: text("the vault's id"),
    vaultName: text("the vault's name"),
    expiresAt: nullable(time("when its key stops working")),
  }),
  async run({ options: { as }, context }) {
    const me = await context.session.asAny(
      as === undefined ? ["user", "machine"] : [as],
      (client) => client.services.users.whoAmI({}),
    );
    const { principalId, name, vaultId, vaultName, expiresAt } = me;
    const kind = enumName(PrincipalKindSchema, me.kind).toLowerCase();
    const role =
      me.kind === PrincipalKind.USER ? enumName(RoleSchema, me.role).toLowerCase() : null;
    const until = expiresAt ? timestampDate(expiresAt).toISOString() : null;
    return { principalId, kind, name, role, vaultId, vaultName, expiresAt: until };
  },
  show({ principalId, kind, name, role, vaultId, vaultName, expiresAt }, screen) {
    screen.facts([
      ["name", name],
      ["kind", role === null ? kind : `${kind}, ${role}`],
      ["id", principalId],
      ["vault", `${vaultName} (${vaultId})`],
      ["expires", relativeTime(expiresAt)],
    ]);
  },
});
