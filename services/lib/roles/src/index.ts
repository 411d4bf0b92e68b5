/**
 * The role table: the public methods and the callers that each of them admits.
 *
 * It exists so that every process asks one table. The gateway asks it before a request costs
 * anything, the owner of the method asks it again, and crypto asks it before it seals: none of them
 * believes the one before. A method without an entry does not compile, and a path that the table
 * does not name is refused. Nothing here reads a request, a key or a database; it must stay that
 * way, since every process depends on it.
 */
export { type Access, type AccessTable, type Caller, access, mayCall } from "./access.ts";
export {
  type Judgement,
  createJudgement,
  projectRoleName,
  projectRoleOf,
} from "./project-roles.ts";
