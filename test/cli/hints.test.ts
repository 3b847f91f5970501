import { expect, test } from 'vitest';
import { hintOf } from '../../src/cli/hints.ts';
import type { ErrorFacts, ErrorReason } from '../../src/errors.ts';

const COMMIT = 'b'.repeat(40);

test.each<[ErrorReason, ErrorFacts, string]>([
  ['NO_IMAGE_GIVEN', {}, 'drayage save IMAGE…, --iidfile, --metadata-file or --from'],
  ['SEVERAL_IMAGES', { hint: 'choose one' }, 'choose one with --image'],
  ['TWO_IMAGES', { hint: 'choose it by its digest' }, 'choose it by its digest with --image'],
  ['NO_IMAGE', {}, 'drayage inspect lists the images'],
  [
    'OMITTED_DIFFER',
    { hint: 'complete them before' },
    'complete them first: drayage fetch --complete LAYOUT; or save all of them with the same --thin and --base',
  ],
  ['BASE_UNREACHABLE', { hint: 'look at base:1' }, 'look at base:1, or save with --thin never'],
  ['EXPANSION', { hint: 'allow more' }, 'allow more: --max-expansion 8GB'],
  ['LAYOUT_SIZE', { hint: 'the largest is x' }, 'the largest is x; a stronger --level makes it smaller'],
  [
    'NO_CODEC',
    { hint: 'use Node 22.15 or newer, or gzip' },
    'use Node 22.15 or newer, or gzip: --compress gzip',
  ],
  [
    'OTHER_ORIGIN',
    { accepting: { pipeline: ['4710'], commit: [COMMIT] } },
    `if that is the image you mean: --expect pipeline=4710 --expect commit=${COMMIT}`,
  ],
  [
    'OTHER_REVISION',
    { accepting: { commit: ['a', 'b'] } },
    "build it again; if the label is the base image's, set it in the Dockerfile, or accept it: --expect commit=a,b",
  ],
  [
    'OTHER_JOB',
    { accepting: { 'job-id': ['124'] } },
    'sign in the job that builds; if this job should vouch for it: --expect job-id=124',
  ],
  ['UNSEALED', { hint: 'name those' }, 'name those: --image NAME'],
  [
    'REPORT_SIZE',
    { hint: 'save them in several jobs' },
    'save them in several jobs, or let jobs use drayage load --dotenv',
  ],
  ['VARIABLE_CHOICE', { name: 'APP' }, 'say which: --env APP=IMAGE'],
  [
    'VARIABLE_CLASH',
    { candidates: ['app:1', 'app:debug'] },
    "name the second one's variable: --env KEY=app:debug",
  ],
  ['TAG_TAKEN', { hint: 'choose another tag' }, 'choose another tag, or omit --if-absent to move it'],
  ['UNKNOWN_AUTHORITY', {}, 'name the certificate authority by --ca FILE or CI_SERVER_TLS_CA_FILE'],
  ['TOKEN_MISSING', { hint: 'x' }, 'x; elsewhere set DRAYAGE_GITLAB_TOKEN (scope read_api)'],
  ['TOKEN_INVALID', { hint: 'x' }, 'x, and DRAYAGE_GITLAB_TOKEN may have expired'],
  ['TOKEN_FORBIDDEN', { hint: 'x' }, 'x; or set DRAYAGE_GITLAB_TOKEN'],
  [
    'JOB_TOKEN_CANNOT_LIST',
    { hint: 'say needs: [build]' },
    'name the job by --job-id; or set DRAYAGE_GITLAB_TOKEN (scope read_api), since this GitLab does not let a job token list jobs; or say needs: [build]',
  ],
  [
    'TOKEN_CANNOT_LIST',
    { hint: 'say needs: [build]' },
    'name the job by --job-id; or give DRAYAGE_GITLAB_TOKEN the scope read_api and a role in the project; or say needs: [build]',
  ],
  ['JOB_CHOICE', { candidates: ['build 1/2', 'build 2/2'] }, "choose one: --job 'build 1/2'"],
  ['DAEMON_ADDRESS', { hint: 'set DOCKER_HOST' }, 'set DOCKER_HOST (or --host)'],
  ['UNPROVEN_TIME', { hint: 'name a log' }, 'name a log: --rekor-url, --tsa-url'],
  ['LOG_SERVICE', { hint: 'check its address' }, 'check --rekor-url'],
  ['TIMESTAMP_SERVICE', { hint: 'check its address' }, 'check --tsa-url'],
  [
    'UNSIGNED',
    { hint: 'sign it' },
    'sign it in the job that builds it: drayage save --sign, or drayage sign; copies must include the referrers',
  ],
  [
    'NAME',
    { accepting: { name: ['app:1', 'other:1'] } },
    'if the name is intended: --expect name=app:1,other:1',
  ],
  ['MERGE_REQUEST', { hint: 'expect its commit' }, 'expect its commit: --expect commit=SHA'],
  ['PROJECT', { hint: 'say which project' }, 'say which project: --expect project=GROUP/PROJECT'],
])('%s is told in words of the command line', (reason, facts, hint) => {
  expect(hintOf({ ...facts, reason })).toBe(hint);
});

