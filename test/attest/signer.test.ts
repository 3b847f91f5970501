import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readIdentityToken } from '../../src/attest/identity-token.ts';
import type { KeylessOptions } from '../../src/attest/signer.ts';
import { keylessSigner, keySigner } from '../../src/attest/signer.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import { verifyBundle } from '../../src/attest/verify-bundle.ts';
import type { ContentOptions } from '../../src/content/source.ts';
import type { DrayageError, ErrorCode } from '../../src/errors.ts';
import type { ServiceFault, ServiceName } from '../support/fake-sigstore.ts';
import { FakeSigstore, identityToken } from '../support/fake-sigstore.ts';
import type { Loose } from './bundles.ts';
import { DIGEST, expected, keyless, keyPair, statement } from './bundles.ts';

const TOKEN = identityToken();
const SECRETS = [TOKEN, ...TOKEN.split('.')];
const SERVICES: readonly ServiceName[] = ['fulcio', 'rekor', 'tsa'];

let fake: FakeSigstore;
beforeAll(async () => {
  fake = await FakeSigstore.start();
});
afterAll(() => fake.close());
beforeEach(() => {
  for (const name of SERVICES) {
    delete fake.faults[name];
    fake.asked[name] = 0;
  }
});

/** Signs, and gives the error that it ends with; none of its texts may hold any part of the token. */
async function failure(options: Partial<KeylessOptions> = {}): Promise<DrayageError> {
  const token = readIdentityToken(TOKEN, new Date());
  try {
    await keyless(fake, { token, timeout: 1000, ...options })(statement());
  } catch (error) {
    const shown = inspect(error, { depth: 20, showHidden: true }) + (error as Error).stack;
    expect(SECRETS.filter((secret) => shown.includes(secret))).toEqual([]);
    return error as DrayageError;
  }
  throw new Error('it was signed');
}

function answer(status: number, body: string, type = 'application/json'): ServiceFault {
  return (_, response) => void response.writeHead(status, { 'content-type': type }).end(body);
}

const ADDRESS = { fulcio: 'fulcioUrl', rekor: 'rekorUrl', tsa: 'tsaUrl' } as const;

describe.each(SERVICES)('%s', (name) => {
  const faults: [what: string, code: ErrorCode, retryable: boolean, fault: ServiceFault][] = [
    ['refuses with 400', 'SIGNING', false, answer(400, '{"message":"no such issuer"}')],
    ['refuses with 403 and a page', 'SIGNING', false, answer(403, '<html>', 'text/html')],
    ['fails with 503', 'UNREACHABLE', true, answer(503, '{"message":"overloaded"}')],
    ['wants to be asked later', 'UNREACHABLE', true, answer(429, '{}')],
    ['does not answer', 'TIMEOUT', true, () => {}],
    [
      'stops amid its answer',
      'TIMEOUT',
      true,
      (_, response) => void response.writeHead(201, { 'content-length': '100' }).write('{'),
    ],
    ['hangs up', 'UNREACHABLE', true, (request) => void request.socket.destroy()],
    ['answers with a page', 'MALFORMED', false, answer(201, '<html>sign in</html>', 'text/html')],
    ['answers with nothing of its own', 'MALFORMED', false, answer(201, '{}')],
    ['answers with null', 'MALFORMED', false, answer(201, 'null')],
  ];
  test.each(faults)('that %s is %s', async (_, code, retryable, fault) => {
    fake.faults[name] = fault;
    const error = await failure();
    expect([error.code, error.retryable, error.hint]).toEqual([code, retryable, expect.any(String)]);
    expect(error.facts.url ?? error.message).toMatch(/http:\/\/127|signing service/);
  });

  test('that cannot be reached is UNREACHABLE', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const url = `http://127.0.0.1:${port}`;
    expect(await failure({ [ADDRESS[name]]: url })).toMatchObject({ code: 'UNREACHABLE', facts: { url } });
  });

  test('that repeats what it was sent gives nothing of it away', async () => {
    const message = `invalid token ${TOKEN}, whose payload is ${TOKEN.split('.')[1]}`;
    fake.faults[name] = answer(400, JSON.stringify({ message }));
    expect((await failure()).message).toContain('[token]');
  });

  test('that fails once is asked again, and not more often than it was said', async () => {
    fake.faults[name] = (request, response) => {
      if (fake.asked[name] > 1) delete fake.faults[name];
      answer(503, '{}')(request, response);
    };
    const sign = keyless(fake, { retries: 2 });
    await sign(statement());
    expect(fake.asked[name]).toBe(3);
    fake.faults[name] = answer(503, '{}');
    fake.asked[name] = 0;
    await failure({ retries: 1 });
    expect(fake.asked[name]).toBe(2);
  });
});

describe('of an address with a password', () => {
  const PASSWORD = 'pass word/9';
  const SHOWN = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`me:${PASSWORD}`).toString('base64')];
  const withPassword = (url: string): string => url.replace('://', `://me:${encodeURIComponent(PASSWORD)}@`);

  test.each<[string, ServiceFault]>([
    [
      'refuses, with what it was sent',
      answer(400, JSON.stringify({ message: `no such user: ${SHOWN.join(', ')}` })),
    ],
    ['hangs up', (request) => void request.socket.destroy()],
    ['does not answer', () => {}],
    [
      'sends elsewhere',
      (_, response) => void response.writeHead(307, { location: 'http://other:secret@127.0.0.1:1/' }).end(),
    ],
    [
      'sends to itself for ever',
      (request, response) =>
        void response
          .writeHead(307, { location: withPassword(`http://${request.headers.host}${request.url}`) })
          .end(),
    ],
    [
      'sends to no address',
      (_, response) => void response.writeHead(307, { location: 'http://other:secret@:1:1/' }).end(),
    ],
  ])('nothing of it is told where the service %s', async (_, fault) => {
    for (const name of SERVICES) {
      fake.faults[name] = fault;
      const error = await failure({ [ADDRESS[name]]: withPassword(fake[ADDRESS[name]]) });
      const shown = inspect(error, { depth: 20, showHidden: true }) + (error.stack ?? '');
      expect([...SHOWN, 'other:secret'].filter((secret) => shown.includes(secret))).toEqual([]);
      delete fake.faults[name];
    }
  });
});

