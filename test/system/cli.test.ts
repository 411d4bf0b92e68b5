import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { catalogue } from "@sallyport/cli/catalogue";
import { differences } from "@sallyport/cli/shape";
import { MachineState } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { describeCompletion } from "./cli/completion.ts";
import { describeProjects, describeSecrets } from "./cli/contents.ts";
import { describeDoctor } from "./cli/doctor.ts";
import { describeGrants } from "./cli/grants.ts";
import { describeIdentities } from "./cli/identities.ts";
import { describeKeysets } from "./cli/keyset.ts";
import { describeExpiry, describeMachines } from "./cli/machines.ts";
import { describeNetwork } from "./cli/network.ts";
import { describePeople } from "./cli/people.ts";
import { describeProxy } from "./cli/proxy.ts";
import { describeRecords } from "./cli/records.ts";
import { describeSealing } from "./cli/sealing.ts";
import { type Cli, startCli } from "./cli/state.ts";
import { describeValues } from "./cli/values.ts";

vi.setConfig({ testTimeout: 120_000 });

// One deployment for all of it: starting one takes longer than all that is done with it.
let cli: Cli;
beforeAll(async () => {
  cli = await startCli();
}, 240_000);
afterAll(() => cli[Symbol.asyncDispose]());

const started = (): Cli => cli;
describeValues(started);
describeIdentities(started);
describeDoctor(started);
describeKeysets(started);
describeProxy(started);
describeNetwork(started);
describePeople(started);
describeMachines(started);
describeCompletion(started);
describeProjects(started);
describeSecrets(started);
describeGrants(started);
describeSealing(started);
describeRecords(started);
describeExpiry(started);

test("what every command prints as JSON is what is documented, to the last key", async () => {
  cli.printed.set("version", await cli.home.json(["version"]));
  const captured = join(
    import.meta.dirname,
    "../../clients/cli/src/requests/testdata/curl-enroll.http",
  );
  cli.printed.set("request check", await cli.home.json(["request", "check", captured]));
  const spare = await cli.home.json(["token", "create", "--project", "web", "--secret", "DB_URL"]);
  const env = { SALLYPORT_ENROLLMENT_TOKEN: (spare as { token: string }).token };
  const { machineId: spareId } = (await cli.home.json(
    ["enroll", "--identity", join(cli.home.dir, "spare.json")],
    {
      env,
    },
  )) as {
    machineId: string;
  };
  cli.printed.set("machine revoke", await cli.home.json(["machine", "revoke", spareId, "--yes"]));
  cli.printed.set(
    "logout",
    await cli.home.json(["logout", "--identity", join(cli.home.dir, "spare.json")]),
  );
  for (const { path, load } of catalogue) {
    const { json } = await load();
    if (!json) continue;
    expect(cli.printed.has(path), path).toBe(true);
    expect(differences(json, cli.printed.get(path)), path).toEqual([]);
  }
});

test("a refusal is JSON on standard error with --json, and records name the program", async () => {
  const { code, out, err } = await cli.home.run(["get", "API_KEY", "--json"]);
  expect({ code, out }).toEqual({ code: 3, out: "" });
  expect(JSON.parse(err)).toMatchObject({ error: { reason: "NOT_GRANTED", metadata: {} } });
  const records = (await cli.home.json(["audit", "list", "--action", "secret.read"])) as {
    client: string;
  }[];
  expect(records[0]?.client).toMatch(/^sallyport-cli\/\d/);
});

test("logout ends the keys at the server, overwrites and removes them; the last owner's only on demand", async () => {
  const vault = cli.vaultFolder();
  const kept = await cli.home.run(["logout", "--as", "user"]);
  expect(kept).toMatchObject({ code: 5, out: "" });
  expect(kept.err).toMatch(/ada is the last owner.*\[LAST_OWNER\]\n {2}→ .*--local-only/);
  expect(readdirSync(vault).toSorted()).toEqual(["machine.json", "user.json"]);
  expect(await cli.home.json(["logout", "--as", "machine"])).toEqual({
    removed: [join(vault, "machine.json")],
    ended: [cli.machineId],
    notEnded: [],
  });
  const { machine } = await cli.admin.services.machines.getMachine({ machineId: cli.machineId });
  expect(machine?.state).toBe(MachineState.REVOKED);
  expect(readdirSync(vault)).toEqual(["user.json"]);
  expect((await cli.home.run(["list"])).code).toBe(4);
  expect((await cli.home.run(["logout", "--local-only"])).out).toMatch(
    /! the server was not notified/,
  );
  expect(readdirSync(vault)).toEqual([]);
  expect(existsSync(join(cli.folder(), "current"))).toBe(false);
  expect((await cli.home.run(["whoami"])).code).toBe(4);
});
