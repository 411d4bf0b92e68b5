import type { Survivor } from "../judge.ts";

/** Every mutant of crypto that may survive, and why. */
export const crypto: readonly Survivor[] = [
  {
    file: "proto/keyring/aead.ts",
    code: "plaintext.fill(0); // Security: what was not authenticated does not stay in memory either.",
    change: "plaintext.fill(0); → ;",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/crypto/src/ceremony.ts",
    code: "} finally {",
    change: "{ wipeKeyring(keyring); } → {}",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/crypto/src/ceremony.ts",
    code: "wipeKeyring(keyring);",
    change: "wipeKeyring(keyring); → ;",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/crypto/src/project-key-cache.ts",
    code: 'return `${vaultId} ${projectId} ${createHash("sha256").update(wrapped).digest("base64")}`;',
    change: '"base64" → ""',
    why: "any text of the digest will do for a name",
  },
  {
    file: "services/crypto/src/refusal.ts",
    code: "countRefusedStep(error);",
    change: "countRefusedStep(error); → ;",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/rpc/open.ts",
    code: "reads({ sealed: String(sealer !== undefined) }, unlocked.length);",
    change: "{ sealed: String(sealer !== undefined) } → {}",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/rpc/open.ts",
    code: "reads({ sealed: String(sealer !== undefined) }, unlocked.length);",
    change: "sealer !== undefined → true",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/rpc/open.ts",
    code: "reads({ sealed: String(sealer !== undefined) }, unlocked.length);",
    change: "sealer !== undefined → false",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/rpc/open.ts",
    code: "reads({ sealed: String(sealer !== undefined) }, unlocked.length);",
    change: "sealer !== undefined → sealer === undefined",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/open/record.ts",
    code: 'throw fail(Reason.INTERNAL, {}, new Error("no attempt was made"));',
    change: '"no attempt was made" → ""',
    why: "for the compiler: the last attempt returns or throws",
  },
  {
    file: "services/crypto/src/seal/fields.ts",
    code: 'const name = bytes.length <= maxNameBytes ? Buffer.from(bytes).toString("latin1") : "";',
    change: "bytes.length <= maxNameBytes → true",
    why: "a longer name has the wrong form too: this saves making a text of it",
  },
  {
    file: "services/crypto/src/seal/fields.ts",
    code: 'const name = bytes.length <= maxNameBytes ? Buffer.from(bytes).toString("latin1") : "";',
    change: '"" → "Stryker was here!"',
    why: "a longer name has the wrong form too: this saves making a text of it",
  },
  {
    file: "services/crypto/src/seal/fields.ts",
    code: "for (let at = from + 1; at < json.length;) {",
    change: "at < json.length → at <= json.length",
    why: "what is read behind the end counts as 0, which is refused with the same sentence",
  },
  {
    file: "services/crypto/src/seal/fields.ts",
    code: "throw new FieldsError(notAnObject);",
    change: "throw new FieldsError(notAnObject); → ;",
    why: "after an escape that is none the place is no number: the string has no end then, and the same sentence comes",
  },
  {
    file: "services/crypto/src/seal/seal-value.ts",
    code: "if (error instanceof FieldsError) throw invalid(error.message);",
    change: "error instanceof FieldsError → true",
    why: "reading the names of fields throws nothing else",
  },
  {
    file: "services/crypto/src/seal/verify.ts",
    code: "user.kind === PrincipalKind.USER && mayCall(path, user),",
    change: "user.kind === PrincipalKind.USER → true",
    why: "a second lock: the role table lets no machine write either",
  },
  {
    file: "services/crypto/src/seal/verify.ts",
    code: 'return { projectId, secretId, expectedVersion: 0, name, value: present("body", value) };',
    change: '"body" → ""',
    why: "for the compiler: the contract demands a value, and decodeBody keeps to it",
  },
  {
    file: "services/crypto/src/seal/verify.ts",
    code: 'return { projectId, secretId, expectedVersion, value: present("body", value) };',
    change: '"body" → ""',
    why: "for the compiler: the contract demands a value, and decodeBody keeps to it",
  },
  {
    file: "services/crypto/src/server.ts",
    code: 'const logger = createLogger({ service: "crypto", level: config.logLevel ?? "info" });',
    change: '"crypto" → ""',
    why: "the log, which is silent here: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/server.ts",
    code: 'const logger = createLogger({ service: "crypto", level: config.logLevel ?? "info" });',
    change: 'config.logLevel ?? "info" → config.logLevel && "info"',
    why: "the log, which is silent here: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/server.ts",
    code: 'const logger = createLogger({ service: "crypto", level: config.logLevel ?? "info" });',
    change: '"info" → ""',
    why: "the log, which is silent here: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/crypto/src/server.ts",
    code: 'self: "crypto",',
    change: '"crypto" → ""',
    why: "it is only logged",
  },
  {
    file: "services/crypto/src/server.ts",
    code: 'dependencies: { audit: () => checkHealth(audit.transport, "live") },',
    change: '"live" → ""',
    why: "an audit that is alive is ready too, unless its own database is away",
  },
];
