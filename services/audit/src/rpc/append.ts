import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AppendResponse,
  type AppendService,
  AppendResponseSchema,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Failure, type Peer, peerOf, toRefusal } from "@sallyport/rpc";
import { type Accepted, acceptEvent } from "../log/accept.ts";
import type { Writer } from "../log/writer.ts";

type Judged = Accepted | { readonly event: Event; readonly refused: Failure };

/**
 * Makes AppendService over the writer. With one event that is not acceptable nothing of the call is
 * written: its result says why, and the others are held back (LOG.md §1).
 */
export function appendService(writer: Pick<Writer, "append">): ServiceImpl<typeof AppendService> {
  return {
    async append({ events }, context) {
      const peer = peerOf(context);
      const judged = events.map((event) => judge(event, peer));
      const accepted = judged.flatMap((one) => ("refused" in one ? [] : [one]));
      if (accepted.length < judged.length) return refusalOf(judged);
      return create(AppendResponseSchema, { results: [...(await writer.append(accepted))] });
    },
  };
}

function judge(event: Event, peer: Peer): Judged {
  try {
    return acceptEvent(event, peer);
  } catch (error) {
    if (error instanceof Failure) return { event, refused: error };
    throw error;
  }
}

function refusalOf(judged: readonly Judged[]): AppendResponse {
  return create(AppendResponseSchema, {
    results: judged.map((one) => {
      const { eventId } = one.event;
      if (!("refused" in one)) return { eventId, status: AppendStatus.HELD_BACK };
      return { eventId, status: AppendStatus.REFUSED, refusal: toRefusal(one.refused) };
    }),
  });
}
