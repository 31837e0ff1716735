/**
 * Session channels of all parties, wired together within a thread.
 * @module
 */
import { createHash } from 'node:crypto';
import { SessionChannel } from '@folkmoot/core/session.js';

/** `write` stands between the parties; it may hand a record on or not. */
export function memoryChannels(
  parties: readonly string[],
  write: (from: string, to: string, deliver: () => void) => void | Promise<void> = (_from, _to, deliver) => deliver(),
): SessionChannel[] {
  const context = { job: new Uint8Array(32), attempt: 1, roster: [...parties].sort() };
  const all = context.roster.map((self): SessionChannel => {
    const secret = (peer: string) => createHash('sha256').update([self, peer].sort().join()).digest();
    const deliver = (to: string, record: Uint8Array) => all.find((each) => each.self === to)!.deliver(self, record);
    return new SessionChannel({
      self,
      context,
      secret,
      write: async (to, record) => write(self, to, () => deliver(to, record)),
    });
  });
  return all;
}
