import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeReasons, livePayloads } from '../../src/live/live-events';

describe('docs/live.md', () => {
  const text = readFileSync(join(__dirname, '..', '..', 'docs', 'live.md'), 'utf8');

  it('lists exactly the events there are, with their fields', () => {
    const rows = [...text.matchAll(/^\| `([\w.]+\.[\w.]+)` \| (.*) \| (.+) \|$/gm)];
    const events = Object.entries(livePayloads).map(([type, schema]) => [
      type,
      Object.keys(schema.shape).join(', '),
      schema.description,
    ]);
    expect(rows.map(([, type, fields, tells]) => [type, fields, tells])).toEqual(events);
  });

  it('lists exactly the reasons for which a stream ends', () => {
    const rows = [...text.matchAll(/^\| `(\w+_\w+|internal)` \| (.+) \|$/gm)].map(([, reason, meaning]) => [
      reason,
      meaning,
    ]);
    expect(rows).toEqual(Object.entries(closeReasons));
  });
});
