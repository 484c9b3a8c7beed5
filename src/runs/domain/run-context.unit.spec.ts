import { request } from '../../../test/support/agent-history';
import type { WakeupRequest } from '../../agents/domain/agent.events';
import type { ContextWakeup } from './run-context';
import { composeContext } from './run-context';

const MAX_BYTES = 256 * 1024;

function asked(id: string, parts: Partial<WakeupRequest> = {}): ContextWakeup {
  return { id, request: request(parts) };
}

/** The context of a run that stands for one wakeup. */
function contextOf(parts: Partial<WakeupRequest>): Record<string, unknown> {
  const only = asked('w1', parts);
  return composeContext(only, [only], 1);
}

function many(count: number, parts: Partial<WakeupRequest> = {}): ContextWakeup[] {
  return Array.from({ length: count }, (_, index) => asked(`w${index + 1}`, parts));
}

function idsIn(context: Record<string, unknown>): string[] {
  return (context['wakeups'] as { id: string }[]).map(({ id }) => id);
}

function bytesOf(context: Record<string, unknown>): number {
  return Buffer.byteLength(JSON.stringify(context['wakeups']));
}

describe('the keys of the context', () => {
  const full = {
    reason: 'new mail',
    payload: { issueId: 'i1', other: 1 },
    source: 'assignment',
    triggerDetail: 'callback',
  } as const;

  test('are completed from the request', () => {
    const { wakeups: _wakeups, ...keys } = contextOf(full);
    expect(keys).toEqual({
      ...{ wakeReason: 'new mail', issueId: 'i1', taskId: 'i1' },
      ...{ wakeSource: 'assignment', wakeTriggerDetail: 'callback' },
    });
  });

  test('are left out where the request says nothing', () => {
    const { wakeups: _wakeups, ...keys } = contextOf({});
    expect(keys).toEqual({ wakeSource: 'on_demand' });
    expect(contextOf({ payload: { other: 1 } })).not.toHaveProperty('issueId');
    expect(contextOf({ payload: { issueId: null } })).not.toHaveProperty('issueId');
  });

  const own = {
    ...{ wakeReason: 'own', issueId: 'own', taskId: 'own' },
    ...{ wakeSource: 'own', wakeTriggerDetail: 'own' },
  };

  test('are never overwritten where they hold text', () => {
    expect(contextOf({ ...full, contextSnapshot: own })).toMatchObject(own);
  });

  test.each(Object.keys(own))('%s stands alone', (key) => {
    const completed = contextOf(full);
    const context = contextOf({ ...full, contextSnapshot: { [key]: 'own' } });
    expect(context).toMatchObject({ ...completed, [key]: 'own', wakeups: expect.anything() });
  });

  test.each([
    ['empty', ''],
    ['blank', ' \t\n'],
    ['null', null],
    ['no text', 7],
  ])('are completed where they are %s', (_name, value) => {
    const blank = Object.fromEntries(Object.keys(own).map((key) => [key, value]));
    const { wakeups: _wakeups, ...keys } = contextOf({ ...full, contextSnapshot: blank });
    const { wakeups: _others, ...completed } = contextOf(full);
    expect(keys).toEqual(completed);
  });

  test('keep what there is nothing to complete from', () => {
    expect(contextOf({ contextSnapshot: { wakeReason: '', issueId: ' ' } })).toMatchObject({
      wakeReason: '',
      issueId: ' ',
    });
  });

  test('keep everything else, and leave the request as it is', () => {
    const contextSnapshot = Object.freeze({ project: { id: 'p' }, n: 1 });
    expect(contextOf({ contextSnapshot })).toMatchObject({ project: { id: 'p' }, n: 1 });
  });

  test('come from the first request alone', () => {
    const first = asked('w1', { reason: null, contextSnapshot: { project: 'p1' } });
    const second = asked('w2', { reason: 'late', payload: { issueId: 'i2' }, contextSnapshot: { extra: 1 } });
    const { wakeups: _wakeups, ...keys } = composeContext(first, [first, second], 2);
    expect(keys).toEqual({ project: 'p1', wakeSource: 'on_demand' });
  });
});

