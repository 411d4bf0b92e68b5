export { type TestAnswerKeys, createAnswerKeys } from "./answer-keys.ts";
export { type AnswerFiles, createAnswerFiles } from "./answer-files.ts";
export { type Collector, type ReceivedSpan, startCollector } from "./collector.ts";
export { createServiceDatabase, type ServiceTestDatabase } from "./database.ts";
export { type Answer, connectFrom, exchange, exchangeOnce, reasonIn } from "./exchange.ts";
export { fillLog, filledLog } from "./filled-log.ts";
export {
  type ConnectProxy,
  type Forwarder,
  startConnectProxy,
  startForwarder,
} from "./forwarder.ts";
export { type ShownMetric, parseMetrics, seriesOf } from "./prometheus.ts";
export {
  type FuzzReport,
  type FuzzRun,
  type FuzzTarget,
  type Random,
  corpusOf,
  fuzz,
  fuzzRun,
  randomJson,
  randomOf,
} from "./fuzz/index.ts";
export { type CallAsUser, callsForwarded, inMemory } from "./in-memory.ts";
export { keysOfEveryUse, keysetKeyOf, signTestKeyset } from "./keyset.ts";
export {
  createTestEdge,
  createTestPki,
  issueShortCertificate,
  testPeers,
  type TestEdge,
  type TestPki,
} from "./pki.ts";
export { testRedisUrl } from "./redis.ts";
export {
  createSignedDeployment,
  newMachine,
  newUser,
  type SigningUser,
} from "./signed-deployment.ts";
