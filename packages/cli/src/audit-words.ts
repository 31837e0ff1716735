/**
 * What an entry of an audit log says, in a sentence.
 * @module
 */
import type { AuditPayload, LedgerTotal } from '@folkmoot/core/audit-entry.js';

const short = (hash: string): string => hash.slice(0, 12);

/** `ε 1.5 of residents in 2026-Q4`. */
function amount({ dataset, period, unit, micro, pico }: LedgerTotal): string {
  const letter = unit === 'epsilon' ? 'ε' : 'ρ';
  const delta = pico === '0' ? '' : ` and δ ${decimal(pico, 12)}`;
  return `${letter} ${decimal(micro, 6)}${delta} of ${dataset} in ${period}`;
}

function decimal(count: string, places: number): string {
  const digits = count.padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return digits.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`);
}

function amounts(totals: readonly LedgerTotal[]): string {
  return totals.length === 0 ? 'nothing' : totals.map(amount).join('; ');
}

/** The job of an entry, or nothing. */
export function jobOf(payload: AuditPayload): string {
  return 'job' in payload ? payload.job : '';
}

export function entryText(payload: AuditPayload): string {
  switch (payload.kind) {
    case 'begun':
      return `the log begins; spent before it: ${amounts(payload.totals)}`;
    case 'charter':
      return `runs under version ${payload.version} of the charter, ${short(payload.charter)}`;
    case 'configuration':
      return `runs build ${payload.build} with node.yaml ${short(payload.file)}, policy ${short(payload.policy)}`;
    case 'period':
      return `declared period ${payload.period} of ${payload.dataset}`;
    case 'job':
      return `${payload.analyst} asked “${payload.title}” for ${payload.purpose}`;
    case 'verdict':
      if (payload.verdict === 'denied') return `denied: ${payload.code}`;
      if (payload.verdict === 'waits') return `waits for approval, by the rule “${payload.rule}”`;
      return `accepted by the rule “${payload.rule}”`;
    case 'approval':
      return `${payload.by}: ${payload.decision} (“${payload.reason}”)`;
    case 'attempt':
      return `attempt ${payload.attempt} with ${payload.parties.join(', ')}`;
    case 'commitment':
      return `committed to ${payload.bytes} sealed bytes, ${short(payload.sha256)}`;
    case 'opening':
      return `sent ${payload.bytes} sealed bytes, ${short(payload.sha256)}`;
    case 'charge':
      return `charged ${amount(payload)}`;
    case 'repeat':
      return `the same question again, charged nothing of ${payload.dataset} in ${payload.period}`;
    case 'halted':
      return `attempt ${payload.attempt} ended after the commitment`;
    case 'approval-refused':
      return `did not take a decision: ${payload.code}`;
    case 'invitation-refused':
      return `did not take up an invitation: ${payload.code}`;
    case 'coordinator-refused':
      return `refused a coordinator that spoke with an epoch before ${payload.epoch}`;
    case 'renunciation':
      return `renounced attempt ${payload.attempt}: it opened none`;
    case 'end':
      return `ended as ${payload.end}${payload.code === undefined ? '' : `: ${payload.code}`}`;
    case 'countersigned':
      return `signed ${payload.party}’s log of ${payload.size} entries`;
    case 'peer-restored':
      return `${payload.party} went on with ${payload.size} entries and owned up to have lost ${payload.lost.size}`;
    case 'restored':
      return [
        `confirmed that this state was an older copy (“${payload.reason}”): lost`,
        payload.lost.map(({ size, held_by }) => `the state of ${size} entries that ${held_by} holds`).join(', '),
        `and spent at most ${amounts(payload.totals)}`,
      ].join(' ');
    case 'retention':
      return `dropped the texts of entries before ${payload.below}, after ${payload.days} days`;
    default:
      return 'an entry of a later version';
  }
}