test('a certificate for another key than the one that signed is refused', async () => {
  const other: Loose = JSON.parse((await keyless(fake)(statement())).toString());
  const { rawBytes } = other.verificationMaterial.certificate;
  const certificates = [`-----BEGIN CERTIFICATE-----\n${rawBytes}\n-----END CERTIFICATE-----\n`];
  fake.faults.fulcio = answer(
    201,
    JSON.stringify({ signedCertificateEmbeddedSct: { chain: { certificates } } }),
  );
  expect(await failure()).toMatchObject({
    code: 'MALFORMED',
    message: expect.stringContaining('another key') as string,
  });
});

test('signing ends at its deadline, whatever the services do', async () => {
  fake.faults.fulcio = () => {};
  expect(await failure({ deadline: 50 })).toMatchObject({ code: 'TIMEOUT', retryable: true });
});

test('signing ends when it is told to, with the reason', async () => {
  fake.faults.rekor = () => {};
  const controller = new AbortController();
  const signing = keyless(fake, { timeout: 1000 })(statement(), { signal: controller.signal });
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 100);
  await expect(signing).rejects.toBe(reason);
});

test('nothing is asked of anybody where it was told to end before it began', async () => {
  const reason = new Error('enough');
  // What the test before has left behind still asks the others.
  const own = await FakeSigstore.forTest();
  const signing = keyless(own)(statement(), { signal: AbortSignal.abort(reason) });
  await expect(signing).rejects.toBe(reason);
  // What nobody waits for would ask the authority only after a few turns.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(own.asked.fulcio).toBe(0);
});

describe('a token that a function gets', () => {
  const never = new Promise<never>(() => {});

  test('counts into the deadline', async () => {
    expect(await failure({ token: async () => never, deadline: 50 })).toMatchObject({ code: 'TIMEOUT' });
    expect(fake.asked.fulcio).toBe(0);
  });

  test('is not waited for after an abort, of which the function learns, and is then not used', async () => {
    const [controller, reason] = [new AbortController(), new Error('enough')];
    const learned: unknown[] = [];
    const token = async ({ signal }: ContentOptions) => {
      signal?.addEventListener('abort', () => learned.push(signal.reason));
      controller.abort(reason);
      return readIdentityToken(TOKEN, new Date());
    };
    const own = await FakeSigstore.forTest();
    const signing = keyless(own, { token })(statement(), { signal: controller.signal });
    await expect(signing).rejects.toBe(reason);
    expect(learned).toEqual([reason]);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(own.asked.fulcio).toBe(0);
  });

  test('is not asked for after an abort', async () => {
    let asked = 0;
    const token = async () => {
      asked += 1;
      return readIdentityToken(TOKEN, new Date());
    };
    const reason = new Error('enough');
    const signing = keyless(fake, { token })(statement(), { signal: AbortSignal.abort(reason) });
    await expect(signing).rejects.toBe(reason);
    expect(asked).toBe(0);
  });

  test('whose function fails ends the signing with its error', async () => {
    const reason = new Error('no token today');
    const token = async () => Promise.reject(reason);
    await expect(keyless(fake, { token })(statement())).rejects.toBe(reason);
  });
});

test('without log and timestamps a certificate is not even asked for', () => {
  const token = readIdentityToken(TOKEN, new Date());
  expect(() => keylessSigner({ fulcioUrl: fake.fulcioUrl, token })).toThrow(
    expect.objectContaining({ code: 'USAGE' }),
  );
  expect(fake.asked.fulcio).toBe(0);
});

test.each([
  ['by itself', {}, {}],
  ['with a log', { rekorUrl: () => fake.rekorUrl }, { trustedRoot: () => fake.root() }],
  [
    'with a log and timestamps',
    { rekorUrl: () => fake.rekorUrl, tsaUrl: () => fake.tsaUrl },
    { trustedRoot: () => fake.root() },
  ],
])(
  'a key signs %s',
  async (_, services: Record<string, () => string>, root: Record<string, () => Buffer>) => {
    const { privateKey, publicKeys, hint } = keyPair();
    const bundle = await keySigner({ privateKey, ...called(services) })(statement());
    const { verificationMaterial, dsseEnvelope }: Loose = JSON.parse(bundle.toString());
    expect(verificationMaterial.publicKey).toEqual({ hint });
    // cosign takes it for something else.
    expect(dsseEnvelope.signatures[0].keyid ?? '').toBe('');
    const trust = await loadTrust({ publicKeys, ...called(root) });
    expect(verifyBundle(bundle, DIGEST, trust, expected())).toMatchObject({ signer: { kind: 'key', hint } });
  },
);

/** What is known only when the services run. */
function called<T>(record: Record<string, () => T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, make]) => [key, make()]));
}
