import { execFile } from "node:child_process";
import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { cliProgram } from "./home.ts";
import { type Cli, binary, odd } from "./state.ts";

/** get, list, export and run. */
export function describeValues(cli: () => Cli): void {
  describe("get", () => {
    test("gives a value byte for byte and nothing else", async () => {
      expect((await cli().home.run(["get", "DB_URL"])).bytes.toString()).toBe("postgres://db/2");
      expect((await cli().home.run(["get", "ODD"])).bytes.toString()).toBe(odd);
      expect((await cli().home.run(["get", "BINARY"])).bytes).toEqual(Buffer.from(binary));
      expect(JSON.parse((await cli().home.run(["get", "DB"])).out)).toEqual({
        user: "ada",
        password: 'p\'w "d"',
      });
      expect((await cli().home.run(["get", "DB", "--field", "password"])).out).toBe('p\'w "d"');
    });

    test("gives JSON, a version, and refuses what is not granted in one sentence", async () => {
      expect(await cli().note("get", ["BINARY"])).toMatchObject({
        name: "BINARY",
        version: 1,
        value: Buffer.from(binary).toString("base64"),
      });
      expect((await cli().home.run(["get", "DB_URL", "--version", "1"])).out).toBe("postgres://db");
      for (const secret of ["API_KEY", "NONE", "sec_00000000000000000000"]) {
        const { code, out, err } = await cli().home.run(["get", secret]);
        expect({ code, out }).toEqual({ code: 3, out: "" });
        expect(err).toMatch(
          /^sallyport: no grant covers .*NOT_GRANTED.*\n {2}→ see what this machine may read/,
        );
      }
      expect((await cli().home.run(["get", "DB", "--field", "none"])).err).toMatch(
        /fields are user, password/,
      );
    });

    test("writes a file that only its owner may read, and none through a link", async () => {
      const path = join(cli().home.dir, "value");
      writeFileSync(path, "before", { mode: 0o666 });
      expect(await cli().home.run(["get", "BINARY", "--output", path])).toMatchObject({
        code: 0,
        out: "",
      });
      expect(readFileSync(path)).toEqual(Buffer.from(binary));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const link = join(cli().home.dir, "link");
      symlinkSync(path, link);
      expect(await cli().home.run(["get", "ODD", "--output", link])).toMatchObject({ code: 1 });
      expect(readFileSync(path)).toEqual(Buffer.from(binary));
    });
  });

  describe("list, export and run", () => {
    test("list names what may be read, of all or one project", async () => {
      expect(await cli().note("list")).toHaveLength(5);
      expect(await cli().home.json(["list", "--project", "api"])).toEqual([]);
      const { out } = await cli().home.run(["list"]);
      expect(out).toMatch(/^NAME +PROJECT +VERSION +KIND +ID\nBINARY +web +1 +single +sec_/);
    });

    test("export gives a shell the values, and a file of mode 0600", async () => {
      const { out } = await cli().home.run([
        "export",
        "--format",
        "shell",
        "--only",
        "ODD,DB",
        "--prefix",
        "X_",
      ]);
      const script = `${out}\nprintf '%s|%s' "$X_ODD" "$X_DB_PASSWORD"`;
      expect((await promisify(execFile)("sh", ["-c", script])).stdout).toBe(`${odd}|p'w "d"`);
      const path = join(cli().home.dir, ".env");
      await cli().home.run(["export", "--format", "dotenv", "--only", "DB_URL", "-o", path]);
      expect(readFileSync(path, "utf8")).toBe("DB_URL='postgres://db/2'\n");
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await cli().note("export", ["--format", "yaml", "--only", "DB_URL"]);
    });

    test("export refuses what it cannot do with the way out, and reads nothing that is not named", async () => {
      expect((await cli().home.run(["export", "--format", "shell"])).err).toMatch(
        /"my-key" cannot be the name of a variable.*\n.*--map MY_KEY=my-key/,
      );
      const mapped = await cli().home.run([
        "export",
        "--format",
        "docker-env",
        "--only",
        "DB_URL",
        "--map",
        "KEY=my-key",
      ]);
      expect(mapped.out).toBe("DB_URL=postgres://db/2\nKEY=short\n");
      expect(
        (await cli().home.run(["export", "--format", "shell", "--only", "BINARY"])).err,
      ).toMatch(/json or yaml/);
      const before = await readsOf("ODD");
      await cli().home.run(["export", "--format", "json", "--only", "DB_URL"]);
      expect(await readsOf("ODD")).toBe(before);
    });

    test("--except leaves out, so that one value that fits no variable does not stop the rest", async () => {
      const script = 'printf "%s|%s" "$DB_URL" "${ODD-unset}"';
      const args = ["run", "--except", "BINARY,ODD,my-key", "--", "sh", "-c", script];
      expect(await cli().home.run(args)).toMatchObject({ code: 0, out: "postgres://db/2|unset" });
      const mistyped = await cli().home.run(["run", "--except", "BINARRY", "--", "true"]);
      expect(mistyped).toMatchObject({ code: 125 });
      expect(mistyped.err).toMatch(/no grant covers BINARRY \[NOT_GRANTED\]/);
      const exported = await cli().home.json([
        "export",
        "--format",
        "json",
        "--except",
        "web/BINARY,ODD,DB",
      ]);
      expect(JSON.parse((exported as { content: string }).content)).toEqual({
        DB_URL: "postgres://db/2",
        "my-key": "short",
      });
    });

    test("a secret is named with its project, and the current version by its number", async () => {
      expect((await cli().home.run(["get", "web/DB_URL"])).out).toBe("postgres://db/2");
      expect((await cli().home.run(["get", "BINARY", "--version", "1"])).bytes).toEqual(
        Buffer.from(binary),
      );
    });

    async function readsOf(name: string): Promise<number> {
      const secrets = (await cli().home.json(["list"])) as { name: string; secretId: string }[];
      const secretId = secrets.find((secret) => secret.name === name)?.secretId ?? "";
      const { records } = await cli().admin.services.audit.listRecords({
        secretId,
        actions: ["secret.read"],
        pageSize: 200,
      });
      return records.length;
    }

    test("run gives a command the values and its exit code, and keeps its own variables", async () => {
      const script = 'printf "%s|%s|%s" "$DB_URL" "$DB_PASSWORD" "${SALLYPORT_URL-unset}"; exit 7';
      const { code, out } = await cli().home.run([
        "run",
        "--only",
        "DB_URL,DB",
        "--",
        "sh",
        "-c",
        script,
      ]);
      expect({ code, out }).toEqual({ code: 7, out: `postgres://db/2|p'w "d"|unset` });
      const filtered = await cli().home.run([
        "run",
        "--only",
        "DB_URL",
        "--redact",
        "--",
        "sh",
        "-c",
        'echo "a $DB_URL"; exit 3',
      ]);
      expect(filtered).toMatchObject({ code: 3, out: "a [redacted]\n" });
      const none = await cli().home.run(
        ["run", "--only", "DB_URL", "--no-inherit", "--keep", "KEPT", "--", "env"],
        {
          env: { KEPT: "k", DROPPED: "d" },
        },
      );
      expect(none.out).toContain("KEPT=k\n");
      expect(none.out).not.toContain("DROPPED");
    });

    test("run leaves the pipes that it was given as they were, for its command and for what comes after", async () => {
      const flags = "grep -h flags /proc/self/fdinfo/[012] >&2";
      const command = `sleep 0.2 | "$0" "$1" run --only DB_URL -- sh -c '${flags}' 2>&1 | cat; true | { "$0" "$1" run \
        --only DB_URL -- true; ${flags}; } 2>&1 | cat`;
      const args = ["-c", command, process.execPath, cliProgram];
      const { stdout } = await promisify(execFile)("sh", args, { env: cli().home.env });
      const lines = stdout.trim().split("\n");
      expect(lines).toHaveLength(6);
      const nonBlocking = 0o4000;
      for (const line of lines)
        expect(Number.parseInt(line.split(/\s+/)[1] ?? "", 8) & nonBlocking).toBe(0);
    });

    test("export has a GitHub runner mask what it exports, and shows no value elsewhere", async () => {
      const args = ["export", "--format", "github-env", "--only", "DB_URL"];
      const { err } = await cli().home.run(args, { env: { GITHUB_ACTIONS: "true" } });
      expect(err).toBe("::add-mask::postgres://db/2\n");
      expect((await cli().home.run(args)).err).toBe("");
    });

    test("an empty value, and one on the command line, are refused and stored nowhere", async () => {
      const versions = () => cli().home.json(["secret", "versions", "DB_URL", "--project", "web"]);
      const before = await versions();
      const put = ["secret", "put", "DB_URL", "--project", "web"];
      for (const input of ["", "\n", "\r\n", "\ufeff"]) {
        const { code, err } = await cli().home.run(put, { input });
        expect(code).toBe(2);
        expect(err).toMatch(/the value is empty: nothing was stored.*\n.*--allow-empty/);
      }
      for (const typed of [["DB_URL=s3cr3t"], ["DB_URL", "s3cr3t"]]) {
        const run = await cli().home.run(["secret", "put", ...typed, "--project", "web"], {
          input: "x",
        });
        expect(run.code).toBe(2);
        expect(run.err).not.toContain("s3cr3t");
      }
      expect(await versions()).toEqual(before);
      const empty = ["secret", "create", "EMPTY", "--project", "web", "--allow-empty"];
      expect(await cli().home.run(empty, { input: "" })).toMatchObject({ code: 0 });
      expect((await cli().home.run(["secret", "rm", "EMPTY", "--project", "web"])).code).toBe(0);
    });

    test("run says which values it does not filter, being too short", async () => {
      await cli().home.run(["secret", "put", "PIN", "--project", "web"], { input: "123" });
      const pin = await cli().home.json(["list"]);
      expect(pin).not.toContainEqual(expect.objectContaining({ name: "PIN" }));
      const { err } = await cli().home.run([
        "run",
        "--map",
        "P=DB:user",
        "--only",
        "DB",
        "--redact",
        "--",
        "true",
      ]);
      expect(err).toMatch(/not filtered, being shorter than 4 characters: P\n/);
    });
  });
}
