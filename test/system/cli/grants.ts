import { describe, expect, test } from "vitest";
import { refusalOf, saying } from "./contents.ts";
import type { Cli } from "./state.ts";

type Granted = { grants: { secret: string; anyVersion: boolean }[]; removed: number };

/** grant, revoke and member: who may read what, effect at once, and what is refused. */
export function describeGrants(cli: () => Cli): void {
  describe("grant, revoke and member", () => {
    const refused = async (...args: string[]) => refusalOf(await cli().home.run(args));
    const read = async (name: string, ...more: string[]) => {
      const { code, out } = await cli().home.run(["get", name, ...more]);
      return code === 0 ? out : code;
    };
    const access = async (name: string) =>
      (await cli().home.json(["secret", "access", name])) as {
        machine: string;
        anyVersion: boolean;
      }[];

    test("a machine joins a project, is granted, reads, and loses its grants with the membership", async () => {
      expect(await refused("grant", "runner-1", "API_KEY")).toEqual({
        code: 5,
        out: "",
        said: "sallyport: the machine has no membership in this project [NOT_FOUND]",
        next: 'put it in with "sallyport member add", or see its projects with "sallyport member list"',
      });
      expect(await cli().note("member add", ["runner-1", "--project", "api"])).toMatchObject({
        machine: "runner-1",
        machineId: cli().machineId,
        state: "active",
        project: "api",
      });
      expect(await cli().note("grant", ["runner-1", "API_KEY"])).toMatchObject({
        machine: "runner-1",
        grants: [
          { secret: "API_KEY", anyVersion: false, refusal: null, createdBy: { name: "ada" } },
        ],
      });
      expect(await read("API_KEY")).toBe("ak_live_1234");
      expect(await cli().note("member list", ["--machine", "runner-1"])).toMatchObject([
        { project: "api" },
        { project: "web" },
      ]);
      const { out } = await cli().home.run(["member", "list", "--project", "api"]);
      expect(out).toMatch(/^MACHINE +STATE +JOINED +ID\n(?:.+\n)*runner-1 +active +.* mch_/);
      expect(await cli().note("member rm", [cli().machineId, "--project", "api"])).toMatchObject({
        grantsRemoved: 1,
      });
      expect(await read("API_KEY")).toBe(3);
      expect(await access("API_KEY")).not.toContainEqual(
        expect.objectContaining({ machine: "runner-1" }),
      );
      expect(await refused("member", "rm", "runner-1", "--project", "api")).toMatchObject({
        code: 5,
      });
      await cli().home.run(["member", "add", "runner-1", "--project", "api"]);
      expect(await read("API_KEY")).toBe(3);
    });

    test("revoke takes back at once, and says when there is nothing to take back", async () => {
      await cli().home.run(["secret", "create", "TAKEN", "--project", "web"], { input: "one" });
      await cli().home.run(["grant", "runner-1", "TAKEN"]);
      expect(await read("TAKEN")).toBe("one");
      expect(await cli().note("revoke", ["runner-1", "TAKEN"])).toMatchObject({
        machine: "runner-1",
        secrets: [{ name: "TAKEN" }],
      });
      expect(await read("TAKEN")).toBe(3);
      expect(await refused("revoke", "runner-1", "TAKEN")).toEqual({
        code: 5,
        out: "",
        said: "sallyport: the machine has no such grant [NOT_FOUND]",
        next: 'see who can read a secret with "sallyport secret access SECRET"',
      });
    });

    test("--any-version opens older versions, and granting again without it closes them", async () => {
      await cli().home.run(["secret", "put", "TAKEN", "--project", "web"], { input: "two" });
      await cli().home.run(["grant", "runner-1", "TAKEN", "--any-version"]);
      expect(await access("TAKEN")).toMatchObject([{ machine: "runner-1", anyVersion: true }]);
      expect(await read("TAKEN", "--version", "1")).toBe("one");
      await cli().home.run(["grant", "runner-1", "TAKEN"]);
      expect(await access("TAKEN")).toMatchObject([{ anyVersion: false }]);
      expect(await read("TAKEN", "--version", "1")).toBe(3);
      expect(await read("TAKEN")).toBe("two");
    });

    test("--set makes the named secrets the only ones of one project", async () => {
      await cli().home.run(["grant", "runner-1", "API_KEY", "--project", "api"]);
      await cli().home.run(["project", "create", "set"]);
      for (const name of ["ONE", "TWO", "THREE"])
        await cli().home.run(["secret", "create", name, "--project", "set"], { input: name });
      await cli().home.run(["member", "add", "runner-1", "--project", "set"]);
      await cli().home.run(["grant", "runner-1", "ONE", "TWO", "--project", "set"]);
      const set = (...names: string[]) =>
        cli().home.json([
          "grant",
          "runner-1",
          ...names,
          "--set",
          "--project",
          "set",
        ]) as Promise<Granted>;
      const { grants, removed } = await set("TWO", "THREE", "TWO");
      expect(grants.map(({ secret }) => secret).toSorted()).toEqual(["THREE", "TWO"]);
      expect(removed).toBe(1);
      expect([await read("ONE"), await read("TWO"), await read("THREE")]).toEqual([
        3,
        "TWO",
        "THREE",
      ]);
      expect(
        await refused("grant", "runner-1", "--set", "API_KEY", "--project", "set"),
      ).toMatchObject({
        code: 5,
      });
      const { out } = await cli().home.run(["grant", "runner-1", "--set", "--project", "set"]);
      expect(out).toMatch(/^✓ runner-1 may read nothing of set; 2 taken back {2}mch_/);
      expect([await read("TWO"), await read("API_KEY")]).toEqual([3, "ak_live_1234"]);
      await cli().home.run(["revoke", "runner-1", "API_KEY"]);
    });

    test("a name that is misspelt changes nothing", async () => {
      expect(await refused("grant", "runner-1", "ONE", "NONE", "--project", "set")).toMatchObject({
        code: 5,
        said: "sallyport: there is no secret NONE in this project [NOT_FOUND]",
      });
      expect(await read("ONE")).toBe(3);
      expect(await refused("grant", "nobody", "ONE")).toMatchObject({
        code: 5,
        said: "sallyport: there is no machine nobody [NOT_FOUND]",
      });
      expect(await refused("grant", "runner-1")).toMatchObject({
        code: 2,
        said: saying("no secret was named"),
      });
      expect(await refused("grant", "runner-1", "--set", "ONE")).toMatchObject({
        code: 2,
        next: "name it with --project",
      });
      expect(await refused("member", "list")).toMatchObject({
        code: 2,
        next: "give one of --project and --machine",
      });
    });
  });
}
