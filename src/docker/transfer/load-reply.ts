import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { parseJson } from '../../oci/json.ts';
import { oneLine } from '../connect/reply.ts';

const DEPTH = 'docker takes 127 layers at most: let fewer instructions of the Dockerfile make layers';

/** The longest line that is read, in bytes. */
const MAX_LINE_LENGTH = 1024 * 1024;

const lineSchema = v.looseObject({
  stream: v.nullish(v.string()),
  error: v.nullish(v.string()),
  errorDetail: v.nullish(v.looseObject({ message: v.nullish(v.string()) })),
});

/**
 * Reads a daemon's reply to a load, to the end: lines of JSON, with status 200 even if it failed. A store may report
 * that the image is loaded and then that it cannot be unpacked, so no single line means success.
 * @returns what it reports as loaded: names, or IDs of unnamed images; empty if it reports an image without either
 * @throws {@link DrayageError} `DAEMON` if it reports an error, or reports no image; its message is `facts.actual`
 */
export async function readLoadReply(body: AsyncIterable<Uint8Array>): Promise<string[]> {
  const loaded: string[] = [];
  let isReported = false;
  let failure: string | undefined;
  let last = '';
  for await (const line of lines(body)) {
    const message = readLine(line);
    last = message.text || last;
    const names = loadedIn(message.text);
    isReported ||= names !== undefined;
    loaded.push(...(names ?? []));
    if (message.failed) failure ??= message.text;
  }
  if (failure !== undefined) {
    const actual = oneLine(failure);
    throw new DrayageError('DAEMON', `docker could not load the image: ${actual}`, {
      actual,
      hint: /max depth exceeded/i.test(actual) ? DEPTH : undefined,
    });
  }
  if (isReported) return loaded;
  const said = last === '' ? 'it says nothing' : `it says ${oneLine(last)}`;
  throw new DrayageError('DAEMON', `docker does not report that it loaded the image: ${said}`);
}

/** `Loaded image: app:1`, `Loaded image ID: sha256:…`, or all at once after `Loaded image(s): `; undefined for other texts. */
function loadedIn(text: string): string[] | undefined {
  const [, list] = /^Loaded image[^:]*: *(.*)/.exec(text) ?? [];
  return list
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function readLine(line: string): { text: string; failed: boolean } {
  let value: unknown;
  try {
    value = parseJson(Buffer.from(line), 'a line');
  } catch {
    return { text: line, failed: true };
  }
  const message = v.safeParse(lineSchema, value);
  if (!message.success) return { text: line, failed: true };
  const { stream, error, errorDetail } = message.output;
  const problem = errorDetail?.message ?? error;
  if (problem !== undefined && problem !== null) return { text: problem, failed: true };
  const text = stream ?? '';
  return { text, failed: /error unpacking image/i.test(text) };
}

/** The lines that are not empty, however the chunks are cut. */
async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield* nonEmpty(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
    if (rest.length > MAX_LINE_LENGTH) {
      throw new DrayageError('DAEMON', `docker answers with a line of over ${MAX_LINE_LENGTH} bytes`);
    }
  }
  yield* nonEmpty(rest);
}

function* nonEmpty(bytes: Buffer): Generator<string, void, undefined> {
  const line = bytes.toString('utf8').trim();
  if (line !== '') yield line;
}
