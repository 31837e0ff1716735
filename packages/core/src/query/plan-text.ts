/**
 * A plan in plain words, for the person who answers for the records: what is asked, what leaves the house, who learns
 * what, and what is not defended. Plain text of at most 100 columns.
 * @module
 */
import { listed } from './name.ts';
import type { Plan, PlannedMeasure, PlannedParty } from './plan.ts';
import { crowdText, joiningTexts, matchingTexts, sidesLearn, sidesText } from './plan-join-text.ts';
import type { PlannedPrivacy } from './plan-privacy.ts';
import { expectedTexts, noiseTexts, releaseTexts, spentTexts } from './plan-privacy-text.ts';

const columns = 100;

/** 1234567 as `1,234,567`. */
const grouped = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

function size(bytes: number): string {
  if (bytes < 10_000) return `${grouped(bytes)} bytes`;
  return bytes < 10_000_000 ? `${grouped(bytes / 1000)} kB` : `${grouped(bytes / 1_000_000)} MB`;
}

/** A paragraph or a list item, wrapped; further lines stand under the first word. */
function wrapped(text: string, indent = '  ', bullet = ''): string {
  const lines: string[] = [];
  let line = indent + bullet;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent + ' '.repeat(bullet.length);
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join('\n');
}

const item = (text: string): string => wrapped(text, '  ', '- ');

function section(title: string, ...parts: readonly (string | readonly string[])[]): string {
  return [title, ...parts.flat()].join('\n');
}

/** The plan as text. */
export function renderPlan(plan: Plan): string {
  const names = listed(plan.parties.map(({ id }) => id));
  return `${[
    question(plan),
    section('Who takes part', plan.parties.map(partyText), helperText(plan)),
    ...(plan.join === null ? [] : [section('Who is matched with whom', matchingTexts(plan.join).map(item))]),
    section('What happens', whatHappens(plan, names).map(item)),
    section(
      'What is opened',
      wrapped(
        `For ${plan.places}, the analyst’s software receives these figures over ${over(plan, names)}, and nothing of a single party:`,
      ),
      plan.measures.flatMap(measureText),
      thresholdText(plan),
    ),
    ...(plan.privacy === null ? decided(plan, names) : [protectionText(plan.privacy, plan), ...leftOut(plan)]),
    ...(plan.privacy === null ? [] : [budgetText(plan.privacy)]),
    section('Who learns what', whoLearns(plan, names, 'the figures named above').map(item)),
    section('What it costs', costText(plan).map(item)),
    section('What is not defended', plan.warnings.map(item)),
  ].join('\n\n')}\n`;
}

/** Of the plan of a join only who is matched with whom, and who learns what of it. */
export function renderMatching(plan: Plan): string {
  const names = listed(plan.parties.map(({ id }) => id));
  const matched = plan.join === null ? [] : matchingTexts(plan.join);
  const learns = section('Who learns what', whoLearns(plan, names, 'the figures of the answer').map(item));
  const parts = [section('Who is matched with whom', matched.map(item)), learns];
  return `${parts.join('\n\n')}\n`;
}

function over({ join }: Plan, names: string): string {
  return join === null ? names : `the people whom ${names} have in common`;
}

function protectionText(privacy: PlannedPrivacy, plan: Plan): string {
  return section(
    'How it is protected',
    noiseTexts(privacy, plan).map(item),
    wrapped('Each figure that is opened has its part of the budget (in the integers that are computed with):'),
    releaseTexts(privacy, plan).map(item),
    wrapped(
      'The error to expect of the noise, in 95 of 100 answers, for values spread evenly between their bounds (what comes of looking at these people and not others is apart):',
    ),
    expectedTexts(privacy).map(item),
  );
}

function budgetText(privacy: PlannedPrivacy): string {
  return section('What it spends', spentTexts(privacy).map(item));
}

function question(plan: Plan): string {
  const { analyst, purpose } = plan;
  const title = plan.title === '' ? 'A question without a title' : `“${plan.title}”`;
  const member = analyst?.party == null ? '' : `, who belongs to ${analyst.party}`;
  const asker = analyst === null ? 'The analyst' : `${analyst.id}${member}`;
  return section(
    `Plan: ${title}`,
    wrapped(
      `${asker} asks this of the consortium “${plan.consortium}”, for the purpose ${purpose.id}: ${purpose.text}.`,
    ),
    wrapped(`It concerns ${subjectText(plan)}${plan.groups === '' ? '' : `, grouped by ${plan.groups}`}.`),
  );
}

function subjectText({ join, dataset, filter }: Plan): string {
  if (join === null) return `the rows of \`${dataset}\` ${filter === '' ? '— all of them' : `where ${filter}`}`;
  const people = `people who are both in ${sidesText(join)}`;
  return filter === '' ? people : `${people}: those rows of theirs where ${filter}`;
}

function partyText(party: PlannedParty): string {
  const { id, name, owner, rule, approvers, minGroup, round, dominance, refusal } = party;
  const who = `${id}: ${name} (${owner})`;
  if (refusal !== null) return item(`${who} would refuse. ${refusal.reason}. What would help: ${refusal.change}.`);
  if (rule === null) return item(`${who}. Its own policy decides when the job arrives.`);
  const people = approvers === 1 ? 'a person has' : `${approvers} people have`;
  const by = approvers === null ? 'allows it' : `allows it once ${people} approved`;
  const rounded = round === null ? [] : [`figures rounded to ${grouped(round)}`];
  const largest = dominance === null ? [] : [`sums of which ${dominanceText(dominance)}`];
  const asked = listed([`groups of at least ${minGroup} people`, ...rounded, ...largest]);
  return item(`${who} ${by}, by its rule “${rule}”, for ${asked}.`);
}

