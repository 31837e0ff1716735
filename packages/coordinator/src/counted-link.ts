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

export function noTraffic(): Traffic {
  const none = () => Object.fromEntries(kinds.map((kind) => [kind, count()])) as Counts;
  return { sent: none(), received: none() };
}

/**
 * The same link, and what has passed over it so far; `sent` and `received` are those of the other end. It is added to
 * the traffic of all links as well.
 */
export function countedLink(link: FrameLink, all: Traffic): { readonly link: FrameLink; readonly traffic: Traffic } {
  const traffic = noTraffic();
  return {
    traffic,
    link: {
      send(frame) {
        for (const { received } of [traffic, all]) add(received, frame);
        return link.send(frame);
      },
      onFrame: (receiver) =>
        link.onFrame((frame) => {
          for (const { sent } of [traffic, all]) add(sent, frame);
          return receiver(frame);
        }),
      onClose: (listener) => link.onClose(listener),
      close: () => link.close(),
      isSilent: () => link.isSilent?.() === true,
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
