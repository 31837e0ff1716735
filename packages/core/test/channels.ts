/**
 * Session channels that are wired together in memory, for tests that need no faults.
 * @module
 */
import { lengthPrefixed, utf8 } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import type { Context, PartyId } from '../src/channel/channel.ts';
import { SessionChannel } from '../src/channel/session.ts';

export interface Wiring {
  readonly context?: Partial<Context>;
  readonly seed?: Uint8Array;
  /** Instead of handing the record to its receiver. */
  readonly write?: (from: PartyId, to: PartyId, record: Uint8Array) => void;
}

export function channels(parties: readonly PartyId[], wiring: Wiring = {}): SessionChannel[] {
  const context: Context = { job: new Uint8Array(32), attempt: 1, roster: [...parties].sort(), ...wiring.context };
  const all = context.roster.map((self): SessionChannel => {
    return new SessionChannel({
      self,
      context,
      secret: (peer) => sha256(wiring.seed ?? new Uint8Array(0), lengthPrefixed(...[self, peer].sort().map(utf8))),
      async write(peer, record) {
        if (wiring.write !== undefined) wiring.write(self, peer, record);
        else all.find((each) => each.self === peer)!.deliver(self, record);
      },
    });
  });
  return all;
}

export function partyNames(count: number): PartyId[] {
  return Array.from({ length: count }, (_, i) => `party-${String(i).padStart(2, '0')}`);
}
