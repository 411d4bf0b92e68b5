import { newId } from "@sallyport/proto/ids";
import { newKey } from "@sallyport/proto/keyring";
import { storeSecret } from "../read.ts";
import {
  type Case,
  deployment,
  machine,
  first,
  other,
  elsewhere,
  later,
  decided,
} from "./ground.ts";

/** Reads whose parts do not belong together. */
export const bindingCases: readonly Case[] = [
  {
    step: "binding",
    says: "the keyid is another one's",
    name: "keyid of another machine",
    plan: { request: { signer: { keyId: newId("mch"), seed: machine.seed } } },
  },
  {
    step: "binding",
    says: "the item names another request",
    name: "item names another request",
    plan: { item: (item) => void (item.requestDigest = new Uint8Array(32)) },
  },
  {
    step: "binding",
    says: "permit and credential name different vaults",
    name: "credential of another vault",
    plan: { credential: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "permit and credential name different vaults",
    name: "permit of another vault",
    plan: { permit: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "slip and credential name different vaults",
    name: "slip of another vault",
    plan: { slip: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "permit of another project",
    plan: { permit: decided({ projectId: newId("prj") }) },
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "slip of another project",
    plan: { slip: { projectId: newId("prj") } },
  },
  {
    step: "binding",
    says: "slip and credential name different vaults",
    name: "all of another vault",
    plan: { slip: { vaultId: other.vaultId } },
    stored: [elsewhere.vault],
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "all of another project",
    plan: { slip: { projectId: other.projectId } },
    stored: [elsewhere.project],
  },
  {
    step: "binding",
    says: "envelope and project key are of different generations",
    name: "project key of another generation",
    plan: {},
    stored: [later],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "project key of another vault",
    plan: {},
    stored: [await storeSecret({ ...other, kek: deployment.kek }, "FOREIGN")],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "project key under another KEK",
    plan: {},
    stored: [await storeSecret({ ...deployment, kek: newKey() }, "FOREIGN")],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "no envelope at all",
    plan: {},
    stored: [{ ...first, envelope: Buffer.from("SPE1") }],
  },
];
