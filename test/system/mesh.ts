import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { type Process, type System, trustDomain } from "@sallyport/deploy/local";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { type Refusal, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type PeerConnection, type TlsFiles, connectPeer, failureOf } from "@sallyport/rpc";

/** One of the processes that answer others. */
export type Server = Exclude<Process, "gateway">;

/** Whoever holds a process's certificate and key: the others take it for that process. */
export type Impostor = Disposable & {
  client<S extends DescService>(service: S, server: Server): Client<S>;
};

/** The certificate, the key and the authority that a process has in its folder. */
export function tlsOf({ layout }: System, process: Process): TlsFiles {
  const file = (name: string) => join(layout.folder(process), name);
  return {
    certFile: file(`${process}.pem`),
    keyFile: file(`${process}.key`),
    caFile: file("ca.pem"),
  };
}

/** A bare connection to a process's port, with that certificate or with none. */
export function connectBare(
  port: number,
  caFile: string,
  own?: Pick<TlsFiles, "certFile" | "keyFile">,
): ClientHttp2Session {
  const certificate = own
    ? { cert: readFileSync(own.certFile), key: readFileSync(own.keyFile) }
    : {};
  return connect(`https://localhost:${port}`, { ca: readFileSync(caFile), ...certificate });
}

/** Calls the other processes as the one whose folder was stolen. */
export function poseAs(system: System, process: Process): Impostor {
  const tls = tlsOf(system, process);
  const connections = new Map<Server, PeerConnection>();
  const connectionTo = (peer: Server): PeerConnection => {
    const known = connections.get(peer);
    if (known) return known;
    const url = `https://localhost:${system.addresses.ports[peer]}`;
    const made = connectPeer({ peer, url, tls, trustDomain });
    connections.set(peer, made);
    return made;
  };
  return {
    client: (service, server) => createClient(service, connectionTo(server).transport),
    [Symbol.dispose]() {
      for (const connection of connections.values()) connection.close();
    },
  };
}

/**
 * The outcome of a call between processes, such as "EVIDENCE_INVALID permit"; "answered" if it was
 * not refused.
 */
export function verdictOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "answered",
    (error: unknown) => {
      // As it was sent: what a peer may not do comes out of failureOf as our own fault.
      const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
      return info ? toldOf(info.reason, info.metadata) : told(failureOf(error));
    },
  );
}

/** The same for a refusal that travels in a reply. */
export function told({ reason, metadata }: Pick<Refusal, "reason" | "metadata">): string {
  return toldOf(enumName(ReasonSchema, reason), metadata);
}

function toldOf(name: string, metadata: Readonly<Record<string, string>>): string {
  const what = metadata["step"] ?? metadata["field"];
  return what === undefined ? name : `${name} ${what}`;
}
