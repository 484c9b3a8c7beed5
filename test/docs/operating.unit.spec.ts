import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricTable } from '../../src/metrics/metric-table';

test('docs/operating.md lists exactly the metrics there are', () => {
  const text = readFileSync(join(__dirname, '..', '..', 'docs', 'operating.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\| (.+) \|$/gm)];
  const listed = rows.map(([, name, kind, labels, help]) => [name, kind, labels!.replaceAll('`', ''), help]);
  const there = Object.entries(metricTable).map(([name, { kind, labels, help }]) => [
    name,
    kind,
    labels.join(', '),
    help,
  ]);
  expect(listed).toEqual(there);
});
