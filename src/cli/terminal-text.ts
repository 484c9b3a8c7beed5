const CONTROL_PICTURES = 0x2400;
const PICTURE_OF_DELETE = 0x2421;
const REPLACEMENT = '\uFFFD';
/** Colours and the like: they change how letters look, and nothing else. */
const COLOUR = String.raw`\x1b\[[0-9;:]{0,60}m`;
/** C1 in UTF-8, of which a terminal may take each for a sequence of its own. */
const C1 = String.raw`\xc2[\x80-\x9f]`;
const UNSAFE = new RegExp(String.raw`${COLOUR}|${C1}|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]`, 'g');
/** What follows decides about it. */
const UNDECIDED = new RegExp(String.raw`(?:\x1b(?:\[[0-9;:]{0,60})?|\xc2)$`);

/**
 * Makes of what an agent has written what may be shown on a terminal: it must not move the cursor, write to the
 * clipboard, change the title or answer in the place of whoever sits there. Lines, tabs and colours stay; the rest is
 * shown as pictures of control characters. Bytes come in pieces, which may end anywhere.
 */
export class TerminalText {
  private held = '';

  push(bytes: Uint8Array): Buffer {
    const text = this.held + Buffer.from(bytes).toString('latin1');
    this.held = UNDECIDED.exec(text)?.[0] ?? '';
    return shown(text.slice(0, text.length - this.held.length));
  }

  /** What was held back: nothing follows. */
  flush(): Buffer {
    const rest = this.held;
    this.held = '';
    return shown(rest);
  }
}

function shown(bytes: string): Buffer {
  return Buffer.from(bytes.replace(UNSAFE, pictureOf), 'latin1');
}

/** @returns bytes, as `latin1` writes them */
function pictureOf(unsafe: string): string {
  if (unsafe.endsWith('m') && unsafe.length > 1) return unsafe;
  const code = unsafe.charCodeAt(0);
  return Buffer.from(unsafe.length > 1 ? REPLACEMENT : pictureOfControl(code)).toString('latin1');
}

function pictureOfControl(code: number): string {
  return String.fromCharCode(code === 0x7f ? PICTURE_OF_DELETE : CONTROL_PICTURES + code);
}
