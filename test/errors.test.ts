import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../src/errors.ts';
import {
  asError,
  DrayageError,
  firstFailure,
  isAbsentOrDamaged,
  isDamage,
  isDrayageError,
  isError,
  isMismatch,
  isUnusable,
} from '../src/errors.ts';
import { diskError, fileError, isNoFile, systemCode } from '../src/system-error.ts';

const RETRYABLE = {
  USAGE: false,
  AMBIGUOUS: false,
  UNSAFE: false,
  UNREACHABLE: true,
  TIMEOUT: true,
  DENIED: false,
  REFUSED: false,
  LOCKED: true,
  NOT_FOUND: false,
  DIGEST_MISMATCH: false,
  SIZE_MISMATCH: false,
  TRUNCATED: false,
  INCOMPLETE: false,
  MALFORMED: false,
  UNSUPPORTED: false,
  LINK: false,
  DAEMON: false,
  POLICY: false,
  LIMIT: false,
  SIGNING: false,
  IO: false,
} satisfies Record<ErrorCode, boolean>;

const CODES = Object.keys(RETRYABLE).filter((code): code is ErrorCode => code in RETRYABLE);

describe('DrayageError', () => {
  test('is an Error with a name, a code, a message and the facts', () => {
    const error = new DrayageError('NOT_FOUND', 'no image', { path: 'a', candidates: ['b'] });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('DrayageError');
    expect(String(error)).toBe('DrayageError: no image');
    expect(error.code).toBe('NOT_FOUND');
    expect(error.facts).toEqual({ path: 'a', candidates: ['b'] });
  });

  test('its cause is the standard one, and absent where none was given', () => {
    const cause = new Error('below');
    expect(new DrayageError('IO', 'x', { cause }).cause).toBe(cause);
    expect('cause' in new DrayageError('IO', 'x')).toBe(false);
  });

  test('its hint is the one among the facts', () => {
    expect(new DrayageError('IO', 'x', { hint: 'free some space' }).hint).toBe('free some space');
    expect(new DrayageError('IO', 'x').hint).toBeUndefined();
  });

  test('is one in every copy of the library and in every realm', () => {
    const brand = Symbol.for('drayage.error');
    const foreign = Object.assign(new Error('x'), { code: 'IO', facts: {}, [brand]: true });
    expect(isDrayageError(foreign)).toBe(true);
    expect(isDrayageError(foreign, 'IO')).toBe(true);
    expect(isDrayageError(foreign, 'USAGE')).toBe(false);
    expect(isDrayageError(runInNewContext("Object.assign(new Error('x'), { code: 'IO' })"))).toBe(false);
    expect(Object.keys(new DrayageError('IO', 'x')).toSorted()).toEqual(['code', 'facts', 'name']);
  });

  test.each(CODES)('%s is retryable as said above', (code) => {
    expect(new DrayageError(code, 'x').retryable).toBe(RETRYABLE[code]);
  });
});

describe('isDrayageError', () => {
  const error = new DrayageError('LIMIT', 'x');

  test.each([
    ['any code, where none is asked for', error, [], true],
    ['the code asked for', error, ['LIMIT'], true],
    ['one of the codes asked for', error, ['IO', 'LIMIT'], true],
    ['another code', error, ['IO'], false],
    ['an error of another class', new Error('x'), [], false],
    ['an object of the same shape', { code: 'LIMIT', message: 'x' }, ['LIMIT'], false],
    ['undefined', undefined, [], false],
  ] satisfies [string, unknown, ErrorCode[], boolean][])('%s', (_, value, codes, expected) => {
    expect(isDrayageError(value, ...codes)).toBe(expected);
  });
});

