import { type DescService, create, toBinary } from "@bufbuild/protobuf";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  OpenItemSchema,
  OpenService,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { assert, asyncProperty, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { exchange } from "../../infra/index.ts";
import { type Server, connectBare, tlsOf } from "../../system/mesh.ts";
import { type Stage, askFor, firstOf } from "./stage.ts";

/** Everything that a gateway may call, by whom it calls. */
const callable: readonly { readonly server: Server; readonly service: DescService }[] = [
  { server: "identity", service: KeyService },
  { server: "identity", service: ForwardService },
  { server: "policy", service: AuthorizationService },
  { server: "policy", service: ForwardService },
  { server: "secrets", service: FetchService },
  { server: "secrets", service: ForwardService },
  { server: "crypto", service: OpenService },
  { server: "audit", service: AppendService },
  { server: "audit", service: ForwardService },
];

const methods = callable.flatMap(({ server, service }) =>
  service.methods
    .filter(({ methodKind }) => methodKind === "unary")
    .map(({ name }) => ({ server, path: `/${service.typeName}/${name}` })),
);

const cases = 40;

/** The attacks with what is no message, or one that means nothing. */
export function describeNonsense(stage: () => Stage): void {
  describe("nonsense", () => {
    test.each(methods)(
      "$server $path: random bytes are no message or break the contract, and do no harm",
      async ({ server, path }) => {
        const { system } = stage().field;
        const tls = tlsOf(system, "gateway");
        const session = connectBare(system.addresses.ports[server], tls.caFile, tls);
        const post = (content: Uint8Array) =>
          exchange(session, path, { "content-type": "application/proto" }, content);
        try {
          await assert(
            asyncProperty(uint8Array({ maxLength: 256 }), async (content) => {
              const { status, text } = await post(content);
              // Connect and gRPC call what cannot be decoded INTERNAL; any other failure would be
              // ours.
              if (status >= 500)
                expect(text).toMatch(/^\{"code":"internal","message":"parse binary: [^"]*"\}$/);
            }),
            { numRuns: cases },
          );
          expect((await post(new Uint8Array())).text).toContain("FIELD_INVALID");
        } finally {
          session.close();
        }
      },
    );

    test("an item without any evidence: refused by its bounds, before any step", async () => {
      const { cheat } = stage();
      const empty = create(OpenItemSchema, {
        requestDigest: new Uint8Array(32),
        sourceIp: "192.0.2.1",
      });
      expect(toBinary(OpenItemSchema, empty).length).toBeGreaterThan(0);
      await expect(cheat.openAll([empty], "req_00000000000000000000")).rejects.toThrow(
        /field invalid/,
      );
    });

    test("an item that breaks a bound spoils its batch, and nothing of it is opened", async () => {
      const { field, cheat } = stage();
      const requestId = "req_00000000000000000001";
      const signed = askFor(field.machine, { secretIds: [firstOf(field)] });
      const { item } = await cheat.prepare(signed, {}, requestId);
      const broken = create(OpenItemSchema, { ...item, sourceIp: "not an address" });
      await expect(cheat.openAll([item, broken], requestId)).rejects.toThrow(/field invalid/);
      expect(await field.ledger.of(signed.digest)).toEqual([]);
      const [outcome] = await cheat.openAll([item], requestId);
      expect(outcome?.verdict).toBe("opened");
    });
  });
}
