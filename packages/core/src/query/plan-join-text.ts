/**
 * The part of a plan that speaks of a join, in plain words for whoever answers for the records: sentences, which
 * plan-text.ts sets in lines.
 * @module
 */
import type { Plan } from './plan.ts';
import type { PlannedJoin, PlannedSide } from './plan-join.ts';

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

const datasetText = ({ dataset, party }: PlannedSide): string => `\`${dataset}\` of ${party}`;

/** The datasets of both sides: `` `residents` of camden and `patients` of ncl-health ``. */
export function sidesText({ left, right }: PlannedJoin): string {
  return `${datasetText(left)} and ${datasetText(right)}`;
}

const forms: Readonly<Record<NonNullable<PlannedJoin['normalise']>, string>> = {
  digits: 'by their digits alone, whatever stands between them',
  'upper-alnum': 'by their letters and digits alone, small letters as capitals',
  'nfkc-lower': 'in small letters, without the space around them',
  date: 'as days, written year-month-day',
};

const checks: Readonly<Record<NonNullable<PlannedJoin['check']>, string>> = {
  nhs: 'or is not ten digits of which the last is the check digit of an NHS number',
  uprn: 'or is not a UPRN (a number of up to 12 digits)',
};

/** Who is matched with whom, on what, by whose permission, and who learns of a match. */
export function matchingTexts(join: PlannedJoin): string[] {
  const { left, right, on, normalise, check, permission } = join;
  const { permittedBy, reference } = permission;
  const form = normalise === null ? 'character by character, as they stand' : forms[normalise];
  const flaw = check === null ? '' : `, ${checks[check]},`;
  return [
    `People in ${datasetText(left)} (the left side) are matched with people in ${datasetText(right)} (the right side) on \`${on}\`. The charter permits it to these two: ${permittedBy}${reference === null ? '' : `, ${reference}`}.`,
    revealText(join),
    `Identifiers are compared ${form}. One that is empty or malformed${flaw} is left out; how many of its own these are each party is told, and nobody else is.`,
    rowsText(join),
    `Of its records each side shows the other one number, the size class of its whole dataset: ${sizeText(left)}, and ${sizeText(right)}. A class is a power of √2, rounded up; random entries that match nothing fill the set up to it, so that no filter shows in it.`,
  ];
}

function revealText(join: PlannedJoin): string {
  const { left, right, reveal } = join;
  if (reveal === null) {
    return `Nobody learns who is in both: neither ${left.party} nor ${right.party}, nor the analyst, nor anyone else. How many there are is known only where the answer says so, and to the analyst alone.`;
  }
  return `This job reveals its matches: ${left.party} learns which of its own people that the job is about ${right.party} has too. It happens only where the rules of both allow it (\`reveal_matches\`). ${right.party} does not learn who or how many of its people ${left.party} has, and ${left.party} learns nothing of anyone else.${toldText(join)}`;
}

/** What a match says besides: where the right side's rows are filtered, that the person meets the filter. */
function toldText({ left, right }: PlannedJoin): string {
  return right.isFiltered
    ? ` With each of them it learns that the job’s conditions on ${right.party}’s rows hold for that person.`
    : ` No value of ${right.party}’s is told to ${left.party}.`;
}

function sizeText({ party, setSize }: PlannedSide): string {
  return setSize === null
    ? `as many entries for ${party} as it states when it accepts`
    : `${grouped(setSize)} entries for ${party}`;
}

function rowsText({ left, right, reveal }: PlannedJoin): string {
  const [one, other] = [left, right].map(({ party, rowsPerPerson, extraRows }) => {
    const rows = rowsPerPerson === 1 ? 'one row' : `up to ${rowsPerPerson} rows`;
    const more = extraRows === 'refuse' ? 'more end the job' : 'more are left out';
    return `${rows} of a person at ${party} (${more})`;
  });
  const pairs = left.rowsPerPerson * right.rowsPerPerson;
  const values =
    pairs === 1
      ? ''
      : reveal !== null
        ? ' Someone with several is one match all the same, and counts once.'
        : ` Each row of a person at one side stands beside each at the other: up to ${pairs} pairs, of which the figures are.`;
  return `What counts is ${one} and ${other}.${values}`;
}

/** What the two do until they hold shares of the sums. */
export function joiningTexts({ left, right, reveal }: PlannedJoin): string[] {
  const both = `${left.party} and ${right.party}`;
  const hashed = `${both} toss a random salt for this attempt alone. With it each makes a keyed hash of each of its identifiers, in its own house. No identifier and no hash is sent or stored.`;
  if (reveal !== null) {
    return [
      hashed,
      `${right.party} sends ${left.party} one masked number for each entry of its set, in random order. ${left.party} recognises those of the people whom it has itself; the others are random to it, and it cannot try out identifiers that it has not brought. ${right.party} sees nothing by which to tell whom ${left.party} has.`,
    ];
  }
  return [
    hashed,
    'One of them sends the other one table of masked numbers. Whoever looks into it finds random numbers, at people it has and at people it has not: no guess can be tried out.',
    'For each place of the table the two compute on shares whether the same person stands there at both. The outcome, a match bit, is held by nobody: each of the two has a half of it that is random by itself.',
    `The values of both sides are multiplied by the match bit and added up on shares too, so that who has no match adds nothing. No record leaves its house: what is sent are numbers that look random to whoever receives them.`,
  ];
}

