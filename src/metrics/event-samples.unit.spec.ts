import type { Recorded } from '../kernel/event';
import type { OpenWakeups } from './event-samples';
import { samplesOf } from './event-samples';

const recorded = (type: string, data: object) => ({ event: { type, data } }) as unknown as Recorded;

/** What events add up to, as Prometheus would write it. */
function written(events: readonly [string, object][], open: OpenWakeups = new Map()): string[] {
  return events.flatMap(([type, data]) =>
    samplesOf(recorded(type, data), open).map(({ name, labels, value }) => {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      return `${name.replace('reveille_', '')}{${pairs.join(',')}} ${value}`;
    }),
  );
}

const requested = { wakeupId: 'w', source: 'timer', requestedAt: '2026-01-01T00:00:00.000Z' };
const started = { wakeupId: 'w', startedAt: '2026-01-01T00:00:02.500Z' };
const usage = { inputTokens: 3, outputTokens: 2, cachedInputTokens: 0 };

test('a wakeup that becomes a run counts, and how long it took', () => {
  const open: OpenWakeups = new Map();
  const story: [string, object][] = [
    ['WakeupRequested', requested],
    ['RunQueued', { attempt: 1 }],
    ['RunStarted', started],
  ];
  expect(written(story, open)).toEqual([
    'wakeups_requested_total{source="timer"} 1',
    'wakeup_decisions_total{decision="queued"} 1',
    'runs_started_total{} 1',
    'wake_to_start_seconds{} 2.5',
  ]);
  expect(open.size).toBe(0);
});

test('a retry is a start, but nobody has waited for it', () => {
  expect(
    written([
      ['RunQueued', { attempt: 2 }],
      ['RunStarted', started],
    ]),
  ).toEqual(['runs_started_total{} 1']);
});

test.each([
  ['WakeupCoalesced', ['wakeup_decisions_total{decision="coalesced"} 1']],
  ['WakeupSkipped', ['wakeup_decisions_total{decision="skipped"} 1']],
  ['WakeupCancelled', []],
  ['WakeupExpired', []],
])('%s ends the waiting', (type, expected) => {
  const open: OpenWakeups = new Map([['w', 0]]);
  expect(written([[type, { wakeupId: 'w' }]], open)).toEqual(expected);
  expect(open.size).toBe(0);
});

test('a deferred wakeup goes on waiting', () => {
  const open: OpenWakeups = new Map([['w', 0]]);
  expect(written([['WakeupDeferred', { wakeupId: 'w' }]], open)).toEqual([
    'wakeup_decisions_total{decision="deferred"} 1',
  ]);
  expect(open.size).toBe(1);
});

test('what is never started does not pile up', () => {
  const open: OpenWakeups = new Map(Array.from({ length: 100_000 }, (_, index) => [`${index}`, 0]));
  samplesOf(recorded('WakeupRequested', requested), open);
  expect([open.size, open.has('0'), open.has('w')]).toEqual([100_000, false, true]);
});

test('a run that ends counts with its outcome, and so does what its settlement adds', () => {
  const settlement = { ...usage, costMicros: 500, costSource: 'priced' };
  const lost = { wakeupId: 'w', status: 'failed', errorCode: 'process_lost', settlement };
  const well = { wakeupId: 'w', status: 'succeeded', errorCode: null, settlement: null };
  expect(
    written([
      ['RunFinished', lost],
      ['RunFinished', well],
    ]),
  ).toEqual([
    'runs_finished_total{status="failed",error_code="process_lost"} 1',
    'runs_lost_total{} 1',
    'cost_micros_total{source="priced"} 500',
    'tokens_total{kind="input"} 3',
    'tokens_total{kind="output"} 2',
    'runs_finished_total{status="succeeded",error_code="none"} 1',
  ]);
});

test('usage without a price is counted as such, and a settlement that takes back counts nothing', () => {
  const unpriced = { payload: { ...usage, costMicros: null, costSource: 'unpriced' } };
  const back = {
    payload: {
      inputTokens: -1,
      outputTokens: 0,
      cachedInputTokens: 0,
      costMicros: -5,
      costSource: 'reported',
    },
  };
  expect(
    written([
      ['UsageBooked', unpriced],
      ['UsageBooked', back],
    ]),
  ).toEqual(['unpriced_entries_total{} 1', 'tokens_total{kind="input"} 3', 'tokens_total{kind="output"} 2']);
});

test('other events add nothing', () => {
  expect(
    written([
      ['AgentPaused', {}],
      ['RunLifecycleRecorded', {}],
    ]),
  ).toEqual([]);
});

test.each([
  ['AgentBudgetWarned', 'budget_events_total{scope="agent",event="warned"} 1'],
  ['AgentBudgetExceeded', 'budget_events_total{scope="agent",event="exceeded"} 1'],
  ['CompanyBudgetExceeded', 'budget_events_total{scope="company",event="exceeded"} 1'],
  ['CompanyBudgetRestored', 'budget_events_total{scope="company",event="restored"} 1'],
])('%s counts', (type, expected) => {
  expect(written([[type, {}]])).toEqual([expected]);
});
