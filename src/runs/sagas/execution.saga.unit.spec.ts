import { finished, finishedUnstarted, queued } from '../../../test/support/agent-history';
import { recordAll } from '../../../test/support/projected';
import type { FinalRunStatus, RunFinished, RunQueued } from '../../agents/domain/agent.events';
import type { RunEvent } from '../domain/run.events';
import { isClosingLine, runEventTypes } from '../domain/run.events';
import { executionSaga } from './execution.saga';

const at = '2025-11-23T11:12:13.000Z';

function reactTo(event: RunQueued | RunFinished) {
  return executionSaga.react(recordAll([event], { at })[0]!);
}

const ofRun = { companyId: 'company-1', runId: 'r1' };
const line = { ...ofRun, agentId: 'agent-1', eventType: 'lifecycle', stream: 'system', color: null };

test('a queued run gets its first line', () => {
  const asked = { source: 'timer', triggerDetail: 'system', priority: 4 } as const;
  expect(reactTo(queued(1, asked))).toEqual([
    {
      ...{ type: 'OpenRunStream', key: 'r1', at, ...ofRun },
      line: {
        ...{ ...line, level: 'info', message: 'run queued' },
        payload: {
          ...{ invocationSource: 'timer', triggerDetail: 'system', wakeupId: 'w1', attempt: 1, priority: 4 },
          coalesceKey: null,
        },
      },
    },
  ]);
});

test.each<[FinalRunStatus, string, string]>([
  ['succeeded', 'info', 'run succeeded'],
  ['failed', 'error', 'run failed'],
  ['timed_out', 'error', 'run timed_out'],
  ['cancelled', 'warn', 'run cancelled'],
])('a run that has %s gets its last line, at level %s: %s', (status, level, message) => {
  const outcome = { status, errorCode: 'code', error: 'why', exitCode: 3, signal: 'SIGTERM' };
  expect(reactTo(finished(1, outcome))).toEqual([
    { type: 'CloseRunStream', key: 'r1', at, ...ofRun, line: { ...line, level, message, payload: outcome } },
  ]);
});

test('a lost process is told as such', () => {
  const [command] = reactTo(finished(1, { status: 'failed', errorCode: 'process_lost', error: 'lost' }));
  expect(command?.line).toMatchObject({
    ...{ level: 'error', message: 'Process lost -- server may have restarted' },
  });
});

test('also a run that never started is closed', () => {
  const [command] = reactTo(finishedUnstarted(1, 'cancel'));
  expect(command).toMatchObject({
    type: 'CloseRunStream',
    line: { message: 'run cancelled', level: 'warn' },
  });
});

test('every last line is known as one, and the first is not', () => {
  const linesOf = (event: RunQueued | RunFinished) =>
    reactTo(event).map(({ line }) => isClosingLine({ type: runEventTypes.lifecycle, data: line }));
  const statuses: FinalRunStatus[] = ['succeeded', 'failed', 'timed_out', 'cancelled'];
  for (const status of statuses) expect(linesOf(finished(1, { status }))).toEqual([true]);
  expect(linesOf(finished(1, { status: 'failed', errorCode: 'process_lost' }))).toEqual([true]);
  expect(linesOf(queued(1))).toEqual([false]);
});

test('only lines of the life cycle close a stream', () => {
  const [command] = reactTo(finished(1));
  const note = { ...command!.line, eventType: 'note' } as never;
  expect(isClosingLine({ type: 'RunNoteRecorded', data: note } satisfies RunEvent)).toBe(false);
});

test('what a run’s stream holds is written by the saga for two events only', () => {
  expect(executionSaga.handles).toEqual(['RunQueued', 'RunFinished']);
});
