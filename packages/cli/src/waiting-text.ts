/**
 * A job that waits for people, as text: who asked, what the rule asks for, who has decided what, and the plan.
 * @module
 */
import { renderPlan } from '@folkmoot/core/plan.js';
import type { JobToDecide, WaitingReport } from '@folkmoot/node/owner-approvals.js';

const minute = (instant: string): string => `${instant.slice(0, 16).replace('T', ' ')} UTC`;

export function waitingText({ party, waiting, unshown, more }: WaitingReport): string {
  const shownCount = waiting.length + unshown.length;
  if (shownCount === 0) return `Nothing waits for a person at ${party}.`;
  const all = shownCount + more;
  const count = all === 1 ? 'One job waits' : `${all} jobs wait`;
  const shown = more === 0 ? '' : ` The oldest ${shownCount} are:`;
  const failures = unshown.map(
    ({ job, report }) => `Job ${job}\n  cannot be shown: ${report.message}\n  ${report.remedy}`,
  );
  return [`${count} for a person at ${party}.${shown}`, ...waiting.map(jobToDecideText), ...failures].join('\n\n');
}

export function jobToDecideText(target: JobToDecide): string {
  return [`Job ${target.job}`, ...standingTexts(target).map((line) => `  ${line}`), '', renderPlan(target.plan)].join(
    '\n',
  );
}

function standingTexts({ analyst, expires, rule, approvers, state, change, decisions }: JobToDecide): string[] {
  const people = approvers === 1 ? 'one person' : `${approvers} different people`;
  const asked = rule === null ? `It is ${state}.` : `The rule “${rule}” asks for the approval of ${people}.`;
  return [
    `Asked by ${analyst}; it waits until ${minute(expires)}.`,
    asked,
    ...decisions.map(({ by, name, decision, reason, at, counts }) => {
      const who = name === null ? by : `${name} (${by})`;
      const verb = { approve: 'approved', deny: 'denied', revoke: 'revoked' }[decision];
      return `${who} ${verb} at ${minute(at)}: ${reason}${counts ? '' : ' (counts no more)'}`;
    }),
    ...(change === null ? [] : [`An approval is asked for anew: ${change} since.`]),
  ];
}
