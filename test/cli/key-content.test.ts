import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { loadImages } from '../../src/cli/commands/load.ts';
import { saveImages } from '../../src/cli/commands/save.ts';
import { signImages } from '../../src/cli/commands/sign.ts';
import { verifyLayouts } from '../../src/cli/commands/verify.ts';
import type { Context } from '../../src/cli/context.ts';
import { describeFailure } from '../../src/cli/report-error.ts';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const P256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const P384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const PRIVATE = P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PUBLIC = P256.publicKey.export({ type: 'spki', format: 'pem' }).toString();
/** The shortest key: 48 bytes. */
const ED25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' });
const BROKEN_PUBLIC = PUBLIC.replace(/^M\w{8}/m, 'AAAAAAAAA');

let folder: string;
let layout: string;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  layout = join(folder, 'layout');
  file = join(folder, 'given');
  const made = await Layout.create(layout);
  await made.update((content) => addSample(content, sampleImage(['a']), ['app:1'], {}));
});

function context(env: Context['env']): Context {
  const { signal } = new AbortController();
  return { env, stdin: new PassThrough(), stdout: new PassThrough(), signal, onProgress: () => {} };
}

const JOB = { ...SIGNING_JOB, CI_PROJECT_DIR: '/nowhere', COSIGN_PASSWORD: 'wrong' };
const signing = {
  sign: (key: string) => signImages([layout], { key }, context(JOB)),
  save: (key: string) =>
    saveImages([], { key, sign: true, from: layout, out: join(folder, 'out') }, context(JOB)),
};
const checking = {
  verify: (given: object) => verifyLayouts([layout], given, context({})),
  load: (given: object) =>
    loadImages([layout], { ...given, to: `docker-archive:${join(folder, 'out.tar')}` }, context({})),
};

/** A cosign.key of this document. */
function cosignKey(document: unknown): string {
  return cosignKeyOf(JSON.stringify(document));
}

function cosignKeyOf(text: string): string {
  const body = Buffer.from(text).toString('base64');
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${body}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

describe.each(Object.entries(signing))('%s names the file of a key', (_, run) => {
  test.each([
    ['is empty', '', 'MALFORMED'],
    ['holds another text', 'hello', 'MALFORMED'],
    ['holds the public key', PUBLIC, 'MALFORMED'],
    ['is cut', PRIVATE.slice(0, 90), 'MALFORMED'],
    ['holds a key of another curve', P384.privateKey.export({ type: 'pkcs8', format: 'pem' }), 'UNSUPPORTED'],
    [
      'has another password',
      P256.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' }),
      'USAGE',
    ],
    ['is an incomplete cosign.key', cosignKey({ kdf: {} }), 'MALFORMED'],
  ])('that %s', async (__, text, code) => {
    await writeFile(file, text);
    await expect(run(file)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(new RegExp(`^${file}: `)),
      facts: { path: file },
    });
  });

  test('and quotes nothing of a cosign.key that is malformed', async () => {
    const [nonce, salt] = ['nonce', 'salt'].map((text) => Buffer.from(text).toString('base64'));
    const kdf = { name: 'scrypt', params: { N: 2, r: 1, p: 1 }, salt };
    const cipher = { name: 'nacl/secretbox', nonce };
    await writeFile(file, cosignKey({ kdf, cipher, ciphertext: 'planted?' }));
    await expect(run(file)).rejects.toMatchObject({
      message: `${file}: the encrypted private key: ciphertext: it is not base64`,
    });
  });

  test.each([
    ['is no JSON', `{"kdf":{"name":"scrypt","salt":planted`, ' is not JSON'],
    ['has a key twice', `{"planted":1,"planted":2}`, ' has a key twice, or is nested too deeply'],
    ['has a text for an object', `{"kdf":"planted"}`, ': kdf: it is a text, not an object'],
    [
      'has another word',
      `{"kdf":{"name":"planted","params":{"N":2,"r":1,"p":1},"salt":"AAAA"}}`,
      ': kdf.name: it is a text, not "scrypt"',
    ],
    ['is a text', `"planted"`, ': it is a text, not an object'],
  ])('nor of one that %s, also not by its cause', async (__, text, problem) => {
    await writeFile(file, cosignKeyOf(text));
    const error: unknown = await run(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: `${file}: the encrypted private key${problem}` });
    expect(inspect(error)).not.toContain('planted');
    expect(describeFailure(error).lines.join(' ')).not.toContain('planted');
  });

  test.each([
    ['the key itself', PRIVATE],
    ['the key in base64', Buffer.from(PRIVATE).toString('base64')],
    ['the key in base64, behind a blank', ` ${Buffer.from(PRIVATE).toString('base64')}`],
    ['its lines without the first and the last', PRIVATE.split('\n').slice(1, -2).join('\n')],
    ['its lines as one', PRIVATE.split('\n').slice(1, -2).join('')],
    ['its lines with blanks between them', PRIVATE.split('\n').slice(1, -2).join(' ')],
    ['a short key in base64', ED25519.toString('base64')],
    ['a short key in the base64 of addresses', ED25519.toString('base64url')],
    ['a short key in hexadecimal', ED25519.toString('hex')],
    ['a key that is cut', ED25519.toString('base64').slice(0, 44)],
    ['a cosign.key as JSON', '{"kdf":{"name":"scrypt"}}'],
    ['a cosign.key in base64', Buffer.from('{"kdf":{"name":"scrypt"},"cipher":{}}').toString('base64')],
  ])('but not what is given in its place: %s', async (__, text) => {
    await expect(run(text)).rejects.toMatchObject({
      code: 'USAGE',
      message: 'the private key is given as text, not as the path of a file',
      hint: 'use a variable of type File',
      facts: expect.not.objectContaining({ path: expect.anything() as unknown }) as unknown,
    });
  });

  test.each([
    'cosign.key',
    '/nowhere/keys-of-the-group/keys-of-the-project/private-key',
    './keys/of/the/group/and/of/the/project/key',
  ])('and a path that no file has: %s', async (path) => {
    await expect(run(path)).rejects.toMatchObject({ code: 'NOT_FOUND', facts: { path } });
  });

  test('and reads a file whose name could be a key', async () => {
    const name = ED25519.toString('hex');
    await writeFile(join(folder, name), 'hello');
    const home = process.cwd();
    process.chdir(folder);
    onTestFinished(() => process.chdir(home));
    await expect(run(name)).rejects.toMatchObject({ code: 'MALFORMED', facts: { path: name } });
  });
});

