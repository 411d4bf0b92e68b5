import { create } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { ListRecordsRequestSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure } from "@sallyport/rpc";
import { corpusOf, createServiceDatabase, fuzz, fuzzRun } from "@sallyport/test/infra";
import { Client } from "pg";
import { expect, test } from "vitest";
import { pageTokenOf, parsePageToken, queryOf } from "./page-token.ts";
import { networkOf } from "./source.ts";

const run = fuzzRun();
const hourMs = 3_600_000;
const query = queryOf("vlt_1", create(ListRecordsRequestSchema, {}));
const validator = createValidator();

test(
  "page tokens are those that were given out, or refused in a typed way",
  async () => {
    const given = Buffer.from(pageTokenOf(7n, query));
    const accepts = (input: Buffer): boolean => {
      const text = input.toString();
      try {
        if (pageTokenOf(parsePageToken(text, query), query) !== text)
          throw new Error("it is another token");
        return true;
      } catch (error) {
        if (error instanceof Failure && error.reason === Reason.FIELD_INVALID) return false;
        throw error;
      }
    };
    const report = await fuzz(
      { name: "page token", seeds: [given, ...corpusOf("page-token")], accepts },
      run,
    );
    console.log(`  page token, seed ${run.seed}: ${report.cases} cases, ${report.read} read`);
    expect(report.read).toBeGreaterThan(0);
  },
  hourMs,
);

test(
  "every network that is read is one for Postgres too",
  async () => {
    const networks = new Set<string>();
    const accepts = (input: Buffer): boolean => {
      const sourceCidr = input.toString();
      const request = create(ListRecordsRequestSchema, { sourceCidr });
      const { kind } = validator.validate(ListRecordsRequestSchema, request);
      if (kind === "error") throw new Error("the contract cannot be checked");
      if (kind === "invalid" || sourceCidr === "") return false;
      try {
        networks.add(networkOf(sourceCidr));
        return true;
      } catch (error) {
        if (error instanceof Failure && error.reason === Reason.FIELD_INVALID) return false;
        throw error;
      }
    };
    const words = [".", ":", "::", "/", "/32", "/128", "/96", "ffff", "255", "%eth0"];
    const report = await fuzz(
      { name: "source_cidr", seeds: corpusOf("source-cidr"), words, accepts },
      run,
    );
    console.log(`  source_cidr, seed ${run.seed}: ${report.cases} cases, ${report.read} read`);
    await using database = await createServiceDatabase("audit");
    const client = new Client({ connectionString: database.servingUrl });
    await client.connect();
    const text = "select network::inet from unnest($1::text[]) as network";
    try {
      const { rows } = await client.query(text, [[...networks]]);
      expect(rows).toHaveLength(networks.size);
    } finally {
      await client.end();
    }
  },
  hourMs,
);
