/**
 * Every error that Folkmoot raises on purpose: one class a layer, one table of codes.
 *
 * A code is stable and may be matched by programs. The text is for people: it says what happened and what to do, names
 * the field or the party concerned, and never carries a value that came from a record.
 * @module
 */

/** What each code means (`text`) and what to do about it (`remedy`). `docs/ERRORS.md` is written from this table. */
export const errorTable = {
  input: {
    BAD_USAGE: { text: 'the command line is not understood', remedy: 'see `folkmoot --help`' },
    FILE_UNREADABLE: { text: 'a file or folder cannot be read', remedy: 'check its path and its permissions' },
    FILE_EXISTS: { text: 'the file is there already', remedy: 'name another place: nothing is written over' },
    BAD_SYNTAX: { text: 'the text is not valid YAML or JSON', remedy: 'mend the syntax at the line and column named' },
    DUPLICATE_KEY: { text: 'a key stands twice', remedy: 'keep one of the two' },
    UNKNOWN_KEY: { text: 'a key is not known here', remedy: 'remove it, or correct its spelling' },
    BAD_VALUE: { text: 'a value is missing or of the wrong form', remedy: 'give a value of the form named' },
    NOT_SUPPORTED: { text: 'this is not supported by this version', remedy: 'leave it out, or upgrade every party' },
    UNKNOWN_PARTY: { text: 'the charter has no such party', remedy: 'name a party of the charter' },
    UNKNOWN_DATASET: { text: 'the charter has no such dataset', remedy: 'name a dataset of the charter' },
    UNKNOWN_COLUMN: { text: 'the dataset has no such column', remedy: 'name a column of the dictionary' },
    UNKNOWN_PURPOSE: { text: 'the charter has no such purpose', remedy: 'name a purpose of the charter' },
    DUPLICATE_PARTY: { text: 'a party is named twice', remedy: 'name each party once' },
    HELPER_TAKES_PART: {
      text: 'the helper takes part in the job itself',
      remedy: 'name a party of the charter that is not among `parties`',
    },
    NOT_HELD: { text: 'a party does not hold this dataset', remedy: 'leave the party out' },
    WRONG_TYPE: {
      text: 'a column or value has the wrong type for this use',
      remedy: 'use a column or value of the type named',
    },
    KEYS_DIFFER: {
      text: 'the identifiers of the two sides do not have the same form',
      remedy: 'have the charter give both columns the same `normalise` and `check`',
    },
    SENSITIVITY_UNKNOWN: {
      text: 'nothing bounds what one person can change',
      remedy: 'have the charter declare `max_rows_per_key` at the identifier column, or leave `privacy` out',
    },
    BAD_BINS: {
      text: 'the bins are not in ascending order, or do not fit those of another measure',
      remedy: 'give at least two edges, each larger than the one before',
    },
    SET_TOO_LARGE: {
      text: 'a set is too large to be matched',
      remedy: 'match a dataset of fewer rows',
    },
    TOO_MANY_CELLS: {
      text: 'the job has too many cells, or too many sums in each',
      remedy: 'group by fewer columns or fewer values, or ask for fewer bins',
    },
    OVERFLOW: {
      text: 'a number could be larger than what it is computed with',
      remedy: 'narrow the bounds of the column, or lower max_rows',
    },
  },
  charter: {
    CHARTER_CHANGED: {
      text: 'the charter was changed after it was signed',
      remedy: 'seal the charter again, with every signature',
    },
    CHARTER_UNSIGNED: { text: 'the charter lacks a signature', remedy: 'have every party run `folkmoot charter seal`' },
    CHARTER_MISMATCH: {
      text: 'the two sides hold different charters',
      remedy: 'compare fingerprints and install the same charter',
    },
    BAD_KEY: { text: 'a public key is not usable', remedy: 'make a new key with `folkmoot keygen`' },
    DUPLICATE_CHARTER_KEY: { text: 'two members share one key', remedy: 'let each member make keys of its own' },
    KEY_FILE_EXPOSED: { text: 'the key file can be read by others', remedy: 'run `chmod 600` on it' },
    KEY_FILE_INVALID: {
      text: 'the key file cannot be used',
      remedy: 'restore it from its backup, or make new keys and seal the charter again',
    },
    KEY_MISMATCH: {
      text: 'the key file does not belong to this member of the charter',
      remedy: 'point `keys` to the folder that was sealed',
    },
  },
  policy: {
    UNKNOWN_ANALYST: {
      text: 'the charter does not list this analyst',
      remedy: 'have the analyst added to the charter',
    },
    BAD_SIGNATURE: { text: 'the signature does not fit', remedy: 'sign again with the key that the charter lists' },
    JOB_EXPIRED: { text: 'the job has expired', remedy: 'submit it again' },
    NOT_YET_VALID: {
      text: 'the job was issued in the future',
      remedy: 'one clock is wrong, of the machine that signed it or of this one: set both by NTP',
    },
    TOO_FEW_PARTIES: { text: 'fewer parties take part than are required', remedy: 'name more parties' },
    NO_MATCHING: {
      text: 'the charter does not permit these two parties to match people on this column',
      remedy: 'have all parties sign a charter whose `matching` lists the pair, with whoever permits it',
    },
    REFUSED: {
      text: 'no rule of the policy allows this job',
      remedy: 'ask for what a rule allows, or ask the data owner to change it',
    },
    CANNOT_ROUND: {
      text: 'a measure cannot be answered where figures are rounded',
      remedy: 'leave the measure out, or ask for a count, sum, mean, ratio, histogram, median or quantile',
    },
    NO_BUDGET: {
      text: 'the dataset has no budget for protected answers',
      remedy: 'have the data owner set a budget, or leave the party out',
    },
    BUDGET_UNIT: {
      text: 'the budget of the dataset cannot be charged this job',
      remedy: 'ask in the unit of the budget: epsilon, epsilon with a delta, or rho',
    },
    POLICY_CHANGED: {
      text: 'the party’s policy has changed since it accepted the job',
      remedy: 'submit the job again, to be judged by the policy as it is now',
    },
    DENIED_BY_OWNER: {
      text: 'a person at the party denied the job',
      remedy: 'ask the data owner of the party why; the reason stays there',
    },
    APPROVAL_REVOKED: {
      text: 'a person at the party took the approval of the job back',
      remedy: 'ask the data owner of the party; submit the job again',
    },
    NOT_APPROVED: {
      text: 'the approvals that the rule asks for do not stand',
      remedy: 'submit the job again, and have the approvers of the party decide',
    },
    APPROVAL_CHANGED: {
      text: 'the approval is for something else than what waits now',
      remedy: 'look at what waits now, and decide again',
    },
    NOT_AN_APPROVER: {
      text: 'node.yaml lists no such approver',
      remedy: 'name one of its `approvers` with --as, and that person’s own key folder with --keys',
    },
    OWN_JOB: {
      text: 'who asked for a job does not decide on it',
      remedy: 'have another approver look at it',
    },
    ALREADY_APPROVED: {
      text: 'this person has approved the job already',
      remedy: 'have another approver look at it, where the rule asks for more than one',
    },
    BUDGET_EXCEEDED: {
      text: 'the job costs more than is left of a budget',
      remedy: 'ask for less, or wait for the data owner’s next period',
    },
  },
  protocol: {
    STALLED: {
      text: 'every party waits and nothing is under way',
      remedy: 'submit the job again; report it if it recurs',
    },
    UNEXPECTED_MESSAGE: {
      text: 'a party sent a message that is not due',
      remedy: 'let both parties run the same build',
    },
    BAD_MESSAGE: { text: 'a party sent a message of the wrong form', remedy: 'let both parties run the same build' },
    TOO_LARGE: { text: 'a party sent more than was agreed', remedy: 'let both parties run the same build' },
    LENGTHS_DIFFER: {
      text: 'two vectors of a computation differ in length',
      remedy: 'report it: this is a fault of the program',
    },
    OVER_LIMIT: {
      text: 'a computation on shares has more values than its limit',
      remedy: 'ask for fewer cells, or compute in batches',
    },
    CUCKOO_FULL: {
      text: 'the elements of a join do not fit into its table',
      remedy: 'report it: chance does this less than once in 2^40 joins, and the join must not be tried again',
    },
    OKVS_FULL: {
      text: 'a key-value store could not be built',
      remedy: 'report it: chance does this about once in 2^40 stores, and the join must not be tried again',
    },
    LABEL_REUSED: { text: 'a key or stream label was used twice', remedy: 'report it: this is a fault of the program' },
    SAME_KEY_BOTH_WAYS: {
      text: 'the two directions of a pair have the same key',
      remedy: 'report it: this is a fault of the program',
    },
    BAD_ACCEPTANCE: {
      text: 'an acceptance does not fit the job',
      remedy: 'let every party run the same charter and accept again',
    },
    BAD_RENUNCIATION: {
      text: 'a party’s word that it opened no earlier attempt is missing or does not fit',
      remedy: 'submit the job again; ask the coordinator’s operator',
    },
    BAD_STATEMENT: {
      text: 'a statement of a budget is not what it claims to be',
      remedy: 'ask the party named; ask again',
    },
    BAD_COMMITMENT: {
      text: 'a party opened other bytes than it committed to',
      remedy: 'ask the party named; submit the job again',
    },
    BAD_OPENING_SIGNATURE: {
      text: 'a signature under the commitments does not fit',
      remedy: 'ask the party named; submit the job again',
    },
    AUDIT_UNPROVEN: {
      text: 'a party did not show that its audit log has grown from what was countersigned',
      remedy: 'submit the job again; if it recurs, the party named runs `folkmoot audit verify`',
    },
    AUDIT_ROLLED_BACK: {
      text: 'a party’s audit log was taken back to an earlier state',
      remedy: 'the owner of the party named looks at it with `folkmoot audit verify`, and confirms a restored backup',
    },
    AUDIT_FORKED: {
      text: 'a party’s audit log is not the one that was countersigned',
      remedy:
        'the owner of the party named looks at it with `folkmoot audit verify`; two nodes may run with one identity',
    },
    BAD_ENVELOPE: {
      text: 'a sealed envelope does not open',
      remedy: 'check that the analyst’s keys are those in the charter',
    },
    TAMPERED: {
      text: 'a frame was changed, dropped, repeated or cut on its way',
      remedy: 'submit the job again; ask the coordinator’s operator',
    },
    BAD_HANDSHAKE: {
      text: 'the encrypted session could not be set up',
      remedy: 'check that all parties hold the same charter and keys',
    },
    PARTY_FAILED: { text: 'another party ended the attempt', remedy: 'see the code that party gave' },
    CANCELLED: { text: 'the job was cancelled', remedy: 'submit it again if it is still wanted' },
  },
  transport: {
    INSECURE_URL: { text: 'plain ws: and http: are only for loopback', remedy: 'use wss: or https:' },
    BAD_FRAME: { text: 'a frame does not have the agreed form', remedy: 'let both ends run the same build' },
    FRAME_TOO_LARGE: { text: 'a frame is over the limit', remedy: 'let both ends run the same build' },
    TEXT_FRAME: { text: 'a text frame came where only binary ones are spoken', remedy: 'connect with a Folkmoot node' },
    WRONG_SESSION: {
      text: 'a frame names a session or party that is not its own',
      remedy: 'let both ends run the same build',
    },
    BAD_SEQUENCE: { text: 'a frame is repeated or one is missing', remedy: 'submit the job again' },
    BAD_CONTROL: { text: 'a control message is not well formed', remedy: 'let both ends run the same build' },
    OTHER_VERSION: {
      text: 'the other end speaks another version of the protocol',
      remedy: 'upgrade: let all parties and the coordinator run one version, see “Upgrades” in docs/OPERATING.md',
    },
    LINK_LOST: { text: 'the connection was lost', remedy: 'the node reconnects by itself; submit the job again' },
    LOGIN_REFUSED: { text: 'the login was refused', remedy: 'check keys and charter' },
    IDENTITY_IN_USE: {
      text: 'another process is logged in with this identity',
      remedy:
        'stop one of the two nodes; if you know of one only, its keys were copied: see “A lost key” in docs/OPERATING.md',
    },
    UNREACHABLE: { text: 'the other end cannot be reached', remedy: 'check the address, and that it runs' },
    UNTRUSTED: {
      text: 'the certificate of the other end is not trusted',
      remedy: 'name the file of its private authority with `ca:`, or check who answers at this address',
    },
    PROXY_REFUSED: {
      text: 'the proxy refuses the connection',
      remedy:
        'have the proxy let this host pass, give its name and password in HTTPS_PROXY, or list the host in NO_PROXY',
    },
    BACKLOG: { text: 'the other end does not read fast enough', remedy: 'try again when the link is faster' },
  },
  source: {
    SOURCE_UNREACHABLE: {
      text: 'the source cannot be opened',
      remedy: 'check the path or the address, and its permissions',
    },
    SOURCE_COLUMN_MISSING: {
      text: 'the source lacks a column',
      remedy: 'bind the column in `columns`, or add it to the source',
    },
    SOURCE_DUPLICATE_HEADER: { text: 'two columns of the source have the same name', remedy: 'rename one of them' },
    SOURCE_RAGGED: {
      text: 'rows of the source do not have as many fields as its header',
      remedy: 'export the source again',
    },
    SOURCE_ENCODING: { text: 'the source is not UTF-8', remedy: 'export the source as UTF-8' },
    SOURCE_EMPTY: { text: 'the source has no rows', remedy: 'check that the export was complete' },
    SOURCE_VALUE: {
      text: 'a column holds a value of the wrong form',
      remedy: 'correct the source; the form expected is named',
    },
    SOURCE_NULL: {
      text: 'a column holds an empty value where the dictionary refuses them',
      remedy: 'fill it in, or agree on `nulls: drop` or `zero`',
    },
    SOURCE_OUT_OF_BOUNDS: {
      text: 'a column holds a value outside its bounds where the dictionary refuses them',
      remedy: 'correct the source, or agree on `outside: clamp`',
    },
    SOURCE_EXTRA_ROWS: {
      text: 'a person has more rows than the dictionary allows',
      remedy: 'remove the extra rows, or agree on `extra_rows: keep_first`',
    },
    DUPLICATE_IDENTIFIER: {
      text: 'an identifier stands in more rows than the dictionary allows',
      remedy: 'remove the extra rows, or agree on `extra_rows: keep_first` or on more rows',
    },
    SOURCE_TOO_MANY_ROWS: { text: 'the source has more rows than `max_rows`', remedy: 'agree on a larger max_rows' },
    SOURCE_CHANGED: {
      text: 'the source changed while it was in use',
      remedy: 'submit the job again when the source is at rest',
    },
    SOURCE_FAILED: { text: 'the source could not be read', remedy: 'check the database’s own log' },
    SNAPSHOT_LOST: {
      text: 'the snapshot of the period is missing or was changed',
      remedy: 'restore the state folder, or have the data owner declare the next period',
    },
    SNAPSHOT_OTHER: {
      text: 'the snapshot of the period was read under another dictionary, by another version, or before the charter let this identifier be matched',
      remedy: 'have the data owner declare the next period',
    },
  },
  state: {
    UNKNOWN_JOB: { text: 'there is no such job', remedy: 'check the job id' },
    JOB_CONFLICT: { text: 'another job stands under this id', remedy: 'sign the job again' },
    NOT_YOURS: { text: 'this job belongs to another analyst', remedy: 'use the keys of the analyst who submitted it' },
    NOT_READY: { text: 'the answer is not there yet', remedy: 'wait until the job is DONE' },
    NOT_WAITING: {
      text: 'the job does not wait for an approval',
      remedy: 'see `folkmoot node waiting` for those that do',
    },
    ALREADY_OPENED: {
      text: 'the party has released its part of the answer',
      remedy: 'nothing can be taken back any more; see the budgets and rules for the next job',
    },
    ALREADY_ENDED: { text: 'the job has already ended', remedy: 'nothing is left to do' },
    STATE_IN_USE: { text: 'another process uses this state', remedy: 'stop the other process first' },
    STATE_LINKED: {
      text: 'the file of the state is a symbolic link',
      remedy: 'name the folder that holds the file itself',
    },
    LEASE_LOST: { text: 'another coordinator leads this job by now', remedy: 'nothing: that one goes on with it' },
    STALE_COORDINATOR: {
      text: 'a coordinator speaks of a job that another one has taken over',
      remedy: 'nothing: the other one goes on with it; see why that coordinator was thought lost',
    },
    STATE_NEWER: { text: 'the state was written by a newer version', remedy: 'run that version' },
    STATE_FAILED: { text: 'the state cannot be written', remedy: 'check disk space and permissions' },
    STATE_RESTORED: {
      text: 'the state is an older copy of itself',
      remedy:
        'put the latest state back; where it is lost, the owner confirms that with `folkmoot audit confirm --reason TEXT`',
    },
    AUDIT_BROKEN: {
      text: 'the audit log is not what was entered and signed',
      remedy: 'see the findings; keep the state as it is, and compare with the logs of the other parties',
    },
    PERIOD_ENDED: { text: 'this period has ended', remedy: 'name a period that was never declared before' },
    PARTY_DENIED: { text: 'a party denied the job', remedy: 'see the reason that party gave' },
    UNAUTHORISED: { text: 'a login is needed', remedy: 'log in with a key that the charter lists' },
    REQUEST_TOO_LARGE: { text: 'the request is too large', remedy: 'send a smaller one' },
    BUSY: { text: 'too many jobs wait already', remedy: 'try again later' },
    HALF_OPENED: {
      text: 'a party has opened its part of the answer, and another one cannot any more',
      remedy: 'submit the job again: what was charged for it is not charged twice',
    },
    CRASHED: {
      text: 'the computation ended without a word',
      remedy: 'see the log of the party’s node; it may need more memory',
    },
    INTERRUPTED: { text: 'the run was interrupted', remedy: 'run it again' },
    INTERNAL: { text: 'the program failed', remedy: 'report it with the log of this process' },
  },
} as const;