describe.each(Object.entries(checking))('%s names the file', (_, run) => {
  test.each([
    ['of keys that is empty', '', 'the key file contains 0 public keys'],
    ['of keys that holds the private key', PRIVATE, 'the key file contains 0 public keys'],
    ['of keys that are broken', BROKEN_PUBLIC, 'the key file contains an unreadable public key'],
  ])('%s', async (__, text, what) => {
    await writeFile(file, text);
    const error = { code: 'MALFORMED', message: `${file}: ${what}`, facts: { path: file } };
    await expect(run({ key: file })).rejects.toMatchObject(error);
  });

  test.each([
    ['is no JSON', 'hello', /: the trusted root is not JSON/],
    ['names nothing', '{}', /: the trusted root names no authority and no log$/],
    [
      'is of another form',
      '{"tlogs":[{"publicKey":{"rawBytes":"AA=="}}]}',
      /: the trusted root is unreadable$/,
    ],
  ])('of a trusted root that %s, also beside a key', async (__, text, words) => {
    await writeFile(file, text);
    const error = { code: 'MALFORMED', message: expect.stringMatching(words), facts: { path: file } };
    const signer = { identity: ['a'], issuer: 'https://a.example' };
    await expect(run({ trustedRoot: file, ...signer })).rejects.toMatchObject(error);
    await expect(run({ trustedRoot: file, key: PUBLIC })).rejects.toMatchObject(error);
  });

  test('of a key beside a trusted root that is as bad', async () => {
    await writeFile(file, 'hello');
    await expect(run({ trustedRoot: '{}', key: file })).rejects.toMatchObject({ facts: { path: file } });
  });

  test.each(['base64', 'base64url', 'hex'] as const)(
    'but no private key that is given in place of a public one, in %s',
    async (form) => {
      await expect(run({ key: ED25519.toString(form) })).rejects.toMatchObject({
        code: 'USAGE',
        message: 'the public key is given as text, not as the path of a file',
      });
    },
  );

  test('or the option that holds a text', async () => {
    await expect(run({ key: PRIVATE })).rejects.toMatchObject({
      message: '--key: the key file contains 0 public keys',
      facts: { path: undefined },
    });
  });
});
