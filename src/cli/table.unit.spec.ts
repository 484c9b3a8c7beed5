import { detailLines, tableLines } from './table';

const columns = [
  { title: 'NAME', of: ([name]: readonly string[]) => name! },
  { title: 'N', of: ([, count]: readonly string[]) => count!, alignsRight: true },
  { title: 'NOTE', of: ([, , note]: readonly string[]) => note! },
];

test('columns are as wide as their widest cell, and lines have no blanks at their end', () => {
  const rows = [
    ['a', '100', ''],
    ['grüße', '7', 'two\nlines'],
  ];
  expect(tableLines(columns, rows)).toEqual(['NAME     N  NOTE', 'a      100', 'grüße    7  two lines']);
});

test('without rows there are the titles', () => {
  expect(tableLines(columns, [])).toEqual(['NAME  N  NOTE']);
});

test('details that are null are left out', () => {
  expect(detailLines({ id: '1', 'external key': null, status: 'idle' })).toEqual([
    'id      1',
    'status  idle',
  ]);
});