export type Layer = keyof typeof errorTable;
export type CodeOf<L extends Layer> = keyof (typeof errorTable)[L] & string;
export type ErrorCode = { [L in Layer]: CodeOf<L> }[Layer];

/** Where a fault lies. `detail` continues the sentence of the table; none of these may hold a value of a record. */
export interface Fault {
  /** The key, column or message concerned, as a path: `measures.spread.stddev`. */
  readonly field?: string | undefined;
  /** The party that is at fault, or that says so. */
  readonly party?: string | undefined;
  readonly detail?: string | undefined;
  /** A remedy that fits better than the table's. */
  readonly remedy?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly cause?: unknown;
}

/** What travels between processes and stands in `--json` output. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly field?: string;
  readonly party?: string;
}

function layered<L extends Layer>(layer: L, name: string) {
  return class extends Error {
    readonly layer: L = layer;
    readonly code: CodeOf<L>;
    readonly field: string | undefined;
    readonly party: string | undefined;
    readonly remedy: string;
    readonly line: number | undefined;
    readonly column: number | undefined;

    constructor(code: CodeOf<L>, fault: Fault = {}) {
      const entry = (errorTable[layer] as Record<string, { text: string; remedy: string }>)[code]!;
      const place = [fault.party, fault.field].filter((part) => part !== undefined).join(': ');
      const line = fault.line === undefined ? '' : ` (line ${fault.line}, column ${fault.column ?? 1})`;
      const detail = fault.detail === undefined ? '' : `: ${fault.detail}`;
      super(`${place === '' ? '' : `${place}: `}${entry.text}${detail}${line}`, { cause: fault.cause });
      this.name = name;
      this.code = code;
      this.field = fault.field;
      this.party = fault.party;
      this.remedy = fault.remedy ?? entry.remedy;
      this.line = fault.line;
      this.column = fault.column;
    }
  };
}

/** A document, a job or an option that cannot be taken as it is. */
export class InputError extends layered('input', 'InputError') {}
/** A charter or a key that cannot be trusted. */
export class CharterError extends layered('charter', 'CharterError') {}
/** What a party's own rules, the charter or the clock forbid. */
export class PolicyError extends layered('policy', 'PolicyError') {}
/** A computation among parties that cannot go on. It is final for its attempt. */
export class ProtocolError extends layered('protocol', 'ProtocolError') {}
/** A link, a frame or a login that failed. */
export class TransportError extends layered('transport', 'TransportError') {}
/** A party's own records that cannot be used. The detail names columns and forms, never values. */
export class SourceError extends layered('source', 'SourceError') {}
/** A request that does not fit the state of a node or a coordinator. */
export class StateError extends layered('state', 'StateError') {}