describe('the wakeups in the context', () => {
  test('are told in the order of arrival, with what they asked', () => {
    const first = asked('w1', { reason: 'a', payload: { n: 1 } });
    const second = asked('w2', { source: 'timer', contextSnapshot: { n: 2 }, idempotencyKey: 'not told' });
    expect(composeContext(first, [first, second], 2)).toMatchObject({
      wakeups: [
        { id: 'w1', source: 'on_demand', reason: 'a', payload: { n: 1 }, contextSnapshot: null },
        { id: 'w2', source: 'timer', reason: null, payload: null, contextSnapshot: { n: 2 } },
      ],
    });
    const [told] = contextOf({ idempotencyKey: 'not told' })['wakeups'] as object[];
    expect(Object.keys(told!)).toEqual(['id', 'source', 'reason', 'payload', 'contextSnapshot']);
  });

  test('cannot be said by a client', () => {
    const context = contextOf({ contextSnapshot: { wakeups: ['mine'], wakeupsOmitted: 7 } });
    expect(idsIn(context)).toEqual(['w1']);
    expect(context).not.toHaveProperty('wakeupsOmitted');
  });

  test('are all there, and none omitted, up to 100', () => {
    const wakeups = many(100);
    const context = composeContext(wakeups[0]!, wakeups, 100);
    expect(idsIn(context)).toEqual(wakeups.map(({ id }) => id));
    expect(context).not.toHaveProperty('wakeupsOmitted');
  });

  test('are the newest 100 of more, and the rest is counted', () => {
    const wakeups = many(130);
    const context = composeContext(wakeups[0]!, wakeups, 130);
    expect(idsIn(context)).toEqual(wakeups.slice(30).map(({ id }) => id));
    expect(context['wakeupsOmitted']).toBe(30);
  });

  test('that were not handed over count as omitted, too', () => {
    const wakeups = many(101);
    const handed = [wakeups[0]!, ...wakeups.slice(-100)];
    const context = composeContext(wakeups[0]!, handed, 5_000);
    expect(idsIn(context)).toEqual(wakeups.slice(-100).map(({ id }) => id));
    expect(context['wakeupsOmitted']).toBe(4_900);
  });

  test('are the newest that fit into 256 KiB', () => {
    const wakeups = many(40, { payload: { text: 'x'.repeat(10_000) } });
    const context = composeContext(wakeups[0]!, wakeups, 40);
    const ids = idsIn(context);
    expect(ids).toEqual(wakeups.slice(-ids.length).map(({ id }) => id));
    expect(context['wakeupsOmitted']).toBe(40 - ids.length);
    const entryBytes = bytesOf(context) / ids.length;
    expect(bytesOf(context)).toBeLessThanOrEqual(MAX_BYTES);
    expect(bytesOf(context) + entryBytes).toBeGreaterThan(MAX_BYTES);
  });

  test.each([0, 1])('are measured as they are written, to the byte: %i past the limit', (excess) => {
    const bare = many(3, { reason: '' });
    const room = MAX_BYTES - bytesOf(composeContext(bare[0]!, bare, 3));
    const wakeups = [asked('w1', { reason: 'x'.repeat(room + excess) }), ...bare.slice(1)];
    const context = composeContext(wakeups[0]!, wakeups, 3);
    expect(idsIn(context)).toEqual(excess ? ['w2', 'w3'] : ['w1', 'w2', 'w3']);
    if (!excess) expect(bytesOf(context)).toBe(MAX_BYTES);
  });

  test('are measured in bytes, not in characters', () => {
    const wakeups = many(2, { reason: '€'.repeat(MAX_BYTES / 4) });
    const context = composeContext(wakeups[0]!, wakeups, 2);
    expect(idsIn(context)).toEqual(['w2']);
    expect(context['wakeupsOmitted']).toBe(1);
  });

  test('are none where the newest does not fit', () => {
    const wakeups = [asked('w1'), asked('w2', { reason: 'x'.repeat(MAX_BYTES) })];
    expect(composeContext(wakeups[0]!, wakeups, 2)).toMatchObject({ wakeups: [], wakeupsOmitted: 2 });
  });
});
