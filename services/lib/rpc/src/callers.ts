import { methodPath } from "@sallyport/proto/names/method-path";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { Peer } from "./peer.ts";

/** Which peers may call each method of a service. A method without an entry does not compile. */
export type Callers<S extends DescService> = { readonly [M in keyof S["method"]]: readonly Peer[] };

/** A service with its callers, ready to be served. */
export type Route = {
  readonly service: DescService;
  readonly callers: Readonly<Record<string, readonly Peer[]>>;
  readonly register: (router: ConnectRouter) => void;
};

/** Joins a service, its callers and its whole implementation. */
export function route<S extends DescService>(
  service: S,
  callers: Callers<S>,
  implementation: ServiceImpl<S>,
): Route {
  return { service, callers, register: (router) => void router.service(service, implementation) };
}

/** Says whether a peer may call a method; one that no table names is refused. */
export type CallerCheck = (method: DescMethod, peer: Peer | undefined) => boolean;

/**
 * Makes the check over all routes. Throws when a service is routed twice: one table would shadow
 * the other.
 */
export function createCallerCheck(routes: readonly Route[]): CallerCheck {
  const allowed = new Map<string, ReadonlySet<Peer>>();
  for (const { service, callers } of routes)
    for (const method of service.methods) {
      if (allowed.has(methodPath(method))) throw new Error(`${methodPath(method)} is routed twice`);
      allowed.set(methodPath(method), new Set(callers[method.localName]));
    }
  return (method, peer) =>
    peer !== undefined && allowed.get(methodPath(method))?.has(peer) === true;
}