export type FolkmootError =
  | InputError
  | CharterError
  | PolicyError
  | ProtocolError
  | TransportError
  | SourceError
  | StateError;

/** Names in one text: more would only hide the first. */
const namesMax = 12;

/** Whom an error is about: one party by its field, several in its text. */
export function concerning(parties: readonly string[], detail: string): Fault {
  if (parties.length === 1) return { party: parties[0], detail };
  const rest = parties.length > namesMax ? ` and ${parties.length - namesMax} more` : '';
  return { detail: `${parties.slice(0, namesMax).join(', ')}${rest}: ${detail}` };
}

export function isFolkmootError(error: unknown): error is FolkmootError {
  return error instanceof Error && 'layer' in error && 'code' in error && (error.layer as string) in errorTable;
}

/** The report of any error. What is not ours becomes INTERNAL, without its text: it may quote a record. */
export function reportOf(error: unknown): ErrorReport {
  const known = isFolkmootError(error) ? error : new StateError('INTERNAL');
  return {
    code: known.code,
    message: known.message,
    remedy: known.remedy,
    ...(known.field === undefined ? {} : { field: known.field }),
    ...(known.party === undefined ? {} : { party: known.party }),
  };
}

const classes = {
  input: InputError,
  charter: CharterError,
  policy: PolicyError,
  protocol: ProtocolError,
  transport: TransportError,
  source: SourceError,
  state: StateError,
} as const;

/** The layer of a code, or undefined for one that this version does not know. */
export function layerOf(code: string): Layer | undefined {
  return (Object.keys(errorTable) as Layer[]).find((layer) => Object.hasOwn(errorTable[layer], code));
}

/** The error that a report was written from, with its own words. A code not known here becomes INTERNAL. */
export function errorOf(report: ErrorReport): FolkmootError {
  const layer = layerOf(report.code) ?? 'state';
  const code = layerOf(report.code) === undefined ? 'INTERNAL' : report.code;
  const Class = classes[layer] as new (code: ErrorCode, fault: Fault) => FolkmootError;
  const { field, party, remedy } = report;
  return Object.assign(new Class(code, { field, party, remedy }), { message: report.message });
}
