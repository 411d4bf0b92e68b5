import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  loadIdentity,
  openSallyport,
  privateKeyOf,
  proveRenewal,
  rawPublicKey,
} from "@sallyport/client";
import { describe, expect, test } from "vitest";
import type { CliHome } from "./home.ts";
import type { Cli } from "./state.ts";

type Code = {
  readonly code: string;
  readonly codeId: string;
  readonly state: string;
  readonly next: string;
};
type User = {
  readonly userId: string;
  readonly name: string;
  readonly devices: { keyId: string }[];
};

/** Vaults, people and their devices. */
export function describePeople(cli: () => Cli): void {
  /** A home on another computer. */
  const elsewhere = (): CliHome => {
    const { SALLYPORT_URL = "", SALLYPORT_CA = "" } = cli().home.env;
    return cli().newHome({ SALLYPORT_URL, SALLYPORT_CA });
  };
  const identityPath = (home: CliHome): string => {
    const folder = join(home.dir, ".config", "sallyport");
    return join(
      folder,
      readdirSync(folder).find((name) => name.startsWith("vlt_")) ?? "",
      "user.json",
    );
  };
  /** Runs what is to be refused, and gives its exit code and what it says. */
  const refused = async (args: readonly string[], home = cli().home) => {
    const { code, out, err } = await home.run(args);
    expect(out).toBe("");
    return { code, err };
  };

  describe("people", () => {
    const invited = async (role: string, name: string): Promise<CliHome> => {
      const { code } = (await cli().note("user invite", ["--role", role])) as Code;
      const home = elsewhere();
      await home.json(["login", "--name", name], { input: code });
      return home;
    };
    const users = async (): Promise<User[]> => (await cli().home.json(["user", "list"])) as User[];

    test("are invited by role, listed, shown and removed with what they made", async () => {
      const { code, out, err } = await cli().home.run(["user", "invite", "--role", "admin"]);
      expect(code).toBe(0);
      expect(out).toMatch(/^sp_login_\S+\n$/);
      expect(err).toMatch(/shown once; it lets one person in as an admin and expires in 1 d\n/);
      expect(err).toMatch(
        /they run: SALLYPORT_URL=https:\S+ SALLYPORT_CA=ca\.pem sallyport login --name NAME/,
      );
      using grace = elsewhere();
      await grace.json(["login", "--name", "grace"], { input: out });
      expect(await cli().note("user list")).toMatchObject([
        {
          name: "grace",
          role: "admin",
          removedAt: null,
          devices: [{ keyId: expect.any(String) as string }],
        },
        { name: "ada", role: "owner" },
      ]);
      expect(await cli().note("user show", ["GRACE"])).toMatchObject({
        name: "grace",
        role: "admin",
      });
      const shown = await cli().home.run(["user", "show", "grace"]);
      expect(shown.out).toMatch(/^name {4}grace\nrole {4}admin\n[^]*DEVICE +LAST SEEN +EXPIRES/);
      await grace.json(["token", "create", "--project", "web", "--secret", "DB_URL"]);
      expect(await refused(["user", "remove", "grace"])).toEqual({
        code: 2,
        err: expect.stringMatching(
          /no terminal to ask on \[USAGE\]\n {2}→ confirm with --yes/,
        ) as string,
      });
      expect(await cli().note("user remove", ["grace", "--yes", "--reason", "left"])).toMatchObject(
        {
          name: "grace",
          tokensRevoked: 1,
          loginCodesRevoked: 0,
        },
      );
      // A gateway gets to know a revocation within a second.
      await expect.poll(async () => (await grace.run(["user", "list"])).code).toBe(4);
      expect((await refused(["user", "show", "grace"])).code).toBe(5);
    });

    test("are refused what their role may not do, each with what to do next", async () => {
      using dora = await invited("developer", "dora");
      for (const args of [
        ["user", "list"],
        ["user", "invite", "--role", "owner"],
        ["vault", "create", "x"],
        ["machine", "list"],
      ])
        expect(await refused(args, dora), args.join(" ")).toEqual({
          code: 3,
          err: expect.stringMatching(
            /role may not do that \[ROLE_REQUIRED\]\n {2}→ see your role with "sallyport whoami"/,
          ) as string,
        });
      const token = ["token", "create", "--project", "web"];
      expect(await refused(token, dora)).toEqual({
        code: 3,
        err: expect.stringMatching(
          /needs the role manager in the project \[PROJECT_ROLE_REQUIRED\]\n {2}→ see your roles with "sallyport role list"/,
        ) as string,
      });
      expect(await dora.json(["vault", "show"])).toMatchObject({
        machineCap: expect.any(Number) as number,
      });
      await cli().home.json(["user", "remove", "dora", "--yes"]);
    });

    test("are given roles in projects, which hold at once and end with them", async () => {
      using kay = await invited("developer", "kay");
      const put = (home: CliHome) =>
        home.run(["secret", "put", "KAY", "--project", "web"], { input: "v" });
      const give = (role: string) => cli().note("role set", ["kay", role, "--project", "web"]);
      expect((await put(kay)).err).toMatch(
        /needs the role writer in the project \[PROJECT_ROLE_REQUIRED\]/,
      );
      expect(await give("writer")).toMatchObject({ user: "kay", role: "writer", project: "web" });
      expect((await put(kay)).code).toBe(0);
      expect(await kay.json(["role", "list"])).toMatchObject([{ project: "web", role: "writer" }]);
      expect(await cli().note("role list", ["--project", "web"])).toMatchObject([
        { user: "kay", role: "writer", updatedBy: { name: "ada" } },
      ]);
      const [listed] = (await cli().home.json(["user", "list"])) as { projectRoles: object }[];
      expect(listed?.projectRoles).toEqual({ none: 0, lister: 0, writer: 1, manager: 0 });
      // A manager decides what machines may read there, by their ids.
      await give("manager");
      const { userId } = (await cli().note("user show", ["kay"])) as User;
      const grant = ["grant", cli().machineId, "KAY", "--project", "web"];
      expect((await kay.run(grant)).code).toBe(0);
      expect((await kay.run(["role", "set", userId, "none", "--project", "web"])).code).toBe(0);
      expect((await refused(["secret", "list", "--project", "web"], kay)).code).toBe(5);
      expect(await kay.json(["project", "list"])).toMatchObject([{ name: "api" }]);
      await cli().note("role rm", ["kay", "--project", "web"]);
      expect((await refused(["role", "set", "kay", "boss", "--project", "web"])).code).toBe(2);
      await give("writer");
      await cli().home.json(["user", "remove", "kay", "--yes"]);
      expect(await cli().home.json(["role", "list", "--project", "web"])).toEqual([]);
      await cli().home.json(["secret", "rm", "KAY", "--project", "web"]);
    });

    test("the last owner is neither removed nor signed out", async () => {
      const last = expect.stringMatching(
        /left without an owner \[LAST_OWNER\]\n {2}→ make another owner/,
      ) as string;
      expect(await refused(["user", "remove", "ada", "--yes"])).toEqual({ code: 5, err: last });
      const ada = (await users()).find(({ name }) => name === "ada");
      const keyId = ada?.devices[0]?.keyId ?? "";
      expect(await refused(["device", "revoke", keyId, "--yes"])).toEqual({ code: 5, err: last });
    });

    test("codes are listed, and revoked while they are open", async () => {
      await cli().home.json(["user", "invite", "--role", "developer"]);
      const { codeId } = (await cli().home.json([
        "user",
        "invite",
        "--role",
        "auditor",
        "--lifetime",
        "60s",
      ])) as Code;
      const open = (await cli().home.json(["user", "codes", "--open"])) as Code[];
      expect(open).toContainEqual(
        expect.objectContaining({ codeId, state: "open", role: "auditor" }),
      );
      expect(await cli().note("user revoke-code", [codeId])).toMatchObject({
        codeId,
        state: "revoked",
      });
      const all = (await cli().note("user codes")) as Code[];
      expect(new Set(all.map(({ state }) => state))).toEqual(
        new Set(["revoked", "redeemed", "open"]),
      );
      const spent = all.find(({ state }) => state === "redeemed")?.codeId ?? "";
      expect(await refused(["user", "revoke-code", spent])).toEqual({
        code: 3,
        err: expect.stringMatching(/\[TOKEN_EXHAUSTED\]/) as string,
      });
      expect((await refused(["user", "revoke-code", "sp_login_x"])).err).toMatch(
        /by its id, .*not by its text/,
      );
      const { out } = await cli().home.run(["user", "codes"]);
      expect(out).toMatch(/^CODE +STATE +FOR +EXPIRES +MADE BY\ntok_\w+ +revoked +new auditor/);
    });

    test.each<[string, string[]]>([
      ["--role takes owner, admin, developer, auditor", ["user", "invite", "--role", "king"]],
      [
        "--lifetime takes 60s to 7d, not 59s",
        ["user", "invite", "--role", "admin", "--lifetime", "59s"],
      ],
      ["--lifetime takes 60s to 1h, not 2h", ["device", "add", "--lifetime", "2h"]],
      [
        "--reason takes at most 500 bytes, not 501",
        ["user", "remove", "ada", "--reason", "x".repeat(501)],
      ],
      ["the vault's name takes 1 to 128 bytes, not 0", ["vault", "create", ""]],
      ["must not hold control characters", ["vault", "create", "a\nb"]],
      ["is not a device: 20 characters", ["device", "revoke", "laptop"]],
      ["--all does not go with a user", ["device", "list", "ada", "--all"]],
    ])("refused before the server is asked: %s", async (message, args) => {
      using home = cli().newHome({});
      expect(await refused(args, home)).toEqual({
        code: 2,
        err: expect.stringContaining(message) as string,
      });
    });

    test("somebody unknown is said to be, with where to look", async () => {
      for (const key of ["nobody", "usr_00000000000000000000"])
        expect(await refused(["user", "show", key])).toEqual({
          code: 5,
          err: expect.stringMatching(
            /there is no user \w+ \[NOT_FOUND\]\n {2}→ check the name or id/,
          ) as string,
        });
    });
  });

  describe("devices", () => {
    const added = async (): Promise<CliHome> => {
      const { code, next } = (await cli().note("device add")) as Code;
      expect(next).toMatch(/sallyport login --name ada$/);
      const home = elsewhere();
      // Without --name, under whatever login name that computer has.
      expect(await home.json(["login"], { input: code, env: { USER: "root" } })).toMatchObject({
        name: "ada",
      });
      return home;
    };

    test("are added by a code, listed, and revoked alone", async () => {
      using laptop = await added();
      const { keyId } = await loadIdentity(identityPath(laptop));
      const listed = (await cli().note("device list")) as { keyId: string }[];
      expect(listed).toHaveLength(2);
      expect(listed).toContainEqual(expect.objectContaining({ keyId, userName: "ada" }));
      expect((await cli().home.run(["device", "list", "--all"])).out).toMatch(
        /^USER +DEVICE +LAST SEEN/,
      );
      await laptop.json(["device", "add"]);
      const descendants = { users: [], devices: [], tokens: [], loginCodes: 1, machines: 0 };
      const looked = await cli().home.json(["device", "revoke", keyId, "--dry-run"]);
      expect(looked).toMatchObject({ keyId, devicesLeft: 2, revoked: false, descendants });
      expect(await cli().note("device revoke", [keyId, "--yes", "--reason", "lost"])).toMatchObject(
        {
          keyId,
          userName: "ada",
          devicesLeft: 1,
          revoked: true,
          kept: false,
          descendants,
        },
      );
      await expect
        .poll(async () => laptop.run(["user", "list"]), { timeout: 5000 })
        .toMatchObject({ code: 4, err: expect.stringContaining("MACHINE_DISABLED") as string });
    });

    test("are renewed: the file has the new key, and the key of a lost reply is taken up", async () => {
      using laptop = await added();
      const path = identityPath(laptop);
      const before = await loadIdentity(path);
      const renewed = (await laptop.json(["device", "renew"])) as {
        keyId: string;
        oldKeyId: string;
      };
      cli().printed.set("device renew", renewed);
      expect(renewed.oldKeyId).toBe(before.keyId);
      const after = await loadIdentity(path);
      expect(after).toMatchObject({ keyId: renewed.keyId, principalId: before.principalId });
      expect(after.seed).not.toBe(before.seed);
      expect(existsSync(`${path}.pending`)).toBe(false);

      // The server has taken the next key, and its answer never came.
      const seed = Buffer.alloc(32, 11);
      const present = rawPublicKey(privateKeyOf(Buffer.from(after.seed, "base64")));
      const client = openSallyport(after);
      const { keyId } = await client.services.users.renewDevice(
        proveRenewal(after.vaultId, present, seed),
      );
      client.close();
      const pending = {
        tokenId: `renew_${after.keyId.replace(".", "_")}`,
        seed: seed.toString("base64"),
      };
      writeFileSync(`${path}.pending`, JSON.stringify(pending), { mode: 0o600 });
      expect(await laptop.json(["device", "renew"])).toMatchObject({
        keyId,
        oldKeyId: after.keyId,
      });
      expect((await loadIdentity(path)).seed).toBe(seed.toString("base64"));
      expect(await laptop.json(["whoami"])).toMatchObject({ name: "ada" });
      expect(await laptop.json(["logout"])).toMatchObject({ ended: [keyId], notEnded: [] });
    });

    test("keep their new key in a file before it is sent, and go on with the old one", async () => {
      using laptop = await added();
      const path = identityPath(laptop);
      const identity = await loadIdentity(path);
      const cut = join(laptop.dir, "cut", "user.json");
      mkdirSync(join(laptop.dir, "cut"), { mode: 0o700 });
      writeFileSync(cut, JSON.stringify({ ...identity, url: "https://localhost:1" }), {
        mode: 0o600,
      });
      const env = { SALLYPORT_URL: "", SALLYPORT_CA: "" }; // They would lead back to the gateway.
      const { code } = await laptop.run(["device", "renew", "--identity", cut, "--timeout", "1s"], {
        env,
      });
      expect(code).toBe(6);
      expect(existsSync(`${cut}.pending`)).toBe(true);
      expect((await loadIdentity(cut)).seed).toBe(identity.seed);
      const unreached = await laptop.run(["logout", "--identity", cut], { env });
      expect(unreached).toMatchObject({ code: 0 });
      expect(unreached.out).toMatch(
        /✓ removed .*cut\/user\.json\n✓ removed .*\.pending\n! not ended at the server \(UNREACHABLE\): usr_.*\n +An owner ends it with "sallyport device revoke usr_/,
      );
      expect(existsSync(cut)).toBe(false);
      await laptop.json(["logout"]);
    });

    test("that are unknown are said to be, typed whole or by their end", async () => {
      const end = "00000000000000000000";
      for (const typed of [end, `usr_${end}.${end}`])
        expect(await refused(["device", "revoke", typed, "--yes"])).toEqual({
          code: 5,
          err: expect.stringContaining(`there is no device ${typed}`) as string,
        });
    });
  });

  describe("vaults", () => {
    test("are made by an owner, who gets no power in them", async () => {
      using other = elsewhere();
      const made = (await cli().note("vault create", ["staging"])) as {
        vaultId: string;
        code: string;
      };
      await other.json(["login", "--name", "olga"], { input: made.code });
      expect(await other.json(["vault", "show"])).toMatchObject({
        vaultId: made.vaultId,
        name: "staging",
        machines: 0,
      });
      expect(await other.json(["user", "list"])).toMatchObject([{ name: "olga", role: "owner" }]);
      expect((await other.run(["machine", "show", cli().machineId])).code).toBe(5);
      expect((await other.run(["user", "show", "ada"])).code).toBe(5);
      expect((await cli().home.run(["vault", "show"])).out).toMatch(/^machines +\d+ of \d+$/m);
    });
  });
}
