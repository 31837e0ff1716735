/**
 * What two parties compute with as a trusted party would hand it out, drawn from one seed that both know: the ideal twin
 * of `pair-correlations.ts`, for tests. It counts what is taken.
 *
 * Transfers with given choices have the one message that they have over every other source as well, so that what a
 * protocol is seen to cost is its own.
 *
 * Rounds    0                Sends    0 bytes                Security  none: whoever has the seed knows all shares
 * @module
 */
import { lengthPrefixed, u32, utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import { Prg } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { kernels, table128 } from '../kernels/kernels.ts';
import { idealCorrelations } from './ideal-correlations.ts';
import { drawDelta, OtReceiver, OtSender } from './ot-extension.ts';
import type { PairDemand, ReceiverSource, SenderSource } from './pair-source.ts';

/** All that was handed out so far. OTs count in whole octets, call by call. */
export interface Taken {
  readonly taken: PairDemand;
}

/** The receiver's end. The channel is that of the two alone; the seed is the same at both, and another one in each session. */
export function idealReceiver(ch: Channel, peer: PartyId, seed: number): ReceiverSource & Taken {
  const { taken, ...source } = endOf(ch, peer, seed, { mine: 'otsFromReceiver', theirs: 'otsFromSender' });
  const { delta, next } = streamsOf(seed, 'vole', peer, ch.self);
  const table = table128(delta);
  return {
    ...source,
    get taken() {
      return taken();
    },
    vole: {
      async extend(count) {
        taken({ voles: count });
        const [b, a] = [next.first(16 * count), next.second(16 * count)];
        const c = a.slice();
        kernels().multiply128(c, table);
        kernels().xorInto(c, b);
        return { a, c };
      },
    },
  };
}

/** The sender's end. */
export function idealSender(ch: Channel, peer: PartyId, seed: number): SenderSource & Taken {
  const { taken, ...source } = endOf(ch, peer, seed, { mine: 'otsFromSender', theirs: 'otsFromReceiver' });
  const { delta, next } = streamsOf(seed, 'vole', ch.self, peer);
  return {
    ...source,
    get taken() {
      return taken();
    },
    vole: {
      delta,
      async extend(count) {
        taken({ voles: count });
        return next.first(16 * count);
      },
    },
  };
}

type Transfers = 'otsFromSender' | 'otsFromReceiver';

function endOf(
  ch: Channel,
  peer: PartyId,
  seed: number,
  names: { readonly mine: Transfers; readonly theirs: Transfers },
) {
  const bits = idealCorrelations(ch, seed);
  const counts = { otsFromSender: 0, otsFromReceiver: 0, voles: 0 };
  /** Adds to what was taken, and says what it is by then. */
  const taken = (more: Partial<typeof counts> = {}): PairDemand => {
    for (const [kind, count] of Object.entries(more)) counts[kind as keyof typeof counts] += count;
    const { bitTriples, sharedBits } = bits.taken;
    return { bitTriples, sharedBits, ...counts };
  };
  const mine = streamsOf(seed, 'ot', ch.self, peer);
  const theirs = streamsOf(seed, 'ot', peer, ch.self);
  const sender = OtSender.over(ch, peer, mine.delta, (count) => {
    taken({ [names.mine]: count });
    return mine.next.first(16 * count);
  });
  const receiver = OtReceiver.over(ch, peer, (count) => {
    taken({ [names.theirs]: count });
    const [q, choices] = [theirs.next.first(16 * count), theirs.next.second(count / 8)];
    const rows = new Uint8Array(q.length);
    kernels().xorWhere(q, rows, choices, theirs.delta);
    return { rows, choices };
  });
  return { bits, sender, receiver, taken };
}

/** Δ, and what the seed has for each end. */
function streamsOf(seed: number, use: 'ot' | 'vole', sender: PartyId, receiver: PartyId) {
  const streamOf = (part: string) => {
    const place = lengthPrefixed(...['folkmoot ideal pair', use, sender, receiver, part].map(utf8), u32(seed));
    const prg = new Prg(sha256(place).subarray(0, 16));
    return (bytes: number) => {
      const out = new Uint8Array(bytes);
      prg.fill(out);
      return out;
    };
  };
  return { delta: drawDelta(streamOf('delta')), next: { first: streamOf('first'), second: streamOf('second') } };
}