test.each([
  ['a system error', Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
  ['an error without a code', new Error('x'), undefined],
  ['an error with a number as its code', Object.assign(new Error('x'), { code: 5 }), undefined],
  ['an object that is no error', { code: 'ENOENT' }, undefined],
  ['null', null, undefined],
  [
    'an error of another realm',
    runInNewContext("Object.assign(new Error('x'), { code: 'ENOENT' })"),
    'ENOENT',
  ],
])('the system code of %s', (_, error, code) => {
  expect(systemCode(error)).toBe(code);
});

test.each([
  [new Error('x'), true],
  [new TypeError('x'), true],
  [new DrayageError('IO', 'x'), true],
  [new DOMException('x'), true],
  [runInNewContext("new RangeError('x')"), true],
  [{ name: 'Error', message: 'x' }, false],
  ['x', false],
  [undefined, false],
])('whether %s is an error, of whatever realm: %s', (value, expected) => {
  expect(isError(value)).toBe(expected);
});

describe('what an error says of content', () => {
  const MISMATCH: ErrorCode[] = ['DIGEST_MISMATCH', 'SIZE_MISMATCH'];
  const DAMAGE: ErrorCode[] = [...MISMATCH, 'TRUNCATED', 'INCOMPLETE', 'MALFORMED'];

  test.each<[string, (error: unknown) => boolean, ErrorCode[]]>([
    ['isMismatch', isMismatch, MISMATCH],
    ['isDamage', isDamage, DAMAGE],
    ['isAbsentOrDamaged', isAbsentOrDamaged, [...DAMAGE, 'NOT_FOUND']],
    ['isUnusable', isUnusable, [...DAMAGE, 'NOT_FOUND', 'UNSUPPORTED']],
  ])('%s knows its codes, and no other error', (_, says, codes) => {
    const found = CODES.filter((code) => says(new DrayageError(code, 'a')));
    expect(found.toSorted()).toEqual(codes.toSorted());
    expect(says(new Error('a'))).toBe(false);
    expect(says(undefined)).toBe(false);
  });
});

function refused(code: string): Error {
  return Object.assign(new Error('refused'), { code });
}

describe('an error of the file system', () => {
  test.each([
    ['ENOSPC', 'no space left on the device'],
    ['EDQUOT', 'the disk quota is used up'],
    ['EACCES', 'permission denied'],
    ['EPERM', 'not permitted'],
    ['EROFS', 'the file system is read-only'],
    ['EXDEV', 'the two places are on different file systems or mounts'],
    ['EIO', 'the device failed'],
    ['ENXIO', 'it is a socket or an absent device'],
    ['ENOENT', 'no such file or folder'],
    ['ENOTDIR', 'a part of the path is not a folder'],
    ['EISDIR', 'it is a folder'],
    ['ELOOP', 'too many symbolic links'],
    ['ENAMETOOLONG', 'the path is too long'],
    ['EEXIST', 'something is there already'],
    ['ENOTEMPTY', 'the folder is not empty'],
    ['EBUSY', 'it is in use'],
    ['EMFILE', 'too many open files'],
    ['ENFILE', 'too many open files'],
    ['ENOTSUP', 'the file system does not support that'],
    ['ESTALE', 'the network file system has lost it'],
  ])('%s is put into words: %s', (code, words) => {
    const cause = refused(code);
    const error = diskError(cause, 'cannot write', { path: 'file' });
    const message = `cannot write: ${words} (${code})`;
    expect(error).toMatchObject({ code: 'IO', message, cause, facts: { path: 'file', actual: code } });
  });

  test('of a code without words has those of Node, if it has any', async () => {
    const cause = Object.assign(new Error('ETXTBSY: text file is busy, open'), { code: 'ETXTBSY' });
    expect(diskError(cause, 'cannot write')).toMatchObject({
      message: 'cannot write: text file is busy (ETXTBSY)',
    });
    expect(diskError(refused('EBADF'), 'cannot read')).toMatchObject({ message: 'cannot read: EBADF' });
  });

  test.each(['ENOENT', 'ENOTDIR'])('that somebody has named is not found: %s', (code) => {
    expect(fileError(refused(code), 'cannot read')).toMatchObject({ code: 'NOT_FOUND' });
    expect(fileError(refused('EACCES'), 'cannot read')).toMatchObject({ code: 'IO' });
  });

  test.each([[new DrayageError('LIMIT', 'too large')], [new Error('other')], ['text']])(
    'any other failure stays as it is: %s',
    (error) => {
      expect(diskError(error, 'cannot write')).toBe(error);
    },
  );

  test('is told from the absence of a file', () => {
    const absent = ['ENOENT', 'ENOTDIR', 'EACCES', 'EIO'].filter((code) => isNoFile(refused(code)));
    expect(absent).toEqual(['ENOENT', 'ENOTDIR']);
  });
});

test('whatever was thrown becomes an error, which an error is already', () => {
  const error = new Error('broken');
  expect(asError(error)).toBe(error);
  expect(asError('broken')).toMatchObject({ message: 'broken', cause: 'broken' });
});

const failing = (message: string): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => {
    throw new Error(message);
  },
});

async function failClosing(name: string, work: () => Promise<void>): Promise<void> {
  await using _ = failing(name);
  await work();
}

async function failTwiceAfterwards(): Promise<void> {
  await failClosing('outer', async () =>
    failClosing('inner', async () => {
      throw new DrayageError('LINK', 'it is a link');
    }),
  );
}

test('the error of the work is the one that counts, whatever fails while it is closed', async () => {
  const thrown = await failTwiceAfterwards().catch((error: unknown) => error);
  expect(thrown).not.toBeInstanceOf(DrayageError);
  expect(firstFailure(thrown)).toMatchObject({ code: 'LINK', message: 'it is a link' });
  const alone = new DrayageError('IO', 'alone');
  expect(firstFailure(alone)).toBe(alone);
  expect(firstFailure('text')).toBe('text');
});
