/**
 * A link that counts what passes: frames and bytes by kind, in each direction, for the log. Nothing is read but the kind.
 * @module
 */
import { frameType } from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';

interface Count {
  frames: number;
  bytes: number;
}

type Counts = Record<keyof typeof frameType, Count>;

export interface Traffic {
  /** From the other end, and to it. */
  readonly sent: Counts;
  readonly received: Counts;
}

const kinds = Object.keys(frameType) as (keyof typeof frameType)[];

/** The same link, and what has passed over it so far; `sent` and `received` are those of the other end. */
export function countedLink(link: FrameLink): { readonly link: FrameLink; readonly traffic: Traffic } {
  const none = (): Counts => ({ control: count(), session: count(), bulk: count() });
  const traffic = { sent: none(), received: none() };
  return {
    traffic,
    link: {
      send(frame) {
        add(traffic.received, frame);
        return link.send(frame);
      },
      onFrame: (receiver) =>
        link.onFrame((frame) => {
          add(traffic.sent, frame);
          return receiver(frame);
        }),
      onClose: (listener) => link.onClose(listener),
      close: () => link.close(),
    },
  };
}

function count(): Count {
  return { frames: 0, bytes: 0 };
}

/** The kind is the header's second byte; what has another one is refused by whoever decodes the frame. */
function add(counts: Counts, frame: Uint8Array): void {
  const kind = kinds.find((name) => frameType[name] === frame[1]);
  if (kind === undefined) return;
  counts[kind].frames += 1;
  counts[kind].bytes += frame.length;
}
