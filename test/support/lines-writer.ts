import { join } from 'node:path';

/** A program for a thread that writes lines to a file, and answers how many of them went together. */
export const LINES_WRITER = join(__dirname, 'lines-writer.thread');
export const LINES_FILE = 'lines';
/** The thread dies of this line, after it has written it. */
export const DEADLY = 'die';
/** With this file in its folder the thread refuses to open. */
export const CLOSED_SIGN = 'closed';
