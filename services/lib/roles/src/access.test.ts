import { globSync, readFileSync } from "node:fs";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { access, mayCall } from "./access.ts";
import { projectRoleName } from "./project-roles.ts";

const contracts = new URL("../../../../proto/sallyport/", import.meta.url);
const roles = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  auditor: Role.AUDITOR,
};

/** Path and "Callers:" text of every method of the public contracts, read from their comments. */
function documented(): [path: string, callers: string][] {
  const files = globSync("*/v1/*.proto", { cwd: contracts });
  return files.flatMap((name) => {
    const text = readFileSync(new URL(name, contracts), "utf8");
    const service = `${/^package (.+);$/m.exec(text)?.[1]}.${/^service (\w+) /m.exec(text)?.[1]}`;
    return [...text.matchAll(/((?: {2}\/\/.*\n)+) {2}rpc (\w+)\(/g)].map(
      ([, comment = "", method]) => {
        const sentence = comment.replaceAll(/\s*\/\/ /g, " ");
        return [
          `/${service}/${method}`,
          /Callers: ([^.]*?)(?: \(.*?\))?\./.exec(sentence)?.[1] ?? "",
        ];
      },
    );
  });
}

function callersOf(path: string): Record<string, boolean> {
  const user = (role: Role) => mayCall(path, { kind: PrincipalKind.USER, role });
  return {
    ...Object.fromEntries(Object.entries(roles).map(([name, role]) => [name, user(role)])),
    machine: mayCall(path, { kind: PrincipalKind.MACHINE, role: Role.UNSPECIFIED }),
    newKey: mayCall(path, undefined),
  };
}

function meant(callers: string): Record<string, boolean> {
  const says = (word: string) => callers.includes(word);
  const everyUser = says("users") || says("every user");
  return {
    ...Object.fromEntries(Object.keys(roles).map((name) => [name, everyUser || says(name)])),
    developer: everyUser || says("developer") || says("of the project"),
    machine: says("machines"),
    newKey: says("not enrolled"),
  };
}

test("the table and the contracts name the same methods", () => {
  expect([...access.keys()].sort()).toEqual(
    documented()
      .map(([path]) => path)
      .sort(),
  );
});

test.each(documented())("%s: %s", (path, callers) => {
  expect(callers).not.toBe("");
  expect(callersOf(path)).toEqual(meant(callers));
});

test.each(documented())(
  "%s asks for the role in the project that its contract names: %s",
  (path, callers) => {
    const [, named = ""] = /(lister|writer|manager)s of the project/.exec(callers) ?? [];
    const needed = access.get(path)?.project;
    expect(needed === undefined ? "" : projectRoleName(needed)).toBe(named);
  },
);

test("what nobody named is refused, and so is a user without a role", () => {
  expect(
    mayCall("/sallyport.gateway.v1.ReadService/Other", {
      kind: PrincipalKind.MACHINE,
      role: Role.UNSPECIFIED,
    }),
  ).toBe(false);
  const whoAmI = "/sallyport.identity.v1.UserService/WhoAmI";
  expect(mayCall(whoAmI, { kind: PrincipalKind.USER, role: Role.UNSPECIFIED })).toBe(false);
  expect(mayCall(whoAmI, { kind: PrincipalKind.UNSPECIFIED, role: Role.OWNER })).toBe(false);
});

test("only machines read values", () => {
  const { machine, ...others } = callersOf("/sallyport.gateway.v1.ReadService/ReadSecrets");
  expect(machine).toBe(true);
  expect(Object.values(others)).not.toContain(true);
});
