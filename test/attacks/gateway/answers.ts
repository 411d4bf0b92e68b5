import {
  type DescMessage,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { type Sallyport, openSallyport, toSallyportError } from "@sallyport/client";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ListReadableSecretsResponseSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import {
  ListMachinesResponseSchema,
  RevokeMachineResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { RemoveUserResponseSchema } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { RemoveGrantResponseSchema } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { GetProjectResponseSchema } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import {
  DeleteSecretResponseSchema,
  ListSecretsResponseSchema,
  RollbackSecretResponseSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { ListRecordsResponseSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import type { Answer, Front } from "./front.ts";
import type { Stage } from "./stage.ts";

type Ask = (client: Sallyport, field: Field) => Promise<unknown>;

/** A success that nobody gave, for a change that is never handed on. */
const forged: readonly {
  readonly name: string;
  readonly schema: DescMessage;
  readonly ask: Ask;
}[] = [
  {
    name: "RevokeMachine",
    schema: RevokeMachineResponseSchema,
    ask: ({ services }, { machine }) =>
      services.machines.revokeMachine({ machineId: machine.principalId }),
  },
  {
    name: "RemoveGrant",
    schema: RemoveGrantResponseSchema,
    ask: ({ services }, { machine, granted }) =>
      services.grants.removeGrant({ machineId: machine.principalId, secretId: granted[0] ?? "" }),
  },
  {
    name: "RemoveUser",
    schema: RemoveUserResponseSchema,
    ask: ({ services }) => services.users.removeUser({ userId: newId("usr") }),
  },
  {
    name: "DeleteSecret",
    schema: DeleteSecretResponseSchema,
    ask: ({ services }, { granted }) =>
      services.secrets.deleteSecret({ secretId: granted[0] ?? "" }),
  },
  {
    name: "RollbackSecret",
    schema: RollbackSecretResponseSchema,
    ask: ({ services }, { granted, projectId }) =>
      services.secrets.rollbackSecret({
        secretId: granted[0] ?? "",
        projectId,
        expectedVersion: 2,
        toVersion: 1,
      }),
  },
];

/** An answer that an owner gave, with something changed in it. */
const altered: readonly {
  readonly name: string;
  readonly lie: (message: Uint8Array) => Uint8Array;
  readonly ask: Ask;
}[] = [
  {
    name: "the names of two secrets exchanged",
    lie: changing(ListSecretsResponseSchema, ({ secrets: [one, other] }) => {
      if (one && other) [one.name, other.name] = [other.name, one.name];
    }),
    ask: ({ services }, { projectId }) => services.secrets.listSecrets({ projectId }),
  },
  {
    name: "another project's id",
    lie: changing(
      GetProjectResponseSchema,
      ({ project }) => project && (project.projectId = newId("prj")),
    ),
    ask: ({ services }) => services.projects.getProject({ key: { case: "name", value: "web" } }),
  },
  {
    name: "a machine left out",
    lie: changing(ListMachinesResponseSchema, ({ machines }) => void machines.pop()),
    ask: ({ services }) => services.machines.listMachines({}),
  },
  {
    name: "records left out, and pages dropped",
    lie: changing(ListRecordsResponseSchema, (list) => {
      list.records = [];
      list.nextPageToken = "";
    }),
    ask: ({ services }) => services.audit.listRecords({ pageSize: 1 }),
  },
  {
    name: "a readable secret under another name",
    lie: changing(
      ListReadableSecretsResponseSchema,
      ({ secrets: [first] }) => first && (first.name = "OTHER"),
    ),
    ask: async (_, { machine }) => {
      const reader = openSallyport(machine);
      return reader.listReadable().finally(() => reader.close());
    },
  },
  {
    name: "nothing readable at all",
    lie: changing(ListReadableSecretsResponseSchema, (list) => void (list.secrets = [])),
    ask: async (_, { machine }) => {
      const reader = openSallyport(machine);
      return reader.listReadable().finally(() => reader.close());
    },
  },
];

/** The attacks by answers that the owner of the method did not give. */
export function describeAnswers(stage: () => Stage, front: () => Front): void {
  describe("answering in an owner's place", () => {
    let admin: Sallyport;
    beforeEach(() => void (admin = openSallyport(stage().field.owner)));
    afterEach(() => {
      front().meet = (_, honest) => honest();
      admin.close();
    });
    const failure = async (ask: Ask) =>
      toSallyportError(
        await ask(admin, stage().field).then(
          () => new Error("it was believed"),
          (error: unknown) => error,
        ),
      );
    const untrusted = (says: RegExp) => ({
      reason: "REPLY_UNTRUSTED",
      message: expect.stringMatching(says) as string,
    });
    /** Meets what the owners answer with something else; the keyset and the read are left alone. */
    const meet = (lie: (honest: () => Promise<Answer>) => Promise<Answer>) => {
      front().meet = (signed, honest) =>
        /GetKeyset|ReadSecrets$/.test(signed.signedRequest.path) ? honest() : lie(honest);
    };

    test.each(forged)(
      "$name was never handed on, and its success is not believed",
      async ({ schema, ask }) => {
        const { field } = stage();
        const begin = await field.ledger.end();
        const message = toBinary(schema, create(schema));
        meet(() => Promise.resolve({ verdict: "forged", message }));
        expect(await failure(ask)).toMatchObject(untrusted(/did not sign it/));
        const secrets = ["secret.deleted", "secret.rolled_back"] as const;
        const changes = ["machine.revoked", "grant.removed", "user.removed", ...secrets];
        expect(await field.ledger.since(begin, ...changes)).toEqual([]);
      },
    );

    test("an owner's answer to another request of the very same kind", async () => {
      const ask: Ask = ({ services }) => services.users.whoAmI({});
      let kept: Answer | undefined;
      meet(async (honest) => (kept ??= await honest()));
      expect((await failure(ask)).message).toMatch(/it was believed/);
      expect(await failure(ask)).toMatchObject(untrusted(/answers another request/));
    });

    test("an answer that another owner signed", async () => {
      let kept: Answer | undefined;
      meet(async (honest) => (kept ??= await honest()));
      const ask: Ask = ({ services }, { projectId }) => services.secrets.listSecrets({ projectId });
      expect((await failure(ask)).message).toMatch(/it was believed/);
      const change: Ask = ({ services }, { machine }) =>
        services.machines.revokeMachine({ machineId: machine.principalId });
      expect(await failure(change)).toMatchObject(untrusted(/signature of identity does not hold/));
    });

    test.each(altered)("$name", async ({ lie, ask }) => {
      meet(async (honest) => {
        const answered = await honest();
        return answered.message ? { ...answered, message: lie(answered.message) } : answered;
      });
      expect(await failure(ask)).toMatchObject(untrusted(/not what \w+ signed/));
      front().meet = (_, honest) => honest();
      expect((await failure(ask)).message).toMatch(/it was believed/);
    });

    test("an owner's refusal is not turned into a success", async () => {
      meet(async (honest) => {
        const { answer } = await honest();
        const message = new Uint8Array();
        return { verdict: "turned", message, ...(answer ? { answer } : {}) };
      });
      const ask: Ask = ({ services }) =>
        services.machines.revokeMachine({ machineId: newId("mch") });
      expect(await failure(ask)).toMatchObject(untrusted(/identity refused the request/));
    });

    test("an owner's success is not turned into a refusal, signed or unsigned", async () => {
      const refusal = create(RefusalSchema, { reason: Reason.NOT_FOUND });
      const ask: Ask = ({ services }) => services.users.whoAmI({});
      meet(async (honest) => {
        const { answer } = await honest();
        return { verdict: "turned", refusal, ...(answer ? { answer } : {}) };
      });
      expect(await failure(ask)).toMatchObject(untrusted(/identity did not refuse the request/));
      meet(() => Promise.resolve({ verdict: "turned", refusal }));
      expect(await failure(ask)).toMatchObject(
        untrusted(/identity did not sign the refusal NOT_FOUND/),
      );
    });

    test("an owner's refusal is not given another reason", async () => {
      const refusal = create(RefusalSchema, { reason: Reason.LAST_OWNER });
      meet(async (honest) => ({ ...(await honest()), refusal }));
      const ask: Ask = ({ services }) =>
        services.machines.revokeMachine({ machineId: newId("mch") });
      expect(await failure(ask)).toMatchObject(untrusted(/not the refusal that identity signed/));
      front().meet = (_, honest) => honest();
      expect(await failure(ask)).toMatchObject({ reason: "NOT_FOUND", vouched: true });
    });

    test("what it gives: a refusal of its own, which is told as its word where it is of a change", async () => {
      const refusal = create(RefusalSchema, { reason: Reason.RATE_LIMITED });
      meet(() => Promise.resolve({ verdict: "alone", refusal }));
      const change: Ask = ({ services }, { machine }) =>
        services.machines.revokeMachine({ machineId: machine.principalId });
      expect(await failure(change)).toMatchObject({ reason: "RATE_LIMITED", vouched: false });
    });
  });
}

function changing<D extends DescMessage>(schema: D, change: (message: MessageShape<D>) => unknown) {
  return (bytes: Uint8Array): Uint8Array => {
    const message = fromBinary(schema, bytes);
    change(message);
    return toBinary(schema, message);
  };
}
