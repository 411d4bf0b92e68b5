/**
 * Calls between processes over HTTP/2 with mutual TLS. It exists so that the table of callers,
 * deadlines, validation and errors are enforced in one way. It promises that a peer without the
 * right to a method is refused before its message is read, that nothing is sent to a server that
 * does not prove to be the expected peer, and that only listed failures leave a process. It must
 * never forward the text of an unexpected error.
 */
export { certificateNotice } from "./certificate-ends.ts";
export { inCall, remainingMs } from "./call.ts";
export { type Callers, type Route, route } from "./callers.ts";
export { type PeerConnection, type PeerOptions, connectPeer } from "./client.ts";
export { Failure, codeOf, fail, fromRefusal, nameOf, toRefusal } from "./failure.ts";
export type { Notices } from "./health.ts";
export { checkHealth } from "./health-client.ts";
export { concludeServed, endingOf, spansOf } from "./measure.ts";
export { type Peer, peerOf, peerValues, requestIdOf } from "./peer.ts";
export { type ServeOptions, serve } from "./server.ts";
export { untilStopped } from "./stopped.ts";
export { type FollowOptions, type FollowedFile, followFile } from "./followed-file.ts";
export { listening } from "./listening.ts";
export {
  type CertificateFiles,
  type TlsFiles,
  type TlsMaterial,
  readTls,
  watchTls,
} from "./tls-files.ts";
export { failureOf, toConnectError } from "./translate.ts";
