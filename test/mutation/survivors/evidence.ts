import type { Survivor } from "../judge.ts";

/** Every mutant of evidence that may survive, and why. */
export const evidence: readonly Survivor[] = [
  {
    file: "services/lib/evidence/src/ed25519.ts",
    code: "} finally {",
    change: "{ secretKey.fill(0); } → {}",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/lib/evidence/src/ed25519.ts",
    code: "secretKey.fill(0);",
    change: "secretKey.fill(0); → ;",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'new Error("replay: the request was seen before"),',
    change: '"replay: the request was seen before" → ""',
    why: "text for the log alone: the peer gets the reason",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'if (!signedRequest) throw new EvidenceError("signature", "there is no request");',
    change: "!signedRequest → false",
    why: "for the compiler: signerOf refuses the same before",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'if (!signedRequest) throw new EvidenceError("signature", "there is no request");',
    change: '"there is no request" → ""',
    why: "for the compiler: signerOf refuses the same before",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'if (!run) throw new EvidenceError("path", "it is not a method of this service");',
    change: '"it is not a method of this service" → ""',
    why: "text for the log alone: the peer gets the step, which is tested",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'throw new EvidenceError("role", "the key is not enrolled");',
    change: '"the key is not enrolled" → ""',
    why: "text for the log alone: the peer gets the step, which is tested",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'if (!signedRequest) throw new Error("verified without a request");',
    change: "!signedRequest → false",
    why: "for the compiler: signerOf refuses the same before",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: 'if (!signedRequest) throw new Error("verified without a request");',
    change: '"verified without a request" → ""',
    why: "for the compiler: signerOf refuses the same before",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: "countRefusedStep(error);",
    change: "countRefusedStep(error); → ;",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/lib/evidence/src/refused-steps.ts",
    code: "export function countRefusedStep({ step }: EvidenceError): void {",
    change: "{ refusals({ step }); } → {}",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/lib/evidence/src/refused-steps.ts",
    code: "refusals({ step });",
    change: "{ step } → {}",
    why: "a metric: test/system/telemetry.test.ts reads it from a whole deployment",
  },
  {
    file: "services/lib/evidence/src/signer.ts",
    code: 'const named = atStep("signature", () => parseKeyId(keyId));',
    change: '"signature" → ""',
    why: "parseRequest took the keyid before, so parseKeyId does not throw",
  },
  {
    file: "services/lib/evidence/src/answer.ts",
    code: '"first",',
    change: '"first" → ""',
    why: "the end of a sentence for the operator",
  },
  {
    file: "services/lib/evidence/src/followed-keys.ts",
    code: "return { key: () => pick(keys.current, trust), [Symbol.dispose]: () => keys[Symbol.dispose]() };",
    change: "() => keys[Symbol.dispose]() → () => undefined",
    why: "a timer that does not keep the process alive: nothing is seen of it after the end",
  },
  {
    file: "services/lib/evidence/src/published.ts",
    code: "return published.find(({ keyId }) => keyId === preferred?.keyId) ?? published[0];",
    change: "preferred?.keyId → preferred.keyId",
    why: "a keyset that has a key of ours has a preferred one of the same use",
  },
  {
    file: "services/lib/evidence/src/signing-key-file.ts",
    code: "key.fill(0);",
    change: "key.fill(0); → ;",
    why: "it wipes memory at which no test can look",
  },
  {
    file: "services/lib/evidence/src/trust.ts",
    code: "if (error instanceof FormatError)",
    change: "error instanceof FormatError → true",
    why: "strict decoding throws no other error",
  },
  {
    file: "services/lib/evidence/src/trust.ts",
    code: "keys.find(({ use, holder }) => use === KeyUse.ANSWER && holder === owner),",
    change: "use === KeyUse.ANSWER → true",
    why: "only answer keys have a holder: another keyset is not opened",
  },
  {
    file: "services/lib/evidence/src/trust.ts",
    code: "({ use, holder, keyId: id }) => use === KeyUse.ANSWER && holder === owner && id === keyId,",
    change: "use === KeyUse.ANSWER → true",
    why: "only answer keys have a holder: another keyset is not opened",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: "if (!(error instanceof Failure)) throw fail(Reason.INTERNAL, {}, error);",
    change: "!(error instanceof Failure) → false",
    why: "what has no reason is not public, and INTERNAL by the next check",
  },
  {
    file: "services/lib/forward/src/forwarder.ts",
    code: "if (error.reason === Reason.INTERNAL) throw error;",
    change: "error.reason === Reason.INTERNAL → false",
    why: "INTERNAL is not public, and INTERNAL again by the next check",
  },
  {
    file: "services/lib/roles/src/project-roles.ts",
    code: "let judged = access.get(path)?.project === undefined;",
    change: "access.get(path)?.project → access.get(path).project",
    why: "for the compiler: verified requests name a method of the table",
  },
  {
    file: "services/lib/roles/src/project-roles.ts",
    code: "if (allowed?.project === undefined) throw new Error(`${path} concerns no project`);",
    change: "allowed?.project → allowed.project",
    why: "for the compiler: verified requests name a method of the table",
  },
];
