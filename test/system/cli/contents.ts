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

type Project = { projectId: string; name: string; secrets: number; deletedAt: string | null };

/** project: what it holds, deleting and restoring. */
export function describeProjects(cli: () => Cli): void {
  describe("project", () => {
    test("is made, listed, shown by name and by id, deleted when it is empty, and restored", async () => {
      const made = (await cli().note("project create", ["empty"])) as Project;
      expect(made).toMatchObject({ name: "empty", secrets: 0, createdBy: { name: "ada" }, deletedAt: null });
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
      expect(refusalOf(await cli().home.run(["project", "delete", "api", "--yes"]))).toEqual({
        code: 5,
        out: "",
        said: "sallyport: the project still holds 1 secret [PROJECT_NOT_EMPTY]",
        next: 'delete them first: "sallyport secret list" shows them, "sallyport secret rm" deletes one',
      });
    });

    test("is not deleted without a yes where nobody can be asked", async () => {
      expect(refusalOf(await cli().home.run(["project", "delete", "empty"]))).toMatchObject({
        code: 2,
        next: "say it with --yes",
      });
      expect(await cli().home.json(["project", "show", "empty"])).toMatchObject({ deletedAt: null });
    });

    test("whose name is taken, unfit or unknown is refused in words", async () => {
      const run = (...args: string[]) =>
        cli()
          .home.run(["project", ...args])
          .then(refusalOf);
      expect(await run("create", "web")).toMatchObject({
        code: 5,
        said: "sallyport: that is taken already (name) [ALREADY_EXISTS]",
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
