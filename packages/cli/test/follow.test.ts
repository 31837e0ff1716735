import type { Client } from '@folkmoot/client/client.js';
import type { JobEvent } from '@folkmoot/client/events.js';
import { describe, expect, it } from 'vitest';
import { followToEnd } from '../src/follow.ts';

type Told = JobEvent extends infer Each
  ? Each extends JobEvent
    ? Omit<Each, 'sequence' | 'at' | 'attempt'> & { readonly attempt?: number }
    : never
  : never;

/** The lines that are shown for these events. */
async function shown(told: readonly Told[], onEvent?: (event: JobEvent) => void): Promise<string[]> {
  const lines: string[] = [];
  async function* events() {
    for (const [index, event] of told.entries()) {
      yield { attempt: 1, ...event, sequence: index + 1, at: '2026-11-22T00:00:00.000Z' } as JobEvent;
    }
  }
  const progress = { isShown: true, update: (line: string) => void lines.push(line), keep() {}, clear() {} };
  const client = { events } as unknown as Client;
  const { signal } = new AbortController();
  await followToEnd({ client, job: 'a'.repeat(64), title: 'Arrears', progress, signal, ...(onEvent && { onEvent }) });
  return lines;
}

describe('the line of progress', () => {
  it('says which attempt it is, from the second on, and nothing more of the one before', async () => {
    const setback = { code: 'LINK_LOST', message: 'ash: the connection was lost', remedy: '' } as const;
    const lines = await shown([
      { type: 'phase', party: 'ash', phase: 'share' },
      { type: 'state', state: 'INVITING', attempt: 2, setback },
      { type: 'state', state: 'RUNNING', attempt: 2 },
      { type: 'phase', party: 'birch', phase: 'query', attempt: 2 },
      { type: 'state', state: 'DONE', attempt: 2 },
    ]);
    expect(lines.slice(2)).toEqual([
      'Arrears · attempt 2 · asking every party once more',
      'Arrears · attempt 2 · computing',
      'Arrears · attempt 2 · computing · reading the records birch',
    ]);
  });

  it('says where a person has yet to approve', async () => {
    const lines = await shown([
      { type: 'state', state: 'INVITING' },
      { type: 'party', party: 'birch', did: 'awaiting' },
      { type: 'party', party: 'ash', did: 'accepted' },
      { type: 'party', party: 'birch', did: 'accepted' },
      { type: 'state', state: 'DONE' },
    ]);
    expect(lines.slice(2)).toEqual([
      'Arrears · asking every party · waiting for a person’s approval at birch',
      'Arrears · asking every party · accepted ash · waiting for a person’s approval at birch',
      'Arrears · asking every party · accepted (2)',
    ]);
  });

  it('says how far the slowest party is, and hears of it alone', async () => {
    const heard: string[] = [];
    const lines = await shown(
      [
        { type: 'state', state: 'RUNNING' },
        { type: 'phase', party: 'ash', phase: 'match' },
        { type: 'progress', phase: 'match', done: 0.42 },
        { type: 'phase', party: 'birch', phase: 'evaluate' },
        { type: 'state', state: 'DONE' },
      ],
      (event) => void heard.push(event.type),
    );
    expect(lines.slice(2)).toEqual([
      'Arrears · computing · matching ash',
      'Arrears · matching 42 % · matching ash',
      'Arrears · computing · matching ash · computing birch',
    ]);
    expect(heard).toEqual(['state', 'phase', 'phase', 'state']);
  });

  it('counts the parties that do the same, and names a helper beside them', async () => {
    const lines = await shown([
      { type: 'state', state: 'RUNNING' },
      { type: 'phase', party: 'ash', phase: 'share' },
      { type: 'phase', party: 'dale', helper: true, phase: 'share' },
      { type: 'phase', party: 'birch', phase: 'share' },
      { type: 'party', party: 'dale', helper: true, did: 'opened' },
      { type: 'state', state: 'DONE' },
    ]);
    expect(lines).toEqual([
      'Arrears · waiting for every party to connect',
      'Arrears · computing',
      'Arrears · computing · sharing ash',
      'Arrears · computing · sharing ash · sharing dale (helper)',
      'Arrears · computing · sharing (2) · sharing dale (helper)',
      'Arrears · computing · sharing (2) · opened dale (helper)',
    ]);
  });
});
