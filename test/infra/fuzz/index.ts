export { corpusOf } from "./corpus.ts";
export { randomJson } from "./message.ts";
export { type FuzzReport, type FuzzRun, type FuzzTarget, fuzz, fuzzRun } from "./fuzz.ts";
export { type Random, randomOf } from "./random.ts";
