import { LruMap } from './lru-map';

describe('LruMap', () => {
  it('holds as many as it may at most, and at least the half used last', () => {
    const map = new LruMap<number, number>(10);
    for (let key = 0; key < 1_000; key += 1) {
      map.set(key, key);
      const held = Array.from({ length: key + 1 }, (_, known) => known).filter((known) => holds(map, known));
      expect(held.length).toBeLessThanOrEqual(10);
      expect(held.slice(-Math.min(5, key + 1))).toEqual(
        Array.from({ length: key + 1 }, (_, known) => known).slice(-5),
      );
    }
  });

  it('keeps what is used again and again', () => {
    const map = new LruMap<string, number>(10);
    map.set('used', 1);
    for (let key = 0; key < 1_000; key += 1) {
      map.set(`other ${key}`, key);
      expect(map.get('used')).toBe(1);
    }
  });

  it('replaces a value without forgetting another, and forgets what it is told to', () => {
    const map = new LruMap<string, number>(4);
    map.set('a', 1);
    map.set('b', 2);
    map.set('b', 3);
    expect([map.get('a'), map.get('b')]).toEqual([1, 3]);
    map.delete('a');
    expect([map.get('a'), map.get('b')]).toEqual([undefined, 3]);
    map.clear();
    expect(map.get('b')).toBeUndefined();
  });
});

/** Without using it. */
function holds(map: LruMap<number, number>, key: number): boolean {
  const { young, old } = map as unknown as Record<'young' | 'old', Map<number, number>>;
  return young.has(key) || old.has(key);
}
