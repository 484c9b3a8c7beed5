import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

/**
 * A follower in a process of its own, whose connection breaks off again and again. It prints what it is told, a message
 * a line, and `{"cut": n}` for each break, and goes on behind its last cursor until its input is closed.
 */
export interface LiveClientOptions {
  kind: 'socket' | 'sse';
  url: string;
  token: string;
  companyId: string;
  /** Messages after which the connection breaks off, at most. */
  cutWithin: number;
  cuts: number;
}

interface Message {
  cursor: string;
}

class Recorder {
  after = '0';
  private cutsLeft: number;
  private messagesLeft: number;
  private cutsMade = 0;

  constructor(private readonly options: LiveClientOptions) {
    this.cutsLeft = options.cuts;
    this.messagesLeft = this.nextCut();
  }

  /** Answers whether the connection is to break off now. */
  record(message: Message): boolean {
    this.after = message.cursor;
    process.stdout.write(`${JSON.stringify(message)}\n`);
    if (this.cutsLeft === 0 || --this.messagesLeft > 0) return false;
    this.messagesLeft = this.nextCut();
    this.cutsLeft -= 1;
    process.stdout.write(`${JSON.stringify({ cut: ++this.cutsMade })}\n`);
    return true;
  }

  private nextCut(): number {
    return 1 + Math.floor(Math.random() * this.options.cutWithin);
  }
}

interface Breakable {
  ws?: { terminate(): void };
  close(): void;
}

function followSocket({ url, token, companyId }: LiveClientOptions, recorder: Recorder): void {
  const socket = io(`${url}/live`, {
    auth: (give) => give({ token }),
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
  });
  // What a broken connection still brings is no longer listened to, as in a process that has died.
  let connection = 0;
  socket.on('connect', () => {
    const own = ++connection;
    socket.offAny();
    socket.onAny((type: string, message: Message) => {
      if (own !== connection || type === 'live.closed') return;
      if (!recorder.record(message)) return;
      connection += 1;
      const transport = socket.io.engine.transport as unknown as Breakable;
      if (transport.ws) transport.ws.terminate();
      else socket.io.engine.close();
    });
    socket.emit(
      'subscribe',
      { companyId, after: recorder.after, logs: true },
      (answer: { error?: string }) => {
        if (answer.error) throw new Error(`refused: ${JSON.stringify(answer)}`);
      },
    );
  });
}

function followEvents(options: LiveClientOptions, recorder: Recorder): void {
  const { url, token, companyId } = options;
  const headers = {
    accept: 'text/event-stream',
    authorization: `Bearer ${token}`,
    'last-event-id': recorder.after,
  };
  const again = () => setTimeout(() => followEvents(options, recorder), 20);
  const outgoing = request(`${url}/v1/companies/${companyId}/events?logs=true`, { headers }, (incoming) => {
    if (incoming.statusCode !== 200) throw new Error(`refused: ${incoming.statusCode}`);
    let rest = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => {
      const events = (rest + text).split('\n\n');
      rest = events.pop()!;
      for (const event of events) {
        const data = /^id: .*\nevent: .*\ndata: (.*)$/.exec(event)?.[1];
        if (data === undefined || !recorder.record(JSON.parse(data) as Message)) continue;
        incoming.destroy();
        return;
      }
    });
    incoming.once('close', again);
    incoming.on('error', () => undefined);
  });
  outgoing.on('error', again);
  outgoing.end();
}

function main(options: LiveClientOptions): void {
  const recorder = new Recorder(options);
  if (options.kind === 'socket') followSocket(options, recorder);
  else followEvents(options, recorder);
  createInterface(process.stdin).once('close', () => process.exit(0));
}

if (require.main === module) main(JSON.parse(process.argv[2]!) as LiveClientOptions);
