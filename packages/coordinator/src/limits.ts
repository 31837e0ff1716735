/**
 * Every bound of the coordinator, with the reason for its number.
 * @module
 */

const minute = 60_000;

export const limits = {
  /** A job of 3 datasets with every measure over all its columns is below 20 KiB; ten times that is no job. */
  requestBytesMax: 256 * 1024,
  /** The deepest job, with conditions within conditions, has two dozen levels. */
  depthMax: 48,
  /** What a login body can need: an id, a nonce and a signature. */
  loginBytesMax: 4 * 1024,
  /** A request has to be in by then: 256 KiB take 21 s at 100 kbit/s. */
  requestMs: 30_000,
  /** A connection on which nothing moves; event streams speak every 15 s. */
  idleMs: 60_000,
  headersMs: 10_000,
  /** Connections at once: all links of nodes, and all analysts of a large consortium with a browser's six each. */
  httpConnectionsMax: 8_000,
  /** Connections that wait to be taken: the nodes of a large consortium, when their coordinator comes back. */
  backlog: 4_096,

  nonceMs: minute,
  /** Tokens alive of one analyst: more programs than a person runs; the oldest drops out. */
  tokensPerAnalyst: 100,
  tokenMs: 60 * minute,

  /** Jobs of one analyst that have not ended: a person follows fewer, a script waits. */
  openJobsPerAnalyst: 100,
  /** Over all analysts: what waits in the database for its turn. */
  openJobsMax: 10_000,
  /** Jobs that hold a place at once with one coordinator: what is relayed for them passes through one process. */
  activeJobsMax: 100,
  /** Of one party: each keeps a worker and its vectors at its node. */
  activeJobsPerParty: 16,
  /** Jobs that wait, looked at in one go for those whose parties are all here. */
  scanMax: 1_000,
  /** A coordinator that is lost is noticed by the end of its leases; a pause of its database is no loss. */
  leaseMs: 10_000,
  /** So long a coordinator that is linked to all parties of a job may take it before one that is not. */
  takeoverMs: 5_000,
  /** Two renewals may fail. */
  renewMs: 3_000,
  /** How long a cancel waits for the coordinator that leads the job, which looks every second. */
  cancelMs: 4_000,
  /** Rows of one list; older ones are asked for with `before`. */
  listMax: 200,

  /** A node answers a request for budgets from its own database; one that does not by then is as good as away. */
  budgetMs: 10_000,
  /** Requests for budgets at once, over all analysts: each holds a list of small statements for seconds. */
  budgetRequestsMax: 200,

  /** Entries of one job's history: nine per party and attempt are usual; phases beyond are not kept. */
  entriesPerJob: 2_000,
  /** Followers of events at once, over all and for one analyst: each holds a connection and a timer. */
  followersMax: 1_000,
  followersPerAnalyst: 50,
  /** Words about progress to those who watch, four a second: a reader sees no more. */
  progressMs: 250,
  /** Names of phases in one attempt: a run has a dozen. */
  phasesPerAttempt: 40,
  /** A comment on idle event streams, below the 60 s at which proxies give up. */
  keepAliveMs: 15_000,

  /** Time for a node to log in: two round trips and a signature. */
  loginMs: 10_000,

  /** One sealed opening: the most sums that a job may have, in the largest ring, and some room. */
  openingBytesMax: 96 * 1024 * 1024,
  /** Openings of one node that come in at once: as many as a node has jobs, since over a new link it sends all again. */
  openingsPerNode: 64,
  /** Over all nodes: what may stand in memory before it is stored. */
  openingBytesInFlight: 512 * 1024 * 1024,
} as const;
