/**
 * What was aimed at for joins, beside what was measured. An aim that is missed is said, and fails nothing.
 * @module
 */
import type { Measurement } from './circuits-cluster.ts';
import { megabytes, seconds } from './machine.ts';

const whole = ({ base, preprocessing, online }: Measurement) => base + preprocessing + online;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
const sent = (row: Measurement) => row.preprocessingBytes + row.onlineBytes;

/** Lines of aim, limit, measured and met; `peerSeconds` is what psi.js takes for so many elements. */
export function joinAims(rows: readonly Measurement[], peerSeconds: (count: number) => number): string[][] {
  const [small, large] = [2 ** 16, 2 ** 20];
  const lines: string[][] = [];
  const aim = (
    what: string,
    find: { readonly work: string; readonly isDealt: boolean; readonly count: number; readonly isDirect?: true },
    value: (row: Measurement) => number,
    limit: number,
    show: (value: number) => string,
  ): void => {
    for (const row of rows) {
      const isDealt = row.setting.source === 'dealer';
      if (row.work !== find.work || isDealt !== find.isDealt || row.count !== find.count) continue;
      const isDirect = row.setting.road === 'direct';
      if (find.isDirect && !isDirect) continue;
      const road = isDirect ? 'core alone' : 'relayed';
      lines.push([`${what}, ${road}`, show(limit), show(value(row)), value(row) <= limit ? 'yes' : 'no']);
    }
  };
  const plain = { work: 'matches', isDealt: false } as const;
  const hidden = { work: 'hidden sums', isDealt: false } as const;
  const dealt = { work: 'hidden sums', isDealt: true } as const;
  const online = (row: Measurement) => row.online;
  aim('plain at 2^20', { ...plain, count: large, isDirect: true }, whole, 4, seconds);
  aim('plain at 2^20, sent', { ...plain, count: large }, sent, 36e6, megabytes);
  const peer = peerSeconds(large) / 500;
  aim("plain at 2^20, a 500th of psi.js's time", { ...plain, count: large }, whole, peer, seconds);
  aim('plain at 2^16', { ...plain, count: small }, whole, 0.4, seconds);
  aim('hidden at 2^20', { ...hidden, count: large }, whole, 60, seconds);
  aim('hidden at 2^20, sent', { ...hidden, count: large }, sent, 250e6, megabytes);
  aim('hidden at 2^16', { ...hidden, count: small }, whole, 4, seconds);
  aim('hidden with a dealer at 2^20, online', { ...dealt, count: large }, online, 5, seconds);
  aim('hidden with a dealer at 2^16, online', { ...dealt, count: small }, online, 0.5, seconds);
  for (const kind of [plain, hidden, dealt]) {
    aim(
      `peak of a party at 2^20, ${kind.work}${kind.isDealt ? ' dealt' : ''}`,
      { ...kind, count: large },
      ({ peak }) => peak,
      1.5e9,
      gigabytes,
    );
  }
  return lines;
}
