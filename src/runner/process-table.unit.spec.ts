import { isAlive, listedPids, livingProcess, parseStat, variableOf } from './process-table';

const rest = '1 77 66 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3';

test('the fields of a stat line are counted from the last parenthesis', () => {
  expect(parseStat(42, `42 (evil) S 1 2 (x) S ${rest}\n`)).toEqual({
    pid: 42,
    parent: 1,
    group: 77,
    session: 66,
    startTime: 987654,
    isStopped: false,
  });
  expect(parseStat(42, `42 (sh) T ${rest}\n`)).toMatchObject({ isStopped: true });
});

test.each(['Z', 'X'])('a process in state %s does not live', (state) => {
  expect(parseStat(42, `42 (sh) ${state} ${rest}\n`)).toBeNull();
});

test('a process whose first thread has left lives on in the others', () => {
  const threads = rest.replace(' 20 0 1 0 987654', ' 20 0 3 0 987654');
  expect(parseStat(42, `42 (sh) Z ${threads}\n`)).toMatchObject({ pid: 42, startTime: 987654 });
});

test('this process is found, alive, with its parent', () => {
  const entry = livingProcess(process.pid)!;
  expect(entry).toMatchObject({ pid: process.pid, parent: process.ppid });
  expect(listedPids()).toContain(process.pid);
  expect(variableOf(process.pid, 'PATH')).toBe(process.env.PATH);
  expect(variableOf(process.pid, 'ATH')).toBeNull();
  expect(variableOf(process.pid, 'PATH=')).toBeNull();
});

test('a pid alone is no identity', () => {
  const { startTime } = livingProcess(process.pid)!;
  const identity = { bootId: 'another boot', pid: process.pid, pgid: process.pid, startTime };
  expect(isAlive(identity)).toBe(false);
});
