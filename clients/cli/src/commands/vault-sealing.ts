import { SallyportError, type Sallyport } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { optional } from "../definition/options.ts";
import { namesOf } from "../find/names.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { momentOf } from "../views/moment.ts";
import { person, personText } from "../views/person.ts";
import {
  type VaultSealingView,
  readSetting,
  sealedSecretView,
  settings,
  vaultSealingShape,
} from "../views/sealing.ts";

/** `sallyport vault sealing [on|off]`: whether every secret of the vault is read sealed only. */
export const vaultSealing = defineCommand({
  description:
    "On, a read without a recipient key is refused for every secret of the vault: no value " +
    "passes the gateway in plaintext. The clients of Sallyport always seal. Without an " +
    "argument it shows what is set, and the secrets with a setting of their own.",
  args: { setting: optional("on or off", { complete: { words: settings } }) },
  options: {},
  examples: [
    ["sallyport vault sealing", "show what is read sealed only"],
    ["sallyport vault sealing on", "forbid unsealed reads"],
    ["sallyport vault sealing off", "allow them, but of secrets with a setting of their own"],
  ],
  json: vaultSealingShape,
  run({ args: { setting }, context: { session } }) {
    if (setting === undefined) return session.asUser(sealingOf);
    const required = readSetting(setting);
    return session.asUserOnce(async (client) => {
      await client.services.sealing.setVaultSealing({ required });
      return sealingOf(client);
    });
  },
  show({ required, createdAt, createdBy, secrets }, screen) {
    const since = `since ${relativeTime(createdAt)}, by ${personText(createdBy)}`;
    screen.facts([
      ["every secret", required ? `read sealed only, ${since}` : "may be read unsealed"],
    ]);
    screen.table(
      [
        { title: "SEALED ONLY", cell: ({ name, secretId }) => name ?? secretId, min: 12 },
        { title: "PROJECT", cell: ({ project, projectId }) => project ?? projectId, min: 8 },
        { title: "SINCE", cell: (secret) => relativeTime(secret.createdAt) },
        { title: "BY", cell: (secret) => personText(secret.createdBy), min: 6 },
      ],
      secrets,
      "No secret has a setting of its own.",
    );
  },
});

async function sealingOf(client: Sallyport): Promise<VaultSealingView> {
  const { sealing: service } = client.services;
  const { sealing } = await service.getVaultSealing({});
  if (!sealing) throw new SallyportError("INTERNAL", "the server described no setting");
  const secrets = await everyPage(async (pageToken) => {
    const page = await service.listSealedSecrets({ pageSize: 1000, pageToken });
    return { items: page.secrets, nextPageToken: page.nextPageToken };
  });
  const ids = secrets.flatMap(({ secretId, projectId, createdBy }) => [
    secretId,
    projectId,
    createdBy,
  ]);
  const names = await namesOf(client, [sealing.createdBy, ...ids]);
  return {
    required: sealing.required,
    createdAt: momentOf(sealing.createdAt),
    createdBy: person(sealing.createdBy, names),
    secrets: secrets.map((secret) => sealedSecretView(secret, names)),
  };
}
