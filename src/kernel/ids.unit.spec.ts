import { derivedUuid, isUuid, uuidv7 } from './ids';

const timeOf = (id: string) => parseInt(id.replaceAll('-', '').slice(0, 12), 16);

describe('a UUID version 7', () => {
  test('says its version, its variant and when it was made', () => {
    const before = Date.now();
    const id = uuidv7();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(timeOf(id)).toBeGreaterThanOrEqual(before);
  });

  test('comes after all before it, also more of them than a millisecond has room for', () => {
    const nowMs = Date.now() + 1_000;
    const ids = Array.from({ length: 10_000 }, () => uuidv7(nowMs));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(timeOf(ids.at(-1)!)).toBeGreaterThan(nowMs);
  });

  test('comes after all before it also when the clock is set back', () => {
    const nowMs = Date.now() + 100_000;
    const [first, second] = [uuidv7(nowMs), uuidv7(nowMs - 50_000)];
    expect(second > first).toBe(true);
    expect(timeOf(uuidv7(nowMs + 1))).toBe(nowMs + 1);
  });
});

describe('a derived UUID', () => {
  test('says that it is one', () => {
    expect(derivedUuid('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('is the same for the same parts and another for others', () => {
    expect(derivedUuid('run', 1, 2n)).toBe(derivedUuid('run', 1, 2n));
    const all = [derivedUuid('ab', 'c'), derivedUuid('a', 'bc'), derivedUuid('abc'), derivedUuid('abc', '')];
    expect(new Set(all).size).toBe(4);
  });

  test('never changes: what is on the log was derived like this', () => {
    expect(derivedUuid('agent-c.a', 3, 'command', 'RunStarted')).toBe('6048b25a-2e96-84c0-946e-3affe6163424');
  });
});

test('a UUID is known as one', () => {
  expect(isUuid(uuidv7())).toBe(true);
  expect(isUuid(derivedUuid('a'))).toBe(true);
  for (const other of ['', 'x', uuidv7().toUpperCase(), `${uuidv7()}0`, uuidv7().replaceAll('-', '')]) {
    expect(isUuid(other)).toBe(false);
  }
});
