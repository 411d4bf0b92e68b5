import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CliRun } from "./home.ts";
import type { Cli } from "./state.ts";

/** Exit code and the two lines of a refusal. */
export function refusalOf({ code, out, err }: CliRun): {
  code: number | null;
  out: string;
  said: string;
  next: string;
} {
  const [said = "", next = ""] = err.trimEnd().split("\n  → ");
  return { code, out, said, next };
}

/** A text with this in it, as an expectation. */
export function saying(part: string): unknown {
  return expect.stringContaining(part);
}

type Project = { projectId: string; name: string; secrets: number; deletedAt: string | null };

/** project: what it holds, deleting and restoring. */
export function describeProjects(cli: () => Cli): void {
  describe("project", () => {
    test("is made, listed, shown by name and by id, deleted when it is empty, and restored", async () => {
      const made = (await cli().note("project create", ["empty"])) as Project;
      expect(made).toMatchObject({
        name: "empty",
        secrets: 0,
        createdBy: { name: "ada" },
        deletedAt: null,
      });
      const listed = (await cli().note("project list")) as Project[];
      expect(listed.map(({ name }) => name)).toEqual(["api", "empty", "web"]);
      expect(await cli().note("project show", ["empty"])).toEqual(made);
      expect(await cli().home.json(["project", "show", made.projectId])).toEqual(made);

      const deleted = (await cli().note("project delete", ["empty", "--yes"])) as Project;
      expect(deleted).toMatchObject({ deletedBy: { name: "ada" } });
      expect(await cli().home.json(["project", "list", "--deleted"])).toEqual([deleted]);
      expect(await cli().home.json(["project", "list"])).toHaveLength(2);
      const { out } = await cli().home.run(["project", "show", made.projectId]);
      expect(out).toMatch(
        /deleted .* by ada\n.*\nIt can be restored until then: sallyport project restore prj_/,
      );
      expect(await cli().note("project restore", ["empty"])).toEqual(made);
    });

    test("that holds secrets is not deleted: it says how many and what to do", async () => {
      const refused = refusalOf(await cli().home.run(["project", "delete", "api", "--yes"]));
      expect(refused).toMatchObject({
        code: 5,
        out: "",
        next: 'delete them first: "sallyport secret list" shows them, "sallyport secret rm" deletes one',
      });
      expect(refused.said).toMatch(
        /^sallyport: the project still holds \d+ secrets? \[PROJECT_NOT_EMPTY\]$/,
      );
    });

    test("is not deleted without a yes where nobody can be asked", async () => {
      expect(refusalOf(await cli().home.run(["project", "delete", "empty"]))).toMatchObject({
        code: 2,
        next: "confirm with --yes",
      });
      expect(await cli().home.json(["project", "show", "empty"])).toMatchObject({
        deletedAt: null,
      });
    });

    test("whose name is taken, unfit or unknown is refused in words", async () => {
      const run = (...args: string[]) =>
        cli()
          .home.run(["project", ...args])
          .then(refusalOf);
      expect(await run("create", "web")).toMatchObject({
        code: 5,
        said: "sallyport: that name is taken already [ALREADY_EXISTS]",
        next: "choose another name",
      });
      expect(await run("create", "a b")).toMatchObject({
        code: 2,
        next: "correct it; --help says what is allowed",
      });
      expect(await run("show", "nope")).toMatchObject({
        code: 5,
        said: "sallyport: there is no project nope [NOT_FOUND]",
      });
      expect(await run("restore", "nope")).toMatchObject({
        code: 5,
        said: "sallyport: there is no deleted project nope [NOT_FOUND]",
      });
    });
  });
}

type Secret = {
  secretId: string;
  name: string;
  version: number;
  fields: string[];
  note: string;
  deletedAt: string | null;
};

