import { differingFields } from './differing-fields';

test.each<[unknown, unknown, string[]]>([
  [{ a: 1, b: { c: [1, 2] } }, { b: { c: [1, 2] }, a: 1 }, []],
  [{ a: 1, b: 2 }, { a: 1, b: 3 }, ['b']],
  [{ logs: { out: { bytes: 1 } } }, { logs: { out: { bytes: 2 } } }, ['logs.out.bytes']],
  [{ ids: ['x', 'y'] }, { ids: ['x', 'z', 'w'] }, ['ids.1', 'ids.2']],
  [{ a: null }, {}, ['a']],
  [{}, { a: null }, ['a']],
  [{ a: null }, { a: { b: 1 } }, ['a']],
  [{ a: [] }, { a: {} }, ['a']],
  [{ a: '1' }, { a: 1 }, ['a']],
])('%j and %j differ in %j', (a, b, fields) => {
  expect(differingFields(a, b)).toEqual(fields);
});

test('at most twenty are named', () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, n]));
  expect(differingFields(many, {})).toHaveLength(20);
  expect(differingFields(many, Object.fromEntries(Object.keys(many).map((key) => [key, 'x'])))).toHaveLength(
    20,
  );
});