function dominanceText({ n, share }: { readonly n: number; readonly share: string }): string {
  return `${n === 1 ? 'one person has' : `${n} people together have`} at most ${share}`;
}

function helperText({ helper }: Plan): string[] {
  if (helper === null) return [];
  const { id, name, owner } = helper;
  return [item(`${id}: ${name} (${owner}) helps: it deals random numbers to the others, and brings no records.`)];
}

function decided({ decisions }: Plan, names: string): string[] {
  if (decisions.length === 0) return [];
  const intro = `${names} decide this together on masked numbers. None of them, and nobody else, sees what is compared, or the outcome before the answer.`;
  return [section('What is decided before anything opens', wrapped(intro), decisions.map(item))];
}

function leftOut({ decisions }: Plan): string[] {
  if (decisions.length === 0) return [];
  const intro =
    'The analyst’s own software does this with the noisy figures. All of them are opened and charged; it is the noise that protects.';
  return [section('What the answer leaves out or rounds', wrapped(intro), decisions.map(item))];
}

function whatHappens(plan: Plan, names: string): string[] {
  const vector = plan.transfers.find(({ to }) => to === 'the analyst')!;
  const [among, masked] = plan.transfers.filter(
    ({ from, to }) => to !== 'the analyst' && from === plan.transfers[0]!.from && to === plan.transfers[0]!.to,
  );
  return [
    `Each party checks the analyst’s signature, the charter and its own policy, and tells the others by a signed acceptance under which rule it takes part${plan.join === null ? '' : ', and with which size class'}. If one declines, nothing is computed.`,
    ...(plan.join === null
      ? [
          `Each party computes sums over its own records, in its own house. No record leaves it.`,
          'Each party adds random masks to its sums. It shares a mask with every other party, agreed over encrypted sessions; the masks cancel only when the sums of all parties are added. One party’s masked sums alone are random numbers.',
        ]
      : joiningTexts(plan.join)),
    ...(masked === undefined || plan.helper === null
      ? []
      : [
          `${plan.helper.id} sends ${names} random numbers to compute with. ${plan.join === null ? 'It has no part in their masks, and nothing' : 'Nothing'} of what they compute is sent to it.`,
        ]),
    ...(masked === undefined
      ? []
      : [
          `Each party sends every other party ${masked.what} (${size(masked.bytes)}): with these they compute what may be opened.`,
        ]),
    `Each party sends every other party ${among!.what} (${size(among!.bytes)}), so that all agree on what is opened before anything is.`,
    `Each of ${names} sends the analyst ${vector.what} (${size(vector.bytes)}), by way of the coordinator, which cannot read them.`,
  ];
}

function measureText({ name, operation, opens }: PlannedMeasure): string[] {
  return [item(`${name} (${operation}): ${opens.join('; ')}`)];
}

function thresholdText({ threshold, thresholdIsFinal, measures, privacy, join }: Plan): string[] {
  const more = thresholdIsFinal ? '' : ' A party’s rule may ask for more.';
  if (threshold < 2) return [wrapped(`No threshold is in force.${more}`)];
  if (privacy !== null) {
    const shown = `A measure whose own count is opened is shown only if that noisy count lets at least ${threshold} people stand behind it; the analyst’s own software sees to it.`;
    return [wrapped(`${shown}${more}`)];
  }
  const tests = [...new Set(measures.flatMap((measure) => measure.tests.join('; ')))];
  return [
    wrapped(`A number is opened only if at least ${threshold} people stand behind it. What is counted for that:`),
    ...tests.map(item),
    ...(join === null ? [] : [wrapped(crowdText(join))]),
    ...(more === '' ? [] : [wrapped(more.trim())]),
  ];
}

function whoLearns(
  { analyst, parties, helper, decisions, privacy, join }: Plan,
  names: string,
  figures: string,
): string[] {
  const asker = analyst === null ? 'The analyst' : analyst.id;
  const outcome =
    decisions.length === 0
      ? ''
      : privacy === null
        ? ', which of them are withheld or do not open'
        : ' with their noise, those too that the answer leaves out';
  return [
    `${asker} learns ${figures}${outcome}, and no party’s own.`,
    ...(join === null
      ? [
          `${names} ${parties.length === 2 ? 'both' : 'each'} learn that the question was asked, by whom and why, and who takes part; nothing of another party’s records, and not the answer.`,
        ]
      : sidesLearn(join)),
    ...(helper === null
      ? []
      : [
          `${helper.id} learns the text of the question${join === null ? '' : ', the size classes'} and who takes part; no record, no sum and no answer.`,
        ]),
    `The coordinator learns the text of the question, who talks to whom, how much and when${join === null ? '' : ', and the size classes'}; no sum and no answer.`,
    'The other members of the consortium learn nothing.',
  ];
}

function costText({ rounds, bytesPerParty, secondsEstimate, parties, helper, join }: Plan): string[] {
  return [
    `${rounds} rounds of messages among ${parties.length} parties${helper === null ? '' : ` and ${helper.id}`}, and about ${size(bytesPerParty)} sent by each.`,
    `About ${secondsEstimate < 10 ? secondsEstimate.toFixed(1) : grouped(secondsEstimate)} seconds on links of 100 Mbit/s with 50 ms there and back, and the time each party needs to read its records.`,
    ...(join === null || (join.left.setSize !== null && join.right.setSize !== null)
      ? []
      : ['That is for datasets as large as the charter allows; it goes down with the size class that is stated.']),
  ];
}