/** secret: making, describing, versions, notes, deleting and restoring, and what is refused. */
export function describeSecrets(cli: () => Cli): void {
  describe("secret", () => {
    const run = (args: readonly string[], input = "") =>
      cli().home.run(["secret", ...args], { input });
    const json = (args: readonly string[], input = "") =>
      cli().home.json(["secret", ...args], { input });
    const refused = async (args: readonly string[], input = "") =>
      refusalOf(await run(args, input));
    /** The value as a machine reads it. */
    async function valueOf(name: string): Promise<Buffer> {
      await cli().home.run(["grant", "runner-1", name, "--project", "web"]);
      return (await cli().home.run(["get", name, "--project", "web"])).bytes;
    }

    test("create takes a value from a pipe, a file, fields, or makes one up, and never shows it", async () => {
      const at = (name: string, content: string) => {
        const file = join(cli().home.dir, name);
        writeFileSync(file, content);
        return file;
      };
      const made = await cli().note(
        "secret create",
        ["PIPED", "--project", "web", "--note", "by hand"],
        "abc\n",
      );
      expect(made).toMatchObject({
        name: "PIPED",
        project: "web",
        version: 1,
        kind: "single",
        note: "by hand",
        createdBy: { name: "ada" },
      });
      expect((await valueOf("PIPED")).toString()).toBe("abc");

      const bare = await run(["create", "MADE_UP", "--project", "web", "--generate"]);
      const long = await run(["create", "LONGER", "--project", "web", "--generate=48"]);
      const values = [await valueOf("MADE_UP"), await valueOf("LONGER")].map(String);
      expect(values).toEqual([
        expect.stringMatching(/^[A-Za-z0-9]{32}$/),
        expect.stringMatching(/^[A-Za-z0-9]{48}$/),
      ]);
      for (const value of values)
        expect(bare.out + bare.err + long.out + long.err).not.toContain(value);

      const password = at("password", "p\nw");
      const fields = ["--field", "user=@" + at("user", "ada"), "--field", `password=@${password}`];
      expect(await json(["create", "LOGIN", "--project", "web", ...fields])).toMatchObject({
        kind: "fields",
        fields: ["password", "user"],
      });
      expect(JSON.parse((await valueOf("LOGIN")).toString())).toEqual({
        user: "ada",
        password: "p\nw",
      });
      const file = at("fields.json", '{ "a": "1" }\n');
      await run(["create", "FILED", "--project", "web", "--fields-file", file]);
      expect((await valueOf("FILED")).toString()).toBe('{ "a": "1" }\n');
    });

    test("create refuses what is taken, dangerous, on the command line, or from several places", async () => {
      const create = (...args: string[]) => refused(["create", ...args, "--project", "web"], "x");
      expect(await create("PIPED")).toMatchObject({
        code: 5,
        said: "sallyport: that name is taken already [ALREADY_EXISTS]",
        next: "choose another name",
      });
      expect(await create("LD_PRELOAD")).toMatchObject({
        code: 3,
        said: saying("the dynamic linker"),
        next: "choose another name, or allow it with --allow-dangerous-name",
      });
      expect(await create("PATH", "--allow-dangerous-name")).toMatchObject({ code: 0 });
      const typed = await create("X", "--field", "password=hunter2");
      expect(typed).toMatchObject({ code: 2, next: saying("--field password=@FILE") });
      expect(JSON.stringify(typed)).not.toContain("hunter2");
      expect(await create("X", "--field", "a")).toMatchObject({
        code: 2,
        said: saying("no terminal"),
      });
      expect(await create("X", "--field", "1=@f")).toMatchObject({ code: 2 });
      expect(await create("X", "--field", "a=@none")).toMatchObject({
        code: 2,
        next: "name a file that can",
      });
      const binary = `b=@${join(cli().home.dir, "binary")}`;
      expect(await create("X", "--field", binary)).toMatchObject({
        code: 2,
        said: saying("UTF-8"),
      });
      expect(await create("X", "--field", "a=@f", "--field", "a=@g")).toMatchObject({ code: 2 });
      expect(await create("X", "--generate", "--file", "f")).toMatchObject({
        code: 2,
        next: "give one of --file, --generate, --field and --fields-file",
      });
      expect(await create("X", "--generate=8")).toMatchObject({ code: 2 });
      const wrong = join(cli().home.dir, "wrong.json");
      for (const content of ['{"a": 1}', "[]", "{"]) {
        writeFileSync(wrong, content);
        expect(await create("X", "--fields-file", wrong)).toMatchObject({
          code: 2,
          said: saying("does not hold fields"),
        });
      }
      writeFileSync(wrong, '{"a": "1", "a": "2"}');
      expect(await create("X", "--fields-file", wrong)).toMatchObject({
        code: 2,
        said: saying("a field twice"),
      });
      writeFileSync(wrong, "x".repeat(65_537));
      expect(await create("X", "--file", wrong)).toMatchObject({
        code: 2,
        said: saying("65536 bytes"),
      });
      expect(await refused(["create", "X", "--project", "none"], "x")).toMatchObject({
        code: 5,
        said: "sallyport: there is no project none [NOT_FOUND]",
      });
      expect(await refused(["show", "X"])).toMatchObject({ code: 5 });
    });

    test("put stores the next version, and only of the version that was expected", async () => {
      const put = (...args: string[]) => ["put", "PIPED", "--project", "web", ...args];
      expect(await json(put("--expected-version", "1"), "def")).toMatchObject({
        version: 2,
        created: false,
      });
      expect(await refused(put("--expected-version", "1"), "ghi")).toMatchObject({
        code: 5,
        said: "sallyport: PIPED is at version 2, not 1 [VERSION_CONFLICT]",
        next: 'see who changed it with "sallyport secret versions", then do it again',
      });
      expect(await refused(put("--expected-version", "0"), "ghi")).toMatchObject({ code: 5 });
      expect((await valueOf("PIPED")).toString()).toBe("def");
      expect(await cli().note("secret versions", ["PIPED"])).toMatchObject([
        { version: 2, kind: "single", createdBy: { name: "ada" } },
        { version: 1 },
      ]);
      expect(await json(["versions", "PIPED", "--limit", "1"])).toHaveLength(1);
    });

    test("rollback brings a former value back as a new version, which machines read and everyone sees", async () => {
      const rollback = (...args: string[]) => ["rollback", "PIPED", ...args];
      await json(["put", "PIPED", "--project", "web"], "wrong");
      expect(await cli().note("secret rollback", ["PIPED"])).toMatchObject({
        name: "PIPED",
        version: 4,
        rollbackOf: 2,
        updatedBy: { name: "ada" },
      });
      expect((await valueOf("PIPED")).toString()).toBe("def");
      expect(await refused(rollback())).toMatchObject({
        code: 2,
        said: "sallyport: version 4 of PIPED is itself a rollback, to version 2 [USAGE]",
        next: "say which version is wanted with --to",
      });
      expect(await refused(rollback("--to", "4"))).toMatchObject({
        code: 2,
        said: saying("version 4 of PIPED is the current one"),
      });
      expect(await refused(rollback("--to", "1", "--expected-version", "3"))).toMatchObject({
        code: 5,
        said: saying("it is at version 4 now"),
      });
      const { out } = await run(rollback("--to", "3", "--project", "web"));
      expect(out).toMatch(
        /^✓ rolled PIPED back to the value of version 3 {2}sec_\w+, version 5\n$/,
      );
      expect((await valueOf("PIPED")).toString()).toBe("wrong");
      await run(rollback("--to", "2"));
      expect((await run(["history", "PIPED", "--limit", "3"])).out).toMatch(
        /^VERSION +STORED +BY +VALUE OF +KIND +FIELDS\n +6 .*ada +2 +single\n +5 .*ada +3 +single\n +4 .*ada +2 +single\n$/,
      );
      expect((await run(["show", "PIPED"])).out).toMatch(
        /version +6, with the value of version 2, of /,
      );
      const records = await cli().home.json(["audit", "list", "--action", "secret.rolled_back"]);
      expect(records).toMatchObject([
        { detail: { name: "PIPED", rollback_of: "2" } },
        { detail: { rollback_of: "3" } },
        { detail: { rollback_of: "2" } },
      ]);
      expect(await refused(["rollback", "LOGIN"])).toMatchObject({
        code: 2,
        said: "sallyport: version 1 of LOGIN is its first [USAGE]",
      });
    });

    test("is named as project/NAME wherever it is named", async () => {
      expect(await json(["put", "web/SLASHED"], "one")).toMatchObject({
        name: "SLASHED",
        version: 1,
      });
      expect(await json(["put", "web/SLASHED", "--project", "web"], "two")).toMatchObject({
        version: 2,
      });
      expect(await json(["show", "web/SLASHED"])).toMatchObject({
        name: "SLASHED",
        project: "web",
      });
      await json(["rm", "web/SLASHED"]);
      expect(await json(["restore", "web/SLASHED"])).toMatchObject({ name: "SLASHED" });
      await json(["rm", "web/SLASHED"]);
    });

    test("list and show describe without values, by name or id, in one project or all", async () => {
      const all = (await cli().note("secret list")) as Secret[];
      const web = (await json(["list", "--project", "web"])) as Secret[];
      expect(all.map(({ name }) => name)).toContain("API_KEY");
      expect(web.map(({ name }) => name)).not.toContain("API_KEY");
      expect(web.map(({ name }) => name)).toEqual(web.map(({ name }) => name).toSorted());
      const shown = (await cli().note("secret show", ["LOGIN"])) as Secret;
      expect(shown).toEqual(web.find(({ name }) => name === "LOGIN"));
      expect(await json(["show", shown.secretId])).toEqual(shown);
      const { out } = await run(["show", "LOGIN"]);
      expect(out).toMatch(
        /^name +LOGIN\nproject +web\nid +sec_.*\nversion +1, of .* by ada\nmade .* by ada\nfields +password, user\n$/,
      );
    });

    test("a name in several projects is asked about, and one in none is not found", async () => {
      await run(["create", "LOGIN", "--project", "api"], "x");
      expect(await refused(["show", "LOGIN"])).toMatchObject({
        code: 2,
        said: "sallyport: LOGIN is in api and web [NAME_AMBIGUOUS]",
        next: "choose with --project, or name it as project/NAME or by its id",
      });
      expect(await json(["show", "LOGIN", "--project", "api"])).toMatchObject({ project: "api" });
      expect(await refused(["show", "NONE"])).toMatchObject({
        code: 5,
        said: "sallyport: there is no secret NONE [NOT_FOUND]",
      });
      expect(await refused(["versions", "NONE", "--project", "web"])).toMatchObject({ code: 5 });
    });

    test("note replaces and removes, and takes no control characters", async () => {
      expect(await cli().note("secret note", ["PIPED", "first\nsecond"])).toMatchObject({
        note: "first\nsecond",
      });
      expect((await run(["show", "PIPED"])).out).toMatch(/note +first\n +second\n/);
      expect(await refused(["note", "PIPED", "a\tb"])).toMatchObject({
        code: 2,
        said: saying("note"),
      });
      expect(await refused(["note", "PIPED", "x".repeat(1001)])).toMatchObject({ code: 2 });
      expect(await json(["note", "PIPED", ""])).toMatchObject({ note: "" });
    });

    test("access says who can read it, and who would be refused why", async () => {
      expect(await cli().note("secret access", ["PIPED"])).toMatchObject([
        {
          machine: "runner-1",
          machineId: cli().machineId,
          secret: "PIPED",
          anyVersion: false,
          refusal: null,
        },
      ]);
      const { machineId } = cli();
      await cli().admin.services.machines.disableMachine({ machineId });
      expect((await run(["access", "PIPED"])).out).toMatch(
        /\nrunner-1 +MACHINE_DISABLED .* ada +mch_/,
      );
      await cli().admin.services.machines.enableMachine({ machineId });
      expect((await run(["access", "PIPED"])).out).toMatch(/\nrunner-1 +current version/);
      const other = await run(["access", "LOGIN", "--project", "api"]);
      expect(other.out).toBe("No machine may read LOGIN.\n");
    });

    test("rm ends reading at once, and restore brings it back with its grants", async () => {
      const deleted = (await cli().note("secret rm", ["PIPED"])) as Secret;
      expect(deleted.deletedAt).not.toBeNull();
      expect((await cli().home.run(["get", "PIPED"])).code).toBe(3);
      expect(await json(["list", "--deleted"])).toContainEqual(deleted);
      expect(await refused(["rm", "PIPED"])).toMatchObject({ code: 5 });
      expect((await run(["show", deleted.secretId])).out).toMatch(
        /It can be restored until then: sallyport secret restore sec_/,
      );
      expect(await refused(["restore", "NONE"])).toMatchObject({
        code: 5,
        said: "sallyport: there is no deleted secret NONE [NOT_FOUND]",
      });
      expect(await cli().note("secret restore", ["PIPED"])).toMatchObject({
        version: 6,
        deletedAt: null,
      });
      expect((await cli().home.run(["get", "PIPED"])).out).toBe("def");
    });

    test("restore refuses while another has taken the name", async () => {
      await run(["rm", "FILED"]);
      await run(["create", "FILED", "--project", "web"], "x");
      expect(await refused(["restore", "FILED"])).toMatchObject({
        code: 5,
        said: "sallyport: another has this name now [ALREADY_EXISTS]",
        next: "delete the other first, or leave this one deleted",
      });
    });
  });
}
