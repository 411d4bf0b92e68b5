import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatToken, newTokenSecret, writePrivateFile } from "@sallyport/client";
import { runProgram } from "../host/command.ts";
import { ownerUrlFile } from "../servers/databases.ts";
import type { Layout } from "../data/layout.ts";
import { shellWord } from "../start/screen.ts";

/** The owner's way in: a login code until it is redeemed, then an identity file. */
export type OwnerCode = {
  readonly codeFile: string;
  readonly identityFile: string;
  readonly loggedIn: boolean;
  /**
   * True if a user has logged in to the first vault, here or elsewhere: then the code is used up.
   */
  readonly entered: boolean;
  /** The first vault: the operator's. */
  readonly vaultId: string;
};

/**
 * Makes the first vault and the login code of its owner, once; until the owner has logged in, each
 * start renews the code. The code's seed is made here and kept in a file of mode 0600; identity
 * learns the hash of its public key only. No process runs yet: which vault is the operator's is
 * known when audit is configured.
 */
export async function prepareOwner(layout: Layout, rootFingerprint: string): Promise<OwnerCode> {
  const codeFile = join(layout.owner, "login-code");
  const identityFile = join(layout.owner, "user.json");
  const loggedIn = existsSync(identityFile);
  const vaultFile = join(layout.supervisor, "first-vault");
  if (loggedIn && existsSync(vaultFile))
    return {
      codeFile,
      identityFile,
      loggedIn,
      entered: true,
      vaultId: readFileSync(vaultFile, "utf8").trim(),
    };
  const { seed, publicKeySha256 } = await savedSecret(join(layout.owner, "login-seed"));
  const env = { SALLYPORT_DATABASE_URL_FILE: ownerUrlFile(layout, "identity") };
  const args = ["--vault-name", "default", "--owner-key-sha256", publicKeySha256.toString("hex")];
  const { vaultId, codeId, entered } = JSON.parse(
    await runProgram("services/identity/src/bootstrap.ts", env, args),
  ) as {
    vaultId: string;
    codeId: string;
    entered: boolean;
  };
  await writePrivateFile(vaultFile, `${vaultId}\n`);
  const code = formatToken("login", { id: codeId, vaultId, rootFingerprint, seed });
  if (!loggedIn) writeFileSync(codeFile, `${code}\n`, { mode: 0o600 });
  return { codeFile, identityFile, loggedIn, entered, vaultId };
}

/** The command with which the owner logs in, or a comment if there is none. */
export function wayIn({ identityFile, codeFile, entered }: OwnerCode): string {
  if (existsSync(identityFile))
    return `export SALLYPORT_IDENTITY=${shellWord(identityFile)}    # you are the owner`;
  return entered
    ? "# the owner's login code was used: their identity is where they logged in"
    : `npx sallyport login --name "$(id -un)" < ${shellWord(codeFile)}    # makes you the owner`;
}

// Written before identity hears of it: a start that is interrupted in between continues with the
// same code.
async function savedSecret(file: string): Promise<{ seed: Uint8Array; publicKeySha256: Buffer }> {
  if (!existsSync(file)) {
    const { seed, publicKeySha256 } = newTokenSecret();
    const saved = {
      seed: Buffer.from(seed).toString("base64"),
      publicKeySha256: Buffer.from(publicKeySha256).toString("hex"),
    };
    await writePrivateFile(file, JSON.stringify(saved));
  }
  const { seed, publicKeySha256 } = JSON.parse(readFileSync(file, "utf8")) as {
    seed: string;
    publicKeySha256: string;
  };
  return {
    seed: Buffer.from(seed, "base64"),
    publicKeySha256: Buffer.from(publicKeySha256, "hex"),
  };
}
