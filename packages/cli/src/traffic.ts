/**
 * What went over the links of a running consortium, as the coordinator counted it: it sees kinds and sizes, no content.
 * @module
 */
import type { LogLine } from './family.ts';
import { renderTable, withThousands } from './table.ts';

interface Count {
  readonly frames: number;
  readonly bytes: number;
}

const kinds = ['control', 'session', 'bulk'] as const;
type Kind = (typeof kinds)[number];

/** One party's link, from that party's side. */
export interface LinkTraffic {
  readonly party: string;
  readonly sent: Readonly<Record<Kind, Count>>;
  readonly received: Readonly<Record<Kind, Count>>;
}

/** The counts in a line of the coordinator's log, or undefined where it is another line. */
export function trafficIn(line: LogLine): LinkTraffic | undefined {
  if (line.event !== 'link-traffic' || typeof line.party !== 'string') return undefined;
  const { party, sent, received } = line as unknown as LinkTraffic;
  return { party, sent, received };
}

const sentMeaning: Readonly<Record<Kind, string>> = {
  control: 'acceptances and progress, signed, in clear',
  session: 'to other parties, encrypted end to end',
  bulk: 'its share of each answer, sealed to the analyst',
};

/** A table of the links, and in words who could read what. */
export function renderTraffic(links: readonly LinkTraffic[]): string {
  const left = (title: string) => ({ title, align: 'left' as const });
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    left('party'),
    ...kinds.flatMap((kind) => [right(`${kind} frames`), right('bytes')]),
    right('frames received'),
    right('bytes'),
  ];
  const rows = links
    .toSorted((a, b) => (a.party < b.party ? -1 : 1))
    .map(({ party, sent, received }) => {
      const all = kinds.map((kind) => received[kind]);
      return [
        party,
        ...kinds.flatMap((kind) => cells(sent[kind])),
        ...cells({ frames: total(all, 'frames'), bytes: total(all, 'bytes') }),
      ];
    });
  const relayed = links.map(({ sent }) => sent.session);
  const sealed = links.map(({ sent }) => sent.bulk);
  return [
    'What each party sent and received',
    '',
    renderTable(columns, rows),
    '',
    ...kinds.map((kind) => `  ${kind.padEnd(8)} ${sentMeaning[kind]}`),
    '',
    `The coordinator saw the job texts, who took part, and sizes and times. It passed on ${amount(relayed)} that it`,
    `cannot read, and keeps ${amount(sealed)} that only the analyst’s key opens. No party saw a record,`,
    'a total or an answer of another: what passed between them is random by itself, or a commitment or a signature.',
  ].join('\n');
}

function cells({ frames, bytes }: Count): string[] {
  return [withThousands(String(frames)), withThousands(String(bytes))];
}

function amount(counts: readonly Count[]): string {
  const [frames, bytes] = cells({ frames: total(counts, 'frames'), bytes: total(counts, 'bytes') });
  return `${frames} frames (${bytes} bytes)`;
}

function total(counts: readonly Count[], of: keyof Count): number {
  return counts.reduce((sum, count) => sum + count[of], 0);
}
