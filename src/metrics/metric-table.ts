/** Everything that `/metrics` says, in one table: name, kind, labels and meaning. `docs/operating.md` shows the same. */
export interface MetricDescription {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Each has few values: never an id, a name that a user gave, or a path. */
  readonly labels: readonly string[];
  /** Upper bounds, in seconds. */
  readonly buckets?: readonly number[];
}

const FROM_A_MILLISECOND = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const TO_AN_HOUR = [...FROM_A_MILLISECOND, 30, 60, 300, 1_800, 3_600];

export const metricTable = {
  reveille_wakeups_requested_total: {
    kind: 'counter',
    help: 'Wakeups that were accepted, skipped ones included',
    labels: ['source'],
  },
  reveille_wakeup_decisions_total: {
    kind: 'counter',
    help: 'What was decided about wakeups: queued, coalesced, deferred or skipped; a deferred one is decided anew when it is due',
    labels: ['decision'],
  },
  reveille_runs_started_total: { kind: 'counter', help: 'Runs that a node has claimed', labels: [] },
  reveille_runs_finished_total: {
    kind: 'counter',
    help: 'Runs that have come to their end',
    labels: ['status', 'error_code'],
  },
  reveille_runs_lost_total: {
    kind: 'counter',
    help: 'Runs that were reaped, or that a restart found gone: those with the error code process_lost',
    labels: [],
  },
  reveille_cost_micros_total: {
    kind: 'counter',
    help: 'Micro-dollars that were booked, by where the amount is from: reported or priced',
    labels: ['source'],
  },
  reveille_unpriced_entries_total: {
    kind: 'counter',
    help: 'Entries that were booked without an amount: nobody knows the price, or the run said nothing of what it used',
    labels: [],
  },
  reveille_tokens_total: {
    kind: 'counter',
    help: 'Tokens that were booked: input, output or cached_input',
    labels: ['kind'],
  },
  reveille_budget_events_total: {
    kind: 'counter',
    help: 'Budgets (of an agent or a company) that were warned of, exceeded or restored',
    labels: ['scope', 'event'],
  },
  reveille_wake_to_start_seconds: {
    kind: 'histogram',
    help: 'From the request of a wakeup to the start of its first run, waiting for a slot or for its time included',
    labels: [],
    buckets: TO_AN_HOUR,
  },
  reveille_refusals_total: {
    kind: 'counter',
    help: 'Requests, sockets and subscriptions that were refused, by the code of the problem (docs/errors.md)',
    labels: ['code'],
  },
  reveille_append_seconds: {
    kind: 'histogram',
    help: 'How long an append to the event log took; result is ok, conflict or failed',
    labels: ['result'],
    buckets: FROM_A_MILLISECOND,
  },
  reveille_follow_interruptions_total: {
    kind: 'counter',
    help: 'How often following the event log broke off, and had to be taken up again',
    labels: [],
  },
  reveille_queue_depth: { kind: 'gauge', help: 'Queued runs that this node knows of', labels: [] },
  reveille_active_runs: { kind: 'gauge', help: 'Runs that this node is executing', labels: [] },
  reveille_max_runs: { kind: 'gauge', help: 'How many this node executes at once', labels: [] },
  reveille_consumer_lag_positions: {
    kind: 'gauge',
    help: 'How far a projection or saga is behind the head of the log, in positions',
    labels: ['consumer', 'kind'],
  },
  reveille_consumer_ill: {
    kind: 'gauge',
    help: '1 where a projection or saga has stopped, or is trying the same thing again and again',
    labels: ['consumer', 'kind'],
  },
  reveille_data_folder_free_bytes: {
    kind: 'gauge',
    help: 'Room on the disk that the data folder is on',
    labels: [],
  },
  reveille_log_removed_events_total: {
    kind: 'counter',
    help: 'Events of output that had aged out and were removed from the embedded log, since the start',
    labels: [],
  },
  reveille_log_removed_bytes_total: {
    kind: 'counter',
    help: 'How large they were',
    labels: [],
  },
  reveille_log_removed_at_seconds: {
    kind: 'gauge',
    help: 'When such were removed last, since 1970',
    labels: [],
  },
  reveille_log_chunk_file_bytes: {
    kind: 'gauge',
    help: 'How large the file is in which the embedded log keeps what runs wrote',
    labels: [],
  },
  process_resident_memory_bytes: { kind: 'gauge', help: 'Memory that the process has in RAM', labels: [] },
  nodejs_heap_size_used_bytes: { kind: 'gauge', help: 'JavaScript heap that is in use', labels: [] },
  nodejs_eventloop_lag_p99_seconds: {
    kind: 'gauge',
    help: 'How late the event loop was, at its 99th percentile since the last time it was asked',
    labels: [],
  },
  process_cpu_seconds_total: {
    kind: 'counter',
    help: 'CPU time of the process, user and system',
    labels: [],
  },
  process_start_time_seconds: { kind: 'gauge', help: 'When the process was started, since 1970', labels: [] },
} as const satisfies Record<string, MetricDescription>;

export type MetricName = keyof typeof metricTable;

export type LabelsOf<Name extends MetricName> = Record<(typeof metricTable)[Name]['labels'][number], string>;
