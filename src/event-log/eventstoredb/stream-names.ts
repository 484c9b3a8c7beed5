import { categoryOf } from '../../kernel/streams';
import type { FollowOptions } from '../event-log';

/**
 * What streams are called on a server that several installations, and other programs, may share: the name with the
 * namespace before it. The server's own streams begin with a `$`, which no namespace does.
 */
export class StreamNames {
  private readonly prefix: string;

  constructor(namespace: string) {
    this.prefix = namespace === '' ? '' : `${namespace}:`;
  }

  write(stream: string): string {
    return `${this.prefix}${stream}`;
  }

  /** null where the stream is not one of this installation. */
  read(name: string): string | null {
    if (name.startsWith('$') || !name.startsWith(this.prefix)) return null;
    const stream = name.slice(this.prefix.length);
    // Without a namespace the streams of all others are met: theirs have a colon, which none of ours has.
    return stream.includes(':') || stream.indexOf('-') <= 0 ? null : stream;
  }

  /** Whether the stream is ours, and of a category that is wanted. */
  passes(name: string, categories: FollowOptions['categories']): boolean {
    const stream = this.read(name);
    if (stream === null) return false;
    if (!categories) return true;
    const category = categoryOf(stream);
    return 'only' in categories ? categories.only.includes(category) : !categories.except.includes(category);
  }

  /** The same for the server, which may let more through, but nothing less. Categories are plain words. */
  filter(categories: FollowOptions['categories']): string {
    const prefix = this.prefix.replaceAll('.', '\\.');
    if (!categories) return `^(?!\\$)${prefix}`;
    if ('only' in categories) return `^${prefix}(${['\\$none', ...categories.only].join('|')})-`;
    return `^(?!${['\\$', ...categories.except.map((name) => `${prefix}${name}-`)].join('|')})${prefix}`;
  }
}
