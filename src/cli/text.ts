/** How values look to people. */

/**
 * What others have written must not move the cursor or colour the screen, break a line of a table, or show its letters
 * in another order than they have.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ');
}

/** `12s ago`; `-` for null. */
export function ago(at: string | null, nowMs = Date.now()): string {
  if (at === null) return '-';
  const sec = Math.max(0, Math.floor((nowMs - Date.parse(at)) / 1_000));
  if (sec < 60) return `${sec}s ago`;
  if (sec < 3_600) return `${Math.floor(sec / 60)}m ago`;
  if (sec < 86_400) return `${Math.floor(sec / 3_600)}h ago`;
  return `${Math.floor(sec / 86_400)}d ago`;
}

/** From one time to another, or to now: `0.8s`, `42s`, `3m07s`, `2h05m`; `-` where it has not begun. */
export function took(from: string | null, to: string | null, nowMs = Date.now()): string {
  if (from === null) return '-';
  const ms = Math.max(0, (to === null ? nowMs : Date.parse(to)) - Date.parse(from));
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)}s`;
  const sec = Math.round(ms / 1_000);
  if (sec < 60) return `${sec}s`;
  const [minutes, hours] = [Math.floor(sec / 60), Math.floor(sec / 3_600)];
  return hours > 0 ? `${hours}h${twoDigits(minutes % 60)}m` : `${minutes}m${twoDigits(sec % 60)}s`;
}

/** Micro-dollars as dollars, with four digits after the point, or six where it takes them; `-` for null. */
export function dollars(micros: number | null): string {
  if (micros === null) return '-';
  return `$${(micros / 1_000_000).toFixed(6).replace(/00$/, '')}`;
}

export function byteCount(bytes: number | null): string {
  if (bytes === null) return '-';
  if (bytes < 1_024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), 4);
  return `${(bytes / 1_024 ** power).toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`;
}

/** Wall clock of here: `14:03:59.120`. */
export function clockTime(at: string): string {
  const date = new Date(at);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits);
  return `${parts.join(':')}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
