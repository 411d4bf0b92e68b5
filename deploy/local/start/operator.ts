import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Layout } from "../data/layout.ts";
import type { CertificateFiles } from "../ceremony/pki.ts";
import { type Addresses, metricsPorts } from "./settings.ts";

/** The operator's access to metrics: a certificate, and the addresses. */
export type Operator = CertificateFiles & {
  /** The file with the address of each process's metrics, for Prometheus's file_sd. */
  readonly targetsFile: string;
};

/**
 * Tells where the operator's certificate is, and writes down where the metrics of this start are.
 */
export function prepareOperator(layout: Layout, addresses: Addresses): Operator {
  const dir = layout.operator;
  const files = { certFile: join(dir, "operator.pem"), keyFile: join(dir, "operator.key") };
  const caFile = join(dir, "ca.pem");
  const targetsFile = join(dir, "metrics.json");
  const targets = [...metricsPorts(addresses)].map(([name, port]) => ({
    targets: [`localhost:${port}`],
    labels: { job: `sallyport-${name}` },
  }));
  writeFileSync(targetsFile, `${JSON.stringify(targets, undefined, 2)}\n`, { mode: 0o600 });
  return { ...files, caFile, targetsFile };
}
