import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LoginCodeSchema } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { expect, test } from "vitest";
import { loginCommand, plainCode } from "./login-code.ts";

const url = "https://localhost:8443";

test("the command to copy holds a name that is a word, and no other", () => {
  expect(loginCommand({ url }, "ada")).toBe(`SALLYPORT_URL=${url} sallyport login --name ada`);
  for (const name of ["$(reboot)", "a; reboot", "a b", "", "`id`", 'x"', "a\nb"])
    expect(loginCommand({ url, ca: "PEM" }, name)).toBe(
      `SALLYPORT_URL=${url} SALLYPORT_CA=ca.pem sallyport login --name NAME`,
    );
});

test.each([
  ["open", {}],
  ["expired", { expiresAt: timestampFromMs(1000) }],
  ["revoked", { revokedAt: timestampFromMs(500) }],
  ["redeemed", { redeemedAt: timestampFromMs(500), revokedAt: timestampFromMs(600) }],
])("a code is %s", (state, change) => {
  const code = create(LoginCodeSchema, { expiresAt: timestampFromMs(1001), ...change });
  expect(plainCode(code, 1000)).toMatchObject({ state, redeemedBy: "" });
});
