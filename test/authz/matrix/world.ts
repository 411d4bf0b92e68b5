import { createClient } from "@connectrpc/connect";
import {
  type Identity,
  type Signer,
  type TrustedKeys,
  createSignedTransport,
  createSigner,
  formatToken,
  login,
  newTokenSecret,
  openSallyport,
  verifyKeyset,
} from "@sallyport/client";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Deployment, loginOwner, refusal, startDeployment } from "../../system/deployment.ts";
import { type Sender, newSigner, openSender } from "./call.ts";
import type { Principal } from "./expectations.ts";
import type { Asker } from "./requests.ts";
import { type Databases, openDatabases } from "./snapshot.ts";
import { type Vault, furnish } from "./vault.ts";

/** A deployment with two vaults and every principal. */
export type World = AsyncDisposable & {
  readonly deployment: Deployment;
  readonly databases: Databases;
  readonly sender: Sender;
  readonly keys: TrustedKeys;
  readonly ours: Vault;
  readonly theirs: Vault;
  /**
   * Who asks; `last` gives a second key, which may be used up. A new key is another one each time.
   */
  asker(principal: Principal, last?: boolean): Asker;
};

/** Makes it. Takes most of the test's time. */
export async function createWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const deployment = stack.use(await startDeployment());
  const databases = stack.use(await openDatabases(deployment.system));
  const owner = await loginOwner(deployment);
  const ours = await furnish(deployment.endpoint, owner);
  const theirs = await furnish(deployment.endpoint, await newVaultOwner(deployment, ours));
  stack.defer(() => [ours, theirs].forEach(({ client }) => client.close()));
  const people = await populate(ours, theirs);
  await databases.age(people.first.expiredMachine.principalId);
  await settled(people.first);
  // Not before there is something to ask: a gateway ends sessions that ask nothing.
  const sender = stack.use(openSender(deployment.endpoint));
  const kept = stack.move();
  return {
    deployment,
    databases,
    sender,
    keys: await fetchKeys(owner),
    ours,
    theirs,
    asker(principal, last = false) {
      if (principal === "newKey")
        return { signer: newSigner(), principalId: newId("usr"), vaultId: owner.vaultId };
      if (principal === "unknownKey") {
        const id = newId("mch");
        return { signer: newSigner(id), principalId: id, vaultId: owner.vaultId };
      }
      const second = last ? people.second.get(principal) : undefined;
      return askerOf(second ?? people.first[principal]);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Enrolled = Readonly<Record<Exclude<Principal, "newKey" | "unknownKey">, Identity>>;
const people = [
  "owner",
  "admin",
  "developer",
  "developerNone",
  "developerLister",
  "developerWriter",
  "developerManager",
  "auditor",
] as const;
type People = { readonly first: Enrolled; readonly second: ReadonlyMap<Principal, Identity> };

async function populate(ours: Vault, theirs: Vault): Promise<People> {
  const first: Enrolled = {
    owner: ours.owner,
    admin: await ours.invite(Role.ADMIN, "admin"),
    developer: await ours.invite(Role.DEVELOPER, "developer"),
    developerNone: await inProjects(ours, ProjectRole.NONE),
    developerLister: await inProjects(ours, ProjectRole.LISTER),
    developerWriter: await inProjects(ours, ProjectRole.WRITER),
    developerManager: await inProjects(ours, ProjectRole.MANAGER),
    auditor: await ours.invite(Role.AUDITOR, "auditor"),
    machine: await ours.newMachine("machine"),
    strangerOwner: theirs.owner,
    strangerMachine: await theirs.newMachine("machine"),
    expiredMachine: await ours.newMachine("expired"),
    disabledMachine: await ours.newMachine("disabled"),
    revokedMachine: await ours.newMachine("revoked"),
    removedUser: await ours.invite(Role.OWNER, "removed"),
  };
  const second = new Map<Principal, Identity>([
    ["machine", await ours.newMachine("second")],
    ["strangerMachine", await theirs.newMachine("second")],
    ["strangerOwner", await theirs.second(theirs.owner)],
  ]);
  for (const name of people) second.set(name, await ours.second(first[name]));
  const { machines, users } = ours.client.services;
  await machines.disableMachine({ machineId: first.disabledMachine.principalId });
  await machines.revokeMachine({ machineId: first.revokedMachine.principalId });
  await users.removeUser({ userId: first.removedUser.principalId });
  return { first, second };
}

/** A developer with that role in the projects that requests name. */
async function inProjects(vault: Vault, role: ProjectRole): Promise<Identity> {
  const { client, things } = vault;
  const developer = await vault.invite(Role.DEVELOPER, `developer-${role}`);
  for (const projectId of [things.projectId, things.emptyId])
    await client.services.projectRoles.setProjectRole({
      userId: developer.principalId,
      projectId,
      role,
    });
  return developer;
}

// Refusals reach the gateway within a second; afterwards no cell hangs on when it is asked.
async function settled({ expiredMachine, disabledMachine, revokedMachine, removedUser }: Enrolled) {
  for (const identity of [expiredMachine, disabledMachine, revokedMachine, removedUser]) {
    const client = openSallyport(identity);
    const deadline = Date.now() + 10_000;
    const isRefused = async () =>
      (await refusal(client.services.users.whoAmI({}))).startsWith("MACHINE_");
    while (Date.now() < deadline && !(await isRefused())) continue;
    client.close();
  }
}

async function newVaultOwner(
  { endpoint }: Deployment,
  { client, owner }: Vault,
): Promise<Identity> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const { vaults } = client.services;
  const answer = await vaults.createVault({ name: "theirs", ownerCodeKeySha256: publicKeySha256 });
  const vaultId = answer.vault?.vaultId ?? "";
  const code = { id: answer.codeId, vaultId, rootFingerprint: owner.rootFingerprint, seed };
  return login(endpoint, formatToken("login", code), "owner");
}

async function fetchKeys(identity: Identity): Promise<TrustedKeys> {
  const { signer } = askerOf(identity);
  const { transport, close } = createSignedTransport(identity, signer);
  const { keyset } = await createClient(ReadService, transport).getKeyset({});
  close();
  return verifyKeyset(keyset, identity.rootFingerprint, Date.now());
}

function askerOf({ seed, keyId, principalId, vaultId }: Identity): Asker {
  const signer: Signer = createSigner(Buffer.from(seed, "base64"), keyId);
  return { signer, principalId, vaultId };
}
