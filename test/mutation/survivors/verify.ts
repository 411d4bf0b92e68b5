import type { Survivor } from "../judge.ts";

/** Every mutant of the gateway's checks that may survive, and why. */
export const verify: readonly Survivor[] = [
  {
    file: "gateway/src/verification/key-cache.ts",
    code: "if (oldest !== undefined) map.delete(oldest);",
    change: "oldest !== undefined → true",
    why: "nothing is kept under the name undefined",
  },
  {
    file: "gateway/src/verification/key-cache.ts",
    code: "generation += 1;",
    change: "generation += 1 → generation -= 1",
    why: "it is only asked whether it changed",
  },
  {
    file: "gateway/src/verification/key-cache.ts",
    code: "if (waiting?.keyIds === keyIds) waiting = undefined;",
    change: "waiting?.keyIds === keyIds → true",
    why: "at worst one more call goes out: a batch that has begun answers those who are in it",
  },
  {
    file: "gateway/src/verification/key-cache.ts",
    code: "if (waiting?.keyIds === keyIds) waiting = undefined;",
    change: "waiting?.keyIds → waiting.keyIds",
    why: "at worst one more call goes out: a batch that has begun answers those who are in it",
  },
  {
    file: "gateway/src/verification/revocations.ts",
    code: "} finally {",
    change: "{ clearTimeout(timer); } → {}",
    why: "the timer ends a stream that has ended",
  },
  {
    file: "gateway/src/verification/revocations.ts",
    code: "clearTimeout(timer);",
    change: "clearTimeout(timer); → ;",
    why: "the timer ends a stream that has ended",
  },
  {
    file: "gateway/src/verification/signer.ts",
    code: "resolved.credential && claims ? { credential: resolved.credential, claims } : undefined;",
    change: "resolved.credential && claims → resolved.credential || claims",
    why: "claims are read from the credential: there are both or neither",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: 'if (!principal || rateClass === "none") return undefined;',
    change: '!principal || rateClass === "none" → !principal && rateClass === "none"',
    why: "the class none has no rate, and without a rate the store counts nothing",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: 'if (!principal || rateClass === "none") return undefined;',
    change: 'rateClass === "none" → false',
    why: "the class none has no rate, and without a rate the store counts nothing",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: 'if (!principal || rateClass === "none") return undefined;',
    change: '"none" → ""',
    why: "the class none has no rate, and without a rate the store counts nothing",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: "throw clockSkew(parts.clock(), admission.waitMs > 0 ? admission.waitMs : undefined);",
    change: "admission.waitMs > 0 → admission.waitMs >= 0",
    why: "a wait of exactly 0 ms says the same as none",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: "if (limit) countLimit(limit.name, false);",
    change: "limit → true",
    why: "for the compiler: only what has a limit is limited",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: "default:",
    change: "default: throw new Error(`unknown admission ${String(admiss… → default:",
    why: "for the compiler: there are no other admissions",
  },
  {
    file: "gateway/src/verification/checklist.ts",
    code: "throw new Error(`unknown admission ${String(admission satisfies never)}`);",
    change: "`unknown admission ${String(admission satisfies never)}` → ``",
    why: "for the compiler: there are no other admissions",
  },
  {
    file: "gateway/src/verification/nonces.ts",
    code: 'const keys = [`gw:nonce:${keyId}:${nonce}`, `gw:rate:${limit?.bucket ?? ""}`];',
    change: '"" → "Stryker was here!"',
    why: "without a rate the script reads neither burst nor bucket",
  },
  {
    file: "gateway/src/verification/nonces.ts",
    code: 'const { perSecond = "", burst = "" } = limit?.rate ?? {};',
    change: '"" → "Stryker was here!"',
    why: "without a rate the script reads neither burst nor bucket",
  },
  {
    file: "gateway/src/verification/nonces.ts",
    code: 'const [, waitMs] = await run("gw:none", "gw:none", "", 0, "", "").catch(forOperator);',
    change: '"" → "Stryker was here!"',
    why: "where there is no `created` the script reads neither rate nor burst",
  },
  {
    file: "gateway/src/verification/nonces.ts",
    code: 'if (kind === "before-epoch" || kind === "limited") return { kind, waitMs };',
    change: 'kind === "before-epoch" || kind === "limited" → true',
    why: "for the compiler: the script answers nothing else",
  },
  {
    file: "gateway/src/verification/nonces.ts",
    code: "throw new Error(`the nonce script answered ${kind}`);",
    change: "`the nonce script answered ${kind}` → ``",
    why: "for the compiler: the script answers nothing else",
  },
  {
    file: "gateway/src/verification/redis.ts",
    code: "...(username === null ? {} : { username }),",
    change: "username === null → false",
    why: "for the compiler: null is the default of ioredis for both",
  },
  {
    file: "gateway/src/verification/redis.ts",
    code: "...(password === null ? {} : { password }),",
    change: "password === null → false",
    why: "for the compiler: null is the default of ioredis for both",
  },
];
