// A nameserver on loopback, over UDP. It knows the names that it was given, denies the others, and can be silent about some or all of them.
import type { RemoteInfo } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { isIPv4 } from 'node:net';

export interface Nameserver extends AsyncDisposable {
  /** As the resolver wants it, `address:port`. */
  address: string;
  /** Every question so far, as `A name` or `AAAA name`; a repeated one again. */
  questions: readonly string[];
  /** Resolves when so many different names were asked for. */
  asked(names: number): Promise<void>;
}

export interface NameserverOptions {
  /** Addresses of both families by name. */
  names?: Readonly<Record<string, readonly string[]>>;
  /** Questions about such names are never answered. */
  isSilent?: (name: string) => boolean;
  /** Questions about such names are answered with "server failure". */
  isBroken?: (name: string) => boolean;
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' };
const HEADER_BYTES = 12;
const ANSWER_FLAGS = 0x8180;
const SERVER_FAILURE = 2;
const NO_SUCH_NAME = 3;

export async function startNameserver({
  names = {},
  isSilent = () => false,
  isBroken = () => false,
}: NameserverOptions = {}): Promise<Nameserver> {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  const heard = new EventEmitter<{ question: [] }>();
  socket.on('message', (query, { port, address }: RemoteInfo) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${type} ${name}`);
    heard.emit('question');
    if (isSilent(name)) return;
    const code = isBroken(name) ? SERVER_FAILURE : names[name] === undefined ? NO_SUCH_NAME : 0;
    const known = code === 0 ? (names[name] ?? []) : [];
    const addresses = known.filter((each) => (type === 'A') === isIPv4(each));
    socket.send(writeAnswer(query.subarray(0, end), code, addresses), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const namesAsked = () => new Set(questions.map((question) => question.split(' ')[1])).size;
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    asked: async (wanted) => {
      while (namesAsked() < wanted) await once(heard, 'question');
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

function readQuestion(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  return { name: labels.join('.').toLowerCase(), type: TYPES[type] ?? String(type), end: at + 5 };
}

/** The question again, and a record for each address that points back at its name. */
function writeAnswer(question: Buffer, code: number, addresses: readonly string[]): Buffer {
  const header = Buffer.from(question.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(ANSWER_FLAGS | code, 2);
  header.writeUInt16BE(addresses.length, 6);
  header.fill(0, 8);
  const records = addresses.map((address) => {
    const data = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
    const record = Buffer.from([
      0xc0,
      HEADER_BYTES,
      0,
      isIPv4(address) ? 1 : 28,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      data.length,
    ]);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, question.subarray(HEADER_BYTES), ...records]);
}

function ipv6Bytes(address: string): Buffer {
  const [left = '', right = ''] = address.split('::');
  const [before, after] = [left, right].map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...(before ?? []), ...Array(8).fill('0'), ...(after ?? [])];
  groups.splice((before ?? []).length, groups.length - 8);
  const bytes = Buffer.alloc(16);
  for (const [n, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), n * 2);
  return bytes;
}
