import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CertificateAuthority,
  createCa,
  daysLeft,
  isOf,
  renewAuthority,
} from "./authority.ts";
import { claimDirectory } from "../data/claim.ts";
import { type Layout, processes, trustDomain } from "../data/layout.ts";
import { writeForFolder } from "../data/ownership.ts";
import { readCertificates } from "./pem.ts";
import { issueEdgeCertificate, issuePeerCertificate, lastingDays } from "./pki.ts";

/** The results of a renewal, in sentences for the operator. */
export type Renewal = { readonly renewed: readonly string[]; readonly warnings: readonly string[] };

/** Options of a renewal; `now`, in milliseconds, is for tests. */
export type RenewalOptions = {
  readonly publicName: string;
  readonly now?: number;
  /** Renews every certificate, due or not. */
  readonly anyway?: boolean;
  /** Adds a successor to each authority, or lets the one that was added take over, due or not. */
  readonly authorities?: boolean;
};

type Leaf = {
  readonly file: string;
  readonly issue: (ca: CertificateAuthority) => Promise<unknown>;
};
type Domain = {
  readonly name: "mesh" | "edge";
  readonly leaves: readonly Leaf[];
  /** Copies of ca.pem, for those who may not read the authority's folder. */
  readonly copies: readonly string[];
};

const dueDays = 60;

/**
 * Issues the certificates of a deployment that are missing, and renews those that have less than 60
 * days left, while everything runs or before it does: processes load what changed. Authorities
 * get their successors, see renewAuthority. Where an authority's key is kept elsewhere, what is due
 * is reported instead. Throws AlreadyRunningError while another process renews.
 */
export async function renewCertificates(layout: Layout, options: RenewalOptions): Promise<Renewal> {
  const release = claimDirectory(layout.authorities);
  try {
    const renewed: string[] = [];
    const warnings: string[] = [];
    for (const domain of domainsOf(layout, options)) {
      const done = await renewDomain(layout, domain, options);
      renewed.push(...done.renewed);
      warnings.push(...done.warnings);
    }
    return { renewed, warnings };
  } finally {
    release();
  }
}

// Two authorities: a certificate of the public one opens no door inside.
function domainsOf(layout: Layout, { publicName, now }: RenewalOptions): readonly Domain[] {
  const peers: { peer: string; dir: string }[] = processes.map((peer) => ({
    peer,
    dir: layout.folder(peer),
  }));
  const holders = [...peers, { peer: "operator", dir: layout.operator }];
  const gateway = layout.folder("gateway");
  return [
    {
      name: "mesh",
      copies: holders.map(({ dir }) => join(dir, "ca.pem")),
      leaves: holders.map(({ peer, dir }) => ({
        file: join(dir, `${peer}.pem`),
        issue: (ca) => issuePeerCertificate({ ca, dir, trustDomain, peer, now }),
      })),
    },
    {
      name: "edge",
      copies: [],
      leaves: [
        {
          file: join(gateway, "edge.pem"),
          issue: (ca) => issueEdgeCertificate({ ca, dir: gateway, names: [publicName], now }),
        },
      ],
    },
  ];
}

async function renewDomain(
  layout: Layout,
  { name, leaves, copies }: Domain,
  { now = Date.now(), anyway = false, authorities = false }: RenewalOptions,
): Promise<Renewal> {
  const authority = { dir: join(layout.authorities, name), name: `sallyport ${name}` };
  const certFile = join(authority.dir, "ca.pem");
  if (existsSync(certFile) && !existsSync(join(authority.dir, "ca.key")))
    return {
      renewed: [],
      warnings: withoutKey(authority.dir, [certFile, ...leaves.map(({ file }) => file)], now),
    };
  let ca = await createCa(authority, now);
  const renewed: string[] = [];
  // A second step follows at once only for what has ended: else everybody gets to know the
  // successor first.
  for (let step = 0; step < 2 && (step === 0 || daysLeft(ca.certificate, now) <= 0); step += 1) {
    const request = { now, anyway: authorities && step === 0 };
    if (await renewAuthority(authority, request)) renewed.push(`authority ${name}`);
    ca = await createCa(authority, now);
  }
  // A new authority is published before any certificate that it signs.
  for (const copy of copies) await copyWhenChanged(certFile, copy);
  for (const leaf of leaves) {
    if (!anyway && !(await isDue(leaf.file, ca, now))) continue;
    await leaf.issue(ca);
    renewed.push(leaf.file);
  }
  return { renewed, warnings: warningsOf(authority.dir, ca, now) };
}

// One that would hardly last longer than the old one is not worth it: its authority is about to be
// followed.
async function isDue(file: string, ca: CertificateAuthority, now: number): Promise<boolean> {
  if (!existsSync(file)) return true;
  const [leaf] = readCertificates(file);
  const signer = { publicKey: ca.certificate.publicKey, signatureOnly: true };
  if (leaf === undefined || !(await leaf.verify(signer))) return true;
  // A renewal that was cut off between the two files.
  if (!isOf(file.replace(/\.pem$/, ".key"), leaf)) return true;
  const left = daysLeft(leaf, now);
  return left < dueDays && lastingDays(ca, now) > left + 1;
}

async function copyWhenChanged(from: string, to: string): Promise<void> {
  const text = readFileSync(from, "utf8");
  if (!existsSync(to) || readFileSync(to, "utf8") !== text) await writeForFolder(to, text);
}

function warningsOf(
  dir: string,
  { certificate, certFile }: CertificateAuthority,
  now: number,
): string[] {
  const left = daysLeft(certificate, now);
  if (left >= dueDays) return [];
  return [
    `the authority of ${dir} ends in ${Math.floor(left)} days; its successor is in ${certFile} ` +
      "already: give that file to all who trust it",
  ];
}

function withoutKey(dir: string, files: readonly string[], now: number): string[] {
  const ending = files.flatMap((file) =>
    existsSync(file)
      ? readCertificates(file).map((certificate) => ({ file, left: daysLeft(certificate, now) }))
      : [],
  );
  return ending
    .filter(({ left }) => left < dueDays)
    .map(
      ({ file, left }) =>
        `${file} ends in ${Math.floor(left)} days: put ${join(dir, "ca.key")} back and start`,
    );
}
