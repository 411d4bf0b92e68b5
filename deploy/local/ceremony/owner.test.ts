import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wayIn } from "./owner.ts";

test("a login code is offered until it is spent, wherever it was", () => {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-owner-"));
  try {
    const [codeFile, identityFile] = [join(dir, "login-code"), join(dir, "user.json")];
    const owner = { codeFile, identityFile, loggedIn: false, vaultId: "vlt_00000000000000000000" };
    expect(wayIn({ ...owner, entered: false })).toContain(
      `sallyport login --name "$(id -un)" < ${codeFile}`,
    );
    expect(wayIn({ ...owner, entered: true })).not.toContain(codeFile);
    writeFileSync(identityFile, "{}");
    expect(wayIn({ ...owner, entered: true })).toContain(`SALLYPORT_IDENTITY=${identityFile}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