/** What each side learns, one after the other. */
export function sidesLearn(join: PlannedJoin): string[] {
  const { left, right, reveal } = join;
  const learns = (own: PlannedSide, other: PlannedSide): string =>
    `${own.party} learns that the question was asked, by whom and why, the size class of \`${other.dataset}\` of ${other.party}, and how many of its own identifiers were of no use`;
  const hidden = (own: PlannedSide, other: PlannedSide): string =>
    `${learns(own, other)}. It learns neither who of its people ${other.party} has, nor how many, nor any value of ${other.party}’s, nor the answer.`;
  if (reveal === null) return [hidden(left, right), hidden(right, left)];
  return [
    `${learns(left, right)}; and which of its own people that the job is about ${right.party} has too. Its node keeps their identifiers, as they stand in its records, for ${left.party} alone. It learns nothing of anyone else.${toldText(join)}`,
    hidden(right, left),
  ];
}

/** That both sides count alike for the threshold, whoever asks. */
export function crowdText({ left, right }: PlannedJoin): string {
  return `All people whom ${left.party} and ${right.party} have in common count toward it, whoever the analyst belongs to.`;
}

/** What a join does not defend, besides what no exact or protected answer does. */
export function joinWarnings({
  join,
  analyst,
  helper,
  privacy,
}: Pick<Plan, 'join' | 'analyst' | 'helper' | 'privacy'>): string[] {
  if (join === null) return [];
  const { left, right, on, reveal } = join;
  const texts = [
    `What is matched is what stands in the records. An identifier that is misspelt, out of date or missing at one side matches nobody, or somebody else, and no figure tells how often. A person who stands under two \`${on}\`s counts as two.`,
    probeText(join, privacy !== null),
    ...[left, right].flatMap((side) => unitText(side, on, privacy !== null)),
    `The size classes stand in the acceptances, which ${helper === null ? 'the analyst and the coordinator' : `the analyst, the coordinator and ${helper.id}`} see too.`,
  ];
  if (privacy === null) {
    texts.push(
      `Where the records of ${left.party} or ${right.party} are not what the charter says (more rows of one \`${on}\` than count, a value that is none), the job may end. The coordinator, the analyst and the other side then see the code of the error and whose records it is about. It depends on whole columns of the dataset and not on the job’s conditions, and tells no value.`,
    );
  }
  if (reveal === null && privacy === null) {
    texts.push(
      `If the analyst and ${left.party} or ${right.party} put together what they know, they have the answer beside all records of that side. An exact figure can then tell who of its people the other side has: where few people stand behind it, and a sum of amounts that are each different even where many do. Only noise prevents that.`,
    );
  }
  const member = analyst?.party ?? null;
  if (reveal === null && member !== null && [left.party, right.party].includes(member)) {
    texts.push(
      `The analyst belongs to ${member}, and may know its records: what the answer and they tell together is not withheld. The people of ${member} count toward the threshold all the same, since without them there is no match.`,
    );
  }
  if (helper !== null) {
    texts.push(
      `${helper.id} deals the random numbers that the two compute with. It sees sizes only; but if it puts together what it holds with one of the two, the other’s privacy is gone: these two can then know who is in both, and the values that were brought for them.`,
    );
  }
  return texts;
}

/** What is one person in a join need not be one elsewhere. */
function unitText({ dataset, party, unit }: PlannedSide, on: string, isProtected: boolean): string[] {
  if (unit === on) return [];
  const noise = isProtected
    ? ` The noise too protects all that is held of one \`${on}\`: whoever stands under several is protected less.`
    : '';
  return [
    `In \`${dataset}\` of ${party} it is not \`${on}\` that tells people apart but ${unit === 'row' ? 'each row by itself' : `\`${unit}\``}. This join counts \`${on}\`s, and so does the threshold: someone whose rows there have several counts as several.${noise}`,
  ];
}

function probeText({ left, right, reveal }: PlannedJoin, isProtected: boolean): string {
  if (reveal !== null) {
    return `${left.party} is told of every identifier that it brings whether ${right.party} has it, of one that it made up too. Asked again with other conditions on ${right.party}’s rows, the job tells of each match which of them hold, and so, value by value, what ${right.party} knows of that person. The threshold and rounding are about the figure that the analyst gets, and never about the list. Nothing bounds either but the size class of ${left.party}’s dataset and how often ${right.party} accepts such a job.`;
  }
  const lie =
    'A side may put identifiers into its records that it made up, to find out whether the other knows that person. By the matching itself it learns nothing, since it sees no match; what it could learn must come from the answer, by way of the analyst.';
  if (isProtected) return `${lie} There the noise protects that person like any other.`;
  return `${lie} There the threshold wants as many people whom both have: identifiers that match nobody do not help to reach it. But whoever knows enough people of the other side can fill a group with them, and then see by two answers whether one more counts. Nobody can tell such a question from another. Nor does the threshold look at those who are not in both: to whoever knows the people of one side a count of as many, or nearly as many, says that all of them, or all but a few, are in both.`;
}
