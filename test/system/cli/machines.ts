import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { CliHome } from "./home.ts";
import type { Cli } from "./state.ts";

type Token = { readonly token: string; readonly tokenId: string };
type Machine = { readonly machineId: string; readonly name: string; readonly state: string };
type Access = {
  readonly grants: readonly { secret: string; refusal: string | null; anyVersion: boolean }[];
};

/** Enrollment tokens and the machines that they make. */
export function describeMachines(cli: () => Cli): void {
  const json = async <T>(...args: string[]): Promise<T> => (await cli().home.json(args)) as T;
  const makeToken = (...args: string[]): Promise<Token> => json<Token>("token", "create", ...args);

  /** Enrolls a machine with a token, in a file of its own. */
  const enrolled = async (token: string, ...args: string[]): Promise<Machine> =>
    (await cli().home.json(
      ["enroll", "--identity", join(cli().home.dir, `${crypto.randomUUID()}.json`), ...args],
      {
        env: { SALLYPORT_ENROLLMENT_TOKEN: token },
      },
    )) as Machine;

  /** Runs what is to be refused, and gives its exit code and what it says. */
  const refused = async (
    args: readonly string[],
    env: Record<string, string> = {},
    home = cli().home,
  ) => {
    const { code, out, err } = await home.run(args, { env });
    expect(out).toBe("");
    return { code, err };
  };
  const tokenEnv = ({ token }: Token) => ({ SALLYPORT_ENROLLMENT_TOKEN: token });
  const ranges = (count: number): string => Array(count).fill("10.0.0.1").join(",");
  const saying = (pattern: RegExp): unknown => expect.stringMatching(pattern);

  describe("tokens", () => {
    test("hold every field, and say what to run on the machine", async () => {
      const { out, err } = await cli().home.run([
        "token",
        "create",
        "--project",
        "web",
        "--secret",
        "DB_URL",
      ]);
      expect(out).toMatch(/^sp_enr_\S+\n$/);
      expect(err).toMatch(
        /shown once; it makes one machine and expires in 1 h\n.*on the machine, .*: SALLYPORT_URL=https:\S+ SALLYPORT_CA=ca\.pem sallyport enroll\n$/,
      );
      const what = ["--project", "web", "--secret", "DB_URL,api/API_KEY", "--any-version"];
      const bounds = [
        "--ttl",
        "2h",
        "--machine-ttl",
        "30m",
        "--uses",
        "3",
        "--description",
        "pipeline of web",
      ];
      const where = ["--source", "127.0.0.0/8,::1", "--source", "10.0.0.0/8", "--hostname", "*"];
      const names = ["--machine-name", "ci-{id8}"];
      const made = (await cli().note("token create", [
        ...what,
        ...bounds,
        ...where,
        ...names,
      ])) as Token;
      const shown = await cli().note("token show", [made.tokenId]);
      expect(shown).toMatchObject({
        state: "open",
        description: "pipeline of web",
        uses: 0,
        maxUses: 3,
        machineSeconds: 1800,
        sourceCidrs: ["127.0.0.0/8", "::1/128", "10.0.0.0/8"],
        hostnamePattern: "*",
        machineNamePattern: "ci-{id8}",
        anyVersion: true,
        createdByName: "ada",
        revokedAt: null,
      });
      expect(Object.values((shown as { names: Record<string, string> }).names).toSorted()).toEqual([
        "API_KEY",
        "DB_URL",
        "api",
        "web",
      ]);
      const text = (await cli().home.run(["token", "show", made.tokenId])).out;
      expect(text).toMatch(
        /^projects +api, web\nsecrets +API_KEY, DB_URL\nversions +all\nuses +0 of 3$/m,
      );
      expect(text).toMatch(/^machines live +30 min$/m);
      const { name } = await enrolled(made.token);
      expect(name).toMatch(/^ci-[0-9a-z]{8}$/);
    });

    test("are checked without spending a use: names where a user is known, ids for a stranger", async () => {
      const token = await makeToken("--project", "web", "--secret", "DB_URL", "--uses", "2");
      const checked = await cli().home.json(["token", "check", "--name", "probe"], {
        input: token.token,
      });
      cli().printed.set("token check", checked);
      expect(checked).toMatchObject({ machineName: "probe", usesLeft: 2, tokenId: token.tokenId });
      expect(Object.values((checked as { names: object }).names)).toEqual(
        expect.arrayContaining(["web", "DB_URL"]),
      );
      const shown = await cli().home.run(["token", "check"], { env: tokenEnv(token) });
      expect(shown.out).toMatch(
        /^✓ it enrolls: 2 uses are left .*\nname .*\nprojects +web\nsecrets +DB_URL\n/,
      );
      using stranger = cli().newHome({
        SALLYPORT_URL: cli().home.env["SALLYPORT_URL"] ?? "",
        SALLYPORT_CA: cli().home.env["SALLYPORT_CA"] ?? "",
      });
      expect(await stranger.json(["enroll", "--dry-run"], { env: tokenEnv(token) })).toMatchObject({
        machineId: null,
        identity: null,
        dryRun: { usesLeft: 2, names: {} },
      });
      expect(existsSync(join(stranger.dir, ".config"))).toBe(false);
      expect(await json("token", "show", token.tokenId)).toMatchObject({ uses: 0 });
    });

    test.each<[string, string[], string[], RegExp]>([
      [
        "another address",
        ["--source", "10.9.0.0/16"],
        [],
        /address \[TOKEN_SOURCE_REFUSED\]\n {2}→ use it where/,
      ],
      [
        "another host",
        ["--hostname", "ci-*"],
        ["--hostname", "laptop"],
        /name \[TOKEN_HOSTNAME_REFUSED\]\n {2}→ use/,
      ],
      [
        "another name",
        ["--machine-name", "ci-*"],
        ["--name", "x"],
        /name \[TOKEN_NAME_REFUSED\]\n {2}→ leave --name out where the token makes the names/,
      ],
    ])("say why they do not enroll from %s", async (_, restriction, as, message) => {
      const token = await makeToken("--project", "web", ...restriction);
      expect(await refused(["token", "check", ...as], tokenEnv(token))).toEqual({
        code: 3,
        err: saying(message),
      });
    });

    test("that are spent, past their time or revoked say so", async () => {
      const spent = await makeToken("--project", "web");
      await enrolled(spent.token);
      expect(await refused(["token", "check"], tokenEnv(spent))).toEqual({
        code: 3,
        err: saying(
          /every use of the token or code is spent \[TOKEN_EXHAUSTED\]\n {2}→ ask for a new one/,
        ),
      });
      const revoked = await makeToken("--project", "web");
      await json("token", "revoke", revoked.tokenId, "--yes");
      expect(await refused(["enroll", "--dry-run"], tokenEnv(revoked))).toEqual({
        code: 3,
        err: saying(/was revoked \[TOKEN_REVOKED\]\n {2}→ ask for a new one/),
      });
      expect(
        (await json<Token[]>("token", "list", "--state", "exhausted")).map(
          ({ tokenId }) => tokenId,
        ),
      ).toContain(spent.tokenId);
      const { out } = await cli().home.run(["token", "list", "--limit", "2"]);
      expect(out).toMatch(
        /^TOKEN +STATE +USES +LAST USED +EXPIRES +DESCRIPTION\ntok_\w+ +revoked +0\/1 +never /,
      );
      expect(out.trim().split("\n")).toHaveLength(3);
      await cli().note("token list");
    });

    test("are revoked alone, or with every machine that they made", async () => {
      const token = await makeToken("--project", "web", "--secret", "DB_URL", "--uses", "3");
      const first = await enrolled(token.token, "--name", "cascade-1");
      await enrolled(token.token, "--name", "cascade-2");
      expect(await refused(["token", "revoke", token.tokenId])).toEqual({
        code: 2,
        err: saying(/→ confirm with --yes/),
      });
      const alone = await cli().home.run(["token", "revoke", token.tokenId, "--yes"]);
      expect(alone.out).toMatch(
        /✓ revoked: .*\n +Machines that it made live on; --cascade ends them\./,
      );
      expect(await json("machine", "show", first.machineId)).toMatchObject({ state: "active" });
      const all = ["--cascade", "--yes", "--reason", "leaked"];
      expect(await cli().note("token revoke", [token.tokenId, ...all])).toMatchObject({
        machinesRevoked: 2,
        state: "revoked",
      });
      expect(await json("machine", "list", "--token", token.tokenId, "--state", "active")).toEqual(
        [],
      );
      expect(
        (await json<Machine[]>("machine", "list", "--token", token.tokenId)).map(
          ({ state }) => state,
        ),
      ).toEqual(["revoked", "revoked"]);
    });

    test.each<[string, string[]]>([
      ["--ttl takes 60s to 365d, not 59s", ["--project", "a", "--ttl", "59s"]],
      ["--ttl takes 60s to 365d, not 366d", ["--project", "a", "--ttl", "366d"]],
      ["--machine-ttl takes 60s to 30d, not 31d", ["--project", "a", "--machine-ttl", "31d"]],
      ["--uses takes a number from 1 to 10000", ["--project", "a", "--uses", "10001"]],
      [
        "--source takes address ranges such as 10.1.0.0/16",
        ["--project", "a", "--source", "10.0.0.0/33"],
      ],
      ["→ probably 10.1.0.0/16 was meant", ["--project", "a", "--source", "10.1.2.3/16"]],
      ["--source takes at most 32 ranges, not 33", ["--project", "a", "--source", ranges(33)]],
      [
        "--hostname takes at most 253 bytes, not 254",
        ["--project", "a", "--hostname", "x".repeat(254)],
      ],
      [
        "--machine-name takes at most 128 bytes, not 129",
        ["--project", "a", "--machine-name", "x".repeat(129)],
      ],
      [
        "--description takes at most 500 bytes, not 502",
        ["--project", "a", "--description", "é".repeat(251)],
      ],
      ["no project is named for the machines to join", ["--secret", "DB_URL"]],
    ])("are refused before the server is asked: %s", async (message, args) => {
      using home: CliHome = cli().newHome({});
      expect(await refused(["token", "create", ...args], {}, home)).toEqual({
        code: 2,
        err: expect.stringContaining(message) as string,
      });
    });

    test("name what is not there, and what is not clear", async () => {
      expect(await refused(["token", "create", "--project", "nowhere"])).toEqual({
        code: 5,
        err: saying(/there is no project nowhere \[NOT_FOUND\]\n {2}→ check the name/),
      });
      expect(
        await refused(["token", "create", "--project", "web,api", "--secret", "NOTHING"]),
      ).toEqual({
        code: 5,
        err: saying(/none of these projects has a secret NOTHING \[NOT_FOUND\]/),
      });
      await cli().home.run(["secret", "put", "DB_URL", "--project", "api"], { input: "x" });
      expect(
        await refused(["token", "create", "--project", "web,api", "--secret", "DB_URL"]),
      ).toEqual({
        code: 2,
        err: saying(
          /DB_URL is in web and api \[NAME_AMBIGUOUS\]\n {2}→ name it with its project, such as web\/DB_URL/,
        ),
      });
      expect(await refused(["token", "create", "--project", "web", "--hostname", "a[b"])).toEqual({
        code: 2,
        err: saying(/hostname_pattern is not valid: has a \[ without its \] \[FIELD_INVALID/),
      });
      expect(await refused(["token", "show", "tok_00000000000000000000"])).toEqual({
        code: 5,
        err: saying(/there is no token tok_0+ \[NOT_FOUND\]/),
      });
      const secret = await refused(["token", "show", cli().token]);
      expect(secret).toEqual({ code: 2, err: saying(/named by its id, .* not by its text/) });
      expect(secret.err).not.toContain(cli().token);
      expect(
        (await refused(["token", "check"], { SALLYPORT_ENROLLMENT_TOKEN: "sp_enr_x" })).code,
      ).toBe(2);
    });
  });

  describe("machines", () => {
    let token: Token;
    const machine = async (name: string): Promise<Machine> => {
      token ??= await makeToken("--project", "web", "--secret", "DB_URL,ODD", "--uses", "20");
      return enrolled(token.token, "--name", name);
    };

    test("are listed by state, token and name, and shown whole", async () => {
      const { machineId } = await machine("shown-1");
      expect(await cli().note("machine list", ["--name", "shown-1"])).toMatchObject([
        { machineId, state: "active" },
      ]);
      expect(
        await json("machine", "list", "--token", token.tokenId, "--state", "disabled,expired"),
      ).toEqual([]);
      expect(await cli().note("machine show", ["shown-1"])).toMatchObject({
        machineId,
        projects: [{ name: "web" }],
        secrets: 2,
        formerNames: [],
      });
      const { out } = await cli().home.run(["machine", "list", "--limit", "1"]);
      expect(out).toMatch(
        /^NAME +STATE +LAST SEEN +FROM +EXPIRES +ID\nshown-1 +active +(now|never|\d+ s ago) /,
      );
      expect((await cli().home.run(["machine", "show", machineId])).out).toMatch(
        /^name +shown-1\nstate +active\n[^]*^projects +web\nsecrets +2 granted$/m,
      );
    });

    test("are renamed, with the name before kept", async () => {
      const { machineId } = await machine("old-name");
      expect(await cli().note("machine rename", ["old-name", "new-name"])).toEqual({
        machineId,
        name: "new-name",
        formerName: "old-name",
      });
      expect(await json("machine", "show", "new-name")).toMatchObject({
        formerNames: [{ name: "old-name", changedBy: { name: "ada" } }],
      });
      expect((await cli().home.run(["machine", "show", "new-name"])).out).toMatch(
        /was called old-name until .* by ada/,
      );
      expect(await refused(["machine", "rename", "new-name", "-x y"])).toMatchObject({ code: 2 });
      expect(await refused(["machine", "rename", "old-name", "x"])).toEqual({
        code: 5,
        err: saying(/there is no machine old-name \[NOT_FOUND\]/),
      });
    });

    test("are disabled and enabled, and what they can read is told as a read would meet it", async () => {
      await machine("gate-1");
      expect(await cli().note("machine access", ["gate-1"])).toMatchObject({
        name: "gate-1",
        grants: [
          { secret: "DB_URL", refusal: null, anyVersion: false, createdBy: { name: "ada" } },
          { secret: "ODD", refusal: null },
        ],
      });
      expect(await cli().note("machine disable", ["gate-1", "--reason", "odd"])).toMatchObject({
        state: "disabled",
      });
      const { grants } = await json<Access>("machine", "access", "gate-1", "--project", "web");
      expect(grants.map(({ refusal }) => refusal)).toEqual([
        "MACHINE_DISABLED",
        "MACHINE_DISABLED",
      ]);
      expect((await cli().home.run(["machine", "access", "gate-1"])).out).toMatch(
        /^PROJECT +SECRET +VERSIONS +READ NOW +GRANTED +BY\nweb +DB_URL +current +MACHINE_DISABLED .* ada$/m,
      );
      expect(await json("machine", "access", "gate-1", "--project", "api")).toMatchObject({
        grants: [],
      });
      expect(await cli().note("machine enable", ["gate-1"])).toMatchObject({ state: "active" });
      expect((await cli().home.run(["machine", "disable", "gate-1"])).out).toMatch(
        /✓ gate-1 is disabled: its next read is refused .*\n +"sallyport machine enable gate-1" lets it go on/,
      );
    });

    test("are revoked once, permanently, and only when that was confirmed", async () => {
      const { machineId } = await machine("ended-1");
      expect(await refused(["machine", "revoke", "ended-1"])).toEqual({
        code: 2,
        err: saying(/→ confirm with --yes/),
      });
      expect(await cli().note("machine revoke", ["ended-1", "--yes", "--reason", "lost"])).toEqual({
        machineId,
        name: "ended-1",
        state: "revoked",
        already: false,
      });
      const again = await cli().home.run(["machine", "revoke", machineId]);
      expect(again).toMatchObject({ code: 0, out: saying(/✓ ended-1 was revoked already/) });
      for (const change of ["enable", "disable"])
        expect(await refused(["machine", change, "ended-1"])).toEqual({
          code: 5,
          err: saying(
            /ended-1 \(mch_\w+\) is revoked: it cannot be \w+ \[MACHINE_ENDED\]\n {2}→ .*enroll another/,
          ),
        });
      expect(await json("machine", "access", "ended-1")).toMatchObject({
        state: "revoked",
        grants: [],
      });
      expect((await cli().home.run(["machine", "access", "ended-1"])).out).toBe(
        "ended-1 was granted nothing.\n",
      );
    });

    test("of one name are told apart by id, and one that lives goes before one that ended", async () => {
      const first = await machine("twin");
      const second = await machine("twin");
      expect(await refused(["machine", "disable", "twin"])).toEqual({
        code: 2,
        err: saying(/2 machines are called twin.*\[NAME_AMBIGUOUS\]\n {2}→ name it by its id/),
      });
      await json("machine", "revoke", first.machineId, "--yes");
      expect(await json("machine", "show", "twin")).toMatchObject({ machineId: second.machineId });
    });
  });
}

/** The end of a token that was made a minute ago: runs last, when most of its minute is over. */
export function describeExpiry(cli: () => Cli): void {
  test("machines are not made by a token that is past its time", async () => {
    const { home, brief } = cli();
    await sleep(Math.max(0, brief.endsAtMs - Date.now()));
    const env = { SALLYPORT_ENROLLMENT_TOKEN: brief.token };
    expect(await home.run(["token", "check"], { env })).toMatchObject({
      code: 3,
      out: "",
      err: expect.stringMatching(
        /past its lifetime \[TOKEN_EXPIRED\]\n {2}→ ask for a new one/,
      ) as string,
    });
    const expired = await home.json(["token", "list", "--state", "expired"]);
    expect(expired).toContainEqual(expect.objectContaining({ tokenId: brief.tokenId }));
  });
}
