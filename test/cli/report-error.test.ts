import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { examine } from '../../src/cli/doctor/check.ts';
import { Interruption } from '../../src/cli/interruption.ts';
import { describeFailure } from '../../src/cli/report-error.ts';
import { DrayageError } from '../../src/errors.ts';

test('an error is a line, its hint another, and its facts fields', () => {
  const error = new DrayageError('NOT_FOUND', 'no image "temp"', {
    hint: 'name another',
    candidates: ['tmp:1'],
    cause: new Error('underneath'),
  });
  expect(describeFailure(error)).toEqual({
    exitCode: 4,
    lines: ['no image "temp" (underneath)', 'name another'],
    json: {
      error: {
        code: 'NOT_FOUND',
        message: 'no image "temp"',
        retryable: false,
        hint: 'name another',
        candidates: ['tmp:1'],
      },
    },
  });
});

test('a cause that the message tells already is not told again', () => {
  const error = new DrayageError('IO', 'cannot write: disk full', { cause: new Error('disk full') });
  expect(describeFailure(error).lines).toEqual(['cannot write: disk full']);
});

test('a system error whose code is in the message is not told again', () => {
  const cause = Object.assign(new Error("ENOENT: no such file or directory, open 'a.tar.b88a.partial'"), {
    code: 'ENOENT',
  });
  const error = new DrayageError('IO', 'cannot write a.tar: no such file or folder (ENOENT)', {
    actual: 'ENOENT',
    cause,
  });
  expect(describeFailure(error).lines).toEqual(['cannot write a.tar: no such file or folder (ENOENT)']);
});

test.each([
  ['EACCES', 'permission denied', 'change the permissions, or run as a user who has them'],
  ['EROFS', 'the file system is read-only', 'name a place on another file system'],
  ['EMFILE', 'too many open files', 'raise the limit of this process: ulimit -n 4096'],
  ['ENAMETOOLONG', 'the path is too long', 'name a shorter one'],
])('a system error that caused another is told in words, with what to do: %s', async (code, words, hint) => {
  const cause = Object.assign(new Error(`${code}: words of node, open 'a'`), { code, syscall: 'open' });
  const error = new DrayageError('IO', 'a is not writable', { cause });
  expect(describeFailure(error).lines).toEqual([`a is not writable (${words} (${code}))`, hint]);
  const check = await examine('layout', 'fail', () => Promise.reject(error));
  expect(check).toMatchObject({ message: `a is not writable (${words} (${code}))`, hint });
  const raw = await examine('layout', 'fail', () => Promise.reject(cause));
  expect(raw).toMatchObject({ code: 'IO', message: `open failed: ${words} (${code})`, hint });
});

test('what is not reachable may be tried again', () => {
  const { exitCode, json } = describeFailure(new DrayageError('UNREACHABLE', 'no daemon'));
  expect(exitCode).toBe(3);
  expect(json.error['retryable']).toBe(true);
});

test('a message of several lines becomes one', () => {
  const error = new DrayageError('DAEMON', 'first\r\nsecond', { hint: 'a\tb\n' });
  expect(describeFailure(error).lines).toEqual(['first second', 'a b']);
});

test.each([
  [new Interruption('SIGINT'), 130, 'INTERRUPTED', 'interrupted'],
  [new Interruption('SIGTERM'), 143, 'INTERRUPTED', 'terminated'],
  [new TypeError('a bug'), 1, 'INTERNAL', 'a bug'],
  ['a string', 1, 'INTERNAL', 'a string'],
])('%s ends the run with %d', (error, exitCode, code, message) => {
  expect(describeFailure(error)).toEqual({
    exitCode,
    lines: [message],
    json: { error: { code, message, retryable: false } },
  });
});

test.each([
  ['SIGINT' as const, 130],
  ['SIGTERM' as const, 143],
])('%s in a call of Node that it aborts ends the run with %d', async (signal, exitCode) => {
  const controller = new AbortController();
  const bytes = new Readable({ read: () => controller.abort(new Interruption(signal)) });
  const aborted = pipeline(bytes, new PassThrough(), { signal: controller.signal });
  const error: unknown = await aborted.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(describeFailure(error)).toMatchObject({ exitCode, json: { error: { code: 'INTERRUPTED' } } });
});

test('an abort that no signal of the process caused is none', () => {
  const error = Object.assign(new Error('aborted'), { name: 'AbortError', cause: new Error('why') });
  expect(describeFailure(error)).toMatchObject({ exitCode: 1, json: { error: { code: 'INTERNAL' } } });
});

test('a mistake in the arguments says where to look them up', () => {
  const error = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'");
  expect(describeFailure(error)).toMatchObject({
    exitCode: 2,
    lines: ["unknown option '--x'", 'see drayage --help'],
    json: { error: { code: 'USAGE', message: "unknown option '--x'" } },
  });
  expect(describeFailure(error, 'save').lines).toEqual(["unknown option '--x'", 'see drayage save --help']);
});

test('the value of an option is told without a login', () => {
  const text =
    "error: option '--plain-http <host>' argument 'user:password@host' is invalid. It must be a host.";
  const error = new CommanderError(1, 'commander.invalidArgument', text);
  expect(describeFailure(error).lines[0]).toBe(
    "option '--plain-http <host>' argument '…@host' is invalid. It must be a host.",
  );
});

test('neither the text nor the facts of an error have the credentials of a host without a scheme', () => {
  const error = new DrayageError('DAEMON', 'proxy u:p@host', { actual: 'u:p@host', hint: 'ask u:p@host' });
  expect(describeFailure(error).json.error).toMatchObject({
    message: 'proxy host',
    actual: 'host',
    hint: 'ask host',
  });
});