test('an expectation is quoted for the shell', () => {
  const accepting = { project: 'any', ref: ["it's $x"] } as const;
  expect(hintOf({ reason: 'NAME', accepting })).toBe(
    String.raw`if the name is intended: --expect project=any --expect 'ref=it'\''s $x'`,
  );
});

/** Values that would accept more than themselves, or that people cannot see. */
const UNWRITABLE = [
  ['any'],
  ['a', 'any'],
  ['build: [linux, amd64]'],
  ['a,b'],
  ['x commit=any'],
  ['x none'],
  ['x\tnone'],
  [' x'],
  [''],
  [],
  ['x\u001b[2J'],
  ['x\u009b31m'],
  ['x\u202egnp'],
  ['x\r\nsection_start:1:x'],
];

test.each(UNWRITABLE)('no option is proposed that would accept %j', (...values) => {
  const accepting = { pipeline: ['4710'], commit: values };
  expect(hintOf({ reason: 'OTHER_ORIGIN', accepting })).toBeUndefined();
  expect(hintOf({ reason: 'NAME', accepting })).toBeUndefined();
  expect(hintOf({ reason: 'OTHER_JOB', accepting })).toBe('sign in the job that builds');
  expect(hintOf({ reason: 'OTHER_REVISION', accepting })).toBe(
    "build it again; if the label is the base image's, set it in the Dockerfile",
  );
});

test.each<[ErrorReason, (name: string) => ErrorFacts, string]>([
  ['JOB_CHOICE', (name) => ({ candidates: [name] }), 'choose one: --job'],
  [
    'VARIABLE_CLASH',
    (name) => ({ candidates: ['app:1', name] }),
    "name the second one's variable: --env KEY=",
  ],
])('%s quotes a name for the shell, and proposes none that people cannot see', (reason, facts, words) => {
  const hint = hintOf({ ...facts('$(touch /tmp/x)'), reason });
  expect(hint?.replace(' KEY= ', ' KEY=')).toBe(`${words}${words.endsWith('=') ? '' : ' '}'$(touch /tmp/x)'`);
  expect(hintOf({ ...facts('a\u0007b'), reason })).toBeUndefined();
});

test('a hint without a reason, or with one that has no words, stays as it is', () => {
  expect(hintOf({ hint: 'try again' })).toBe('try again');
  expect(hintOf({ hint: 'try again', reason: 'CHECKPOINT' })).toBe('try again');
});

test('what differs from an expected project is no reason to name one', () => {
  expect(hintOf({ reason: 'PROJECT', expected: 'group/app' })).toBeUndefined();
});

test.each([
  ['ENOSPC', 'free some space and try again'],
  ['EDQUOT', 'free some space and try again'],
  ['EACCES', 'change the permissions, or run as a user who has them'],
  ['EPERM', 'change the permissions, or run as a user who has them'],
  ['EROFS', 'name a place on another file system'],
  ['EXDEV', 'name places on the same one'],
  ['EIO', 'check the device: the log of the system says more'],
  ['ENXIO', 'name another place'],
  ['ENODEV', 'name another place'],
  ['ELOOP', 'name what the links lead to'],
  ['ENAMETOOLONG', 'name a shorter one'],
  ['EEXIST', 'name another place'],
  ['ENOTEMPTY', 'name another place'],
  ['EBUSY', 'try again when nothing uses it'],
  ['ETXTBSY', 'try again when it has ended'],
  ['EMFILE', 'raise the limit of this process: ulimit -n 4096'],
  ['ENFILE', 'the limit is that of the whole system: end other processes, or raise it'],
  ['EFBIG', 'see ulimit -f, or name another place'],
  ['ENOTSUP', 'name another place'],
  ['EOPNOTSUPP', 'name another place'],
  ['ESTALE', 'try again'],
  ['ENOENT', undefined],
  ['EISDIR', undefined],
  ['constructor', undefined],
])('what to do about %s: %s', (code, hint) => {
  expect(hintOf({ actual: code })).toBe(hint);
});

test('the hint of the place that failed comes before that for the code, which is for files only', () => {
  expect(hintOf({ actual: 'ENOSPC', hint: 'mend it' })).toBe('mend it');
  expect(hintOf({ actual: 'EACCES', url: 'https://registry.example/' })).toBeUndefined();
});
