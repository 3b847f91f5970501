import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExpectedProvenance } from '../../src/attest/expect.ts';
import type { ErrorFacts, RefusalReason } from '../../src/errors.ts';
import type { Provenance } from '../../src/attest/provenance.ts';
import type { Trust } from '../../src/attest/trust.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import { verifyBundle } from '../../src/attest/verify-bundle.ts';
import { DrayageError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Extension } from '../support/fake-sigstore.ts';
import { FakeSigstore } from '../support/fake-sigstore.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { Loose } from './bundles.ts';
import {
  bytesOf,
  DIGEST,
  expected,
  IDENTITY,
  ISSUER,
  keyBundle,
  keyless,
  keyPair,
  statement,
} from './bundles.ts';

const KEYS = keyPair();
const OTHER = digestOf(Buffer.from('another manifest'));

let fake: FakeSigstore;
let keyTrust: Trust;
let certificateTrust: Trust;
/** A bundle with a certificate, an entry in the log and a timestamp. */
let signed: string;

beforeAll(async () => {
  fake = await FakeSigstore.start();
  keyTrust = await loadTrust(KEYS);
  certificateTrust = await loadTrust({ trustedRoot: fake.root() });
  signed = (await keyless(fake)(statement())).toString();
});
afterAll(() => fake.close());

/** Verifies, and gives the error of one that is refused. CPU time is bounded: nothing in a bundle may keep a verifier busy. */
function refused(
  bytes: Buffer,
  trust: Trust,
  expectation: ExpectedProvenance,
  digest = DIGEST,
): DrayageError {
  const started = process.cpuUsage();
  try {
    verifyBundle(bytes, digest, trust, expectation);
  } catch (error) {
    const { user, system } = process.cpuUsage(started);
    expect(user + system).toBeLessThan(1_000_000);
    return error as DrayageError;
  }
  throw new Error('it was accepted');
}

function raise(thrown: unknown): never {
  throw thrown;
}

describe('what is signed with a certificate', () => {
  test('is accepted with all that is expected of it, and tells whence it comes', () => {
    const expectation = expected({
      server: 'https://gitlab.example',
      project: 'group/app',
      commit: 'a'.repeat(40),
      ref: 'main',
      job: 'build',
      'job-id': '123',
      pipeline: '4711',
      'runner-environment': 'self-hosted',
    });
    expect(verifyBundle(Buffer.from(signed), DIGEST, certificateTrust, expectation)).toEqual({
      predicateType: 'https://slsa.dev/provenance/v1',
      signer: { kind: 'certificate', identity: IDENTITY, issuer: ISSUER },
      source: 'https://gitlab.example/group/app',
      commit: 'a'.repeat(40),
      ref: 'refs/heads/main',
      job: 'https://gitlab.example/group/app/-/jobs/123',
      runnerEnvironment: 'self-hosted',
      names: ['app:1'],
      unreadLayers: [],
      layersRead: true,
      claimed: { jobName: 'build', pipeline: '4711' },
    });
  });

  test('is accepted by a pattern that fits the whole identity', () => {
    const identity = /https:\/\/gitlab\.example\/group\/app\/\/.*@refs\/heads\/\w+/;
    const expectation = expected({}, { issuer: ISSUER, identity });
    expect(verifyBundle(Buffer.from(signed), DIGEST, certificateTrust, expectation)).toBeDefined();
  });

  test.each([
    ['with a log alone', { tsaUrl: undefined }, { timestampAuthorities: [] }],
    ['with timestamps alone', { rekorUrl: undefined }, { tlogs: [] }],
  ])('is accepted %s where the root names no more', async (_, options, root) => {
    const bundle = await keyless(fake, options)(statement());
    const trust = await loadTrust({ trustedRoot: fake.root(root) });
    expect(verifyBundle(bundle, DIGEST, trust, expected())).toBeDefined();
    // The evidence that is there proves nothing where nobody of the root vouches for it.
    expect(verifyBundle(Buffer.from(signed), DIGEST, trust, expected())).toBeDefined();
  });

  const tampered: [what: string, reason: RefusalReason, change: (bundle: Loose) => void][] = [
    [
      'a certificate of which a byte is another',
      'CERTIFICATE',
      ({ verificationMaterial: { certificate } }) => (certificate.rawBytes = flip(certificate.rawBytes, -1)),
    ],
    [
      'what is no certificate',
      'EVIDENCE',
      ({ verificationMaterial: { certificate } }) => (certificate.rawBytes = 'AAAA'),
    ],
    [
      'an entry that says another signature',
      'LOG_PROMISE',
      ({
        verificationMaterial: {
          tlogEntries: [entry],
        },
      }) => (entry.canonicalizedBody = flip(entry.canonicalizedBody, 40)),
    ],
    [
      'a promise of the log that is not its own',
      'LOG_PROMISE',
      ({
        verificationMaterial: {
          tlogEntries: [entry],
        },
      }) =>
        (entry.inclusionPromise.signedEntryTimestamp = flip(entry.inclusionPromise.signedEntryTimestamp, -1)),
    ],
    [
      'a proof of another root',
      'LOG_PROOF',
      ({
        verificationMaterial: {
          tlogEntries: [entry],
        },
      }) =>
        (entry.inclusionProof.checkpoint.envelope = entry.inclusionProof.checkpoint.envelope.replace(
          '\n1\n',
          '\n2\n',
        )),
    ],
    [
      'an entry without proof',
      'BUNDLE_SHAPE',
      ({
        verificationMaterial: {
          tlogEntries: [entry],
        },
      }) => delete entry.inclusionProof,
    ],
    [
      'no entry in the log',
      'LOG_MISSING',
      ({ verificationMaterial }) => (verificationMaterial.tlogEntries = []),
    ],
    [
      'neither entry nor timestamp',
      'TIMESTAMP',
      ({ verificationMaterial }) => {
        verificationMaterial.tlogEntries = [];
        delete verificationMaterial.timestampVerificationData;
      },
    ],
    [
      'a timestamp of which a byte is another',
      'TIMESTAMP',
      ({
        verificationMaterial: {
          timestampVerificationData: {
            rfc3161Timestamps: [timestamp],
          },
        },
      }) => (timestamp.signedTimestamp = flip(timestamp.signedTimestamp, -1)),
    ],
    [
      'a statement of which a byte is another',
      'LOG_BODY',
      ({ dsseEnvelope }) => (dsseEnvelope.payload = flip(dsseEnvelope.payload, 20)),
    ],
    [
      'a payload type that is another',
      'SIGNATURE',
      ({ dsseEnvelope }) => (dsseEnvelope.payloadType = 'text/plain'),
    ],
    [
      'a log entry of a kind that is not known',
      'LOG_BODY',
      ({
        verificationMaterial: {
          tlogEntries: [entry],
        },
      }) => (entry.kindVersion = { kind: 'rekord', version: '0.0.1' }),
    ],
    [
      'nine entries',
      'LOG_ENTRY_COUNT',
      ({ verificationMaterial: material }) =>
        (material.tlogEntries = Array.from({ length: 9 }, () => material.tlogEntries[0])),
    ],
    [
      'nine timestamps',
      'TIMESTAMP_COUNT',
      ({ verificationMaterial: { timestampVerificationData: data } }) =>
        (data.rfc3161Timestamps = Array.from({ length: 9 }, () => data.rfc3161Timestamps[0])),
    ],
    [
      'a checkpoint whose signer is a pattern',
      'CHECKPOINT',
      ({
        verificationMaterial: {
          tlogEntries: [
            {
              inclusionProof: { checkpoint },
            },
          ],
        },
      }) => (checkpoint.envelope = checkpoint.envelope.replace(/\u2014 \S+/, '\u2014 (([^x]+)+)+y')),
    ],
  ];
  test.each(tampered)('%s is refused as %s', (_, reason, change) => {
    const bundle: Loose = JSON.parse(signed);
    change(bundle);
    expect(refused(bytesOf(bundle), certificateTrust, expected())).toMatchObject({
      code: 'POLICY',
      facts: { reason },
    });
  });

  test('another signature with the evidence of this one is refused', async () => {
    const other: Loose = JSON.parse((await keyless(fake)(statement())).toString());
    const bundle: Loose = JSON.parse(signed);
    bundle.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries;
    expect(refused(bytesOf(bundle), certificateTrust, expected()).facts.reason).toBe('LOG_BODY');
  });

  const unexpected: [what: string, reason: RefusalReason, expectation: ExpectedProvenance][] = [
    ['another issuer', 'ISSUER', expected({}, { issuer: 'https://gitlab.com', identity: [IDENTITY] })],
    [
      'an identity that is longer by one character',
      'IDENTITY',
      expected({}, { issuer: ISSUER, identity: [IDENTITY.slice(0, -1)] }),
    ],
    [
      'an identity of another case',
      'IDENTITY',
      expected({}, { issuer: ISSUER, identity: [IDENTITY.replace('main', 'Main')] }),
    ],
    [
      'an identity that a pattern would fit',
      'IDENTITY',
      expected({}, { issuer: ISSUER, identity: ['https://gitlab.example/.*'] }),
    ],
    [
      'an identity that a pattern only begins',
      'IDENTITY',
      expected({}, { issuer: ISSUER, identity: /https:\/\/gitlab\.example\/group\/app/ }),
    ],
    [
      'an identity that a pattern only holds on a line',
      'IDENTITY',
      expected({}, { issuer: ISSUER, identity: /group/m }),
    ],
    ['another commit', 'COMMIT', expected({ commit: 'b'.repeat(40) })],
    ['another project', 'PROJECT', expected({ project: 'app' })],
    ['another server', 'SERVER', expected({ server: 'https://gitlab.exampl' })],
    ['another ref', 'REF', expected({ ref: 'mai' })],
    ['another job name', 'JOB', expected({ job: 'test' })],
    ['another job', 'JOB_ID', expected({ 'job-id': '12' })],
    ['another pipeline', 'PIPELINE', expected({ pipeline: '4712' })],
    ['another kind of runner', 'RUNNER_ENVIRONMENT', expected({ 'runner-environment': 'gitlab-hosted' })],
    ['another predicate type', 'PREDICATE_TYPE', expected({ 'predicate-type': 'https://spdx.dev/Document' })],
  ];
  test.each(unexpected)('%s than expected is refused as %s', (_, reason, expectation) => {
    expect(refused(Buffer.from(signed), certificateTrust, expectation)).toMatchObject({
      code: 'POLICY',
      facts: { reason },
    });
  });

  const TYPE_ERROR = new TypeError('no such ref');
  const policies: [what: string, accept: () => unknown, facts: ErrorFacts][] = [
    ['throws anything', () => raise(TYPE_ERROR), { reason: 'OWN_POLICY', cause: TYPE_ERROR }],
    ['throws no error', () => raise('no'), { reason: 'OWN_POLICY' }],
    ['throws an error of drayage', () => raise(new DrayageError('IO', 'no')), { reason: 'OWN_POLICY' }],
    ['throws a refusal', () => raise(new DrayageError('POLICY', 'no', { reason: 'REF' })), { reason: 'REF' }],
    ['is async and accepts', async () => {}, { reason: 'OWN_POLICY' }],
    ['is async and refuses', async () => raise(TYPE_ERROR), { reason: 'OWN_POLICY' }],
    ['returns whether it accepts', () => false, { reason: 'OWN_POLICY' }],
  ];
  test.each(policies)('a policy of the caller that %s refuses', (_, accept, facts) => {
    const expectation = { ...expected(), accept: accept as () => undefined };
    const { code, facts: told } = refused(Buffer.from(signed), certificateTrust, expectation);
    expect({ code, facts: told }).toMatchObject({ code: 'POLICY', facts });
  });

  test('a policy of the caller that returns nothing accepts, and gets the facts', () => {
    const seen: unknown[] = [];
    const accept = (provenance: Provenance) => void seen.push(provenance);
    const provenance = verifyBundle(Buffer.from(signed), DIGEST, certificateTrust, { ...expected(), accept });
    expect(seen).toEqual([provenance]);
  });

  test('a certificate of an authority that is not trusted is refused', async () => {
    const other = await FakeSigstore.forTest();
    const root = fake.root({ certificateAuthorities: other.trustedRoot['certificateAuthorities'] });
    const trust = await loadTrust({ trustedRoot: root });
    expect(refused(Buffer.from(signed), trust, expected()).facts.reason).toBe('CERTIFICATE');
  });

  test('logs and timestamps of others are refused', async () => {
    const other = await FakeSigstore.forTest();
    for (const [part, reason] of [
      ['tlogs', 'LOG_PROMISE'],
      ['ctlogs', 'CERTIFICATE'],
      ['timestampAuthorities', 'TIMESTAMP'],
    ]) {
      const trust = await loadTrust({
        trustedRoot: fake.root({ [part ?? '']: other.trustedRoot[part ?? ''] }),
      });
      expect(refused(Buffer.from(signed), trust, expected()).facts.reason).toBe(reason);
    }
  });

  test('whoever trusts certificates has to say whose', () => {
    const expectation = { ...expected(), signer: undefined };
    expect(refused(Buffer.from(signed), certificateTrust, expectation)).toMatchObject({ code: 'USAGE' });
  });

  const certified: [what: string, reason: RefusalReason, change: (extensions: Extension[]) => Extension[]][] =
    [
      ['another commit', 'CONTRADICTION', replaced(13, 'b'.repeat(40))],
      ['another project', 'CONTRADICTION', replaced(12, 'https://gitlab.example/other/app')],
      ['another ref', 'CONTRADICTION', replaced(14, 'refs/tags/main')],
      ['another job', 'CONTRADICTION', replaced(21, 'https://gitlab.example/group/app/-/jobs/124')],
      [
        'a commit twice',
        'CERTIFICATE_EXTENSION',
        (extensions) => [...extensions, ...extensions.filter(({ oid }) => oid.endsWith('.13'))],
      ],
      [
        'a commit that is no text',
        'CERTIFICATE_EXTENSION',
        (extensions) =>
          extensions.map((extension) =>
            extension.oid.endsWith('.13') ? { ...extension, legacy: true } : extension,
          ),
      ],
      ['no issuer', 'ISSUER', (extensions) => extensions.filter(({ oid }) => !oid.endsWith('.1.8'))],
    ];
  test('one of a merge request counts only where its commit, pipeline or job is expected', async () => {
    fake.extensions = replaced(20, 'merge_request_event');
    try {
      const bundle = await keyless(fake, { tsaUrl: undefined })(statement());
      const commit = SIGNING_JOB['CI_COMMIT_SHA'] ?? '';
      const project = expected({ project: 'group/app' });
      expect(refused(bundle, certificateTrust, project).facts.reason).toBe('MERGE_REQUEST');
      expect(refused(bundle, certificateTrust, expected({ commit: 'any' })).facts.reason).toBe(
        'MERGE_REQUEST',
      );
      expect(() => verifyBundle(bundle, DIGEST, certificateTrust, expected({ commit }))).not.toThrow();
    } finally {
      fake.extensions = (extensions) => extensions;
    }
  });

  test('one of a job of another project than its identity counts only where that project is expected', async () => {
    fake.extensions = replaced(12, 'https://gitlab.example/other/app');
    try {
      // Of a statement that says something else, that would be the reason.
      const silent = statement(
        (value) => (value.predicate.buildDefinition.buildType = 'https://example.com/v1'),
      );
      const bundle = await keyless(fake, { tsaUrl: undefined })(silent);
      expect(refused(bundle, certificateTrust, expected()).facts.reason).toBe('PROJECT');
    } finally {
      fake.extensions = (extensions) => extensions;
    }
  });

  test.each(certified)('a certificate that says %s is refused as %s', async (_, reason, change) => {
    fake.extensions = change;
    try {
      const bundle = await keyless(fake, { tsaUrl: undefined })(statement());
      expect(refused(bundle, certificateTrust, expected()).facts.reason).toBe(reason);
    } finally {
      fake.extensions = (extensions) => extensions;
    }
  });
});

describe('what is signed with a key', () => {
  test('is accepted by any of the keys that are trusted, and tells what its holder says', async () => {
    const bundle = bytesOf(keyBundle(KEYS.privateKey, statement()));
    const trust = await loadTrust({ publicKeys: keyPair().publicKeys + KEYS.publicKeys });
    const expectation = expected({
      server: 'https://gitlab.example/',
      project: 'group/app',
      commit: 'a'.repeat(40),
    });
    expect(verifyBundle(bundle, DIGEST, trust, expectation)).toMatchObject({
      signer: { kind: 'key', hint: KEYS.hint },
      source: 'https://gitlab.example/group/app',
      runnerEnvironment: null,
    });
  });

  test('a statement of the version before v1 is accepted', () => {
    const old = statement((value) => (value['_type'] = 'https://in-toto.io/Statement/v0.1'));
    expect(
      verifyBundle(bytesOf(keyBundle(KEYS.privateKey, old)), DIGEST, keyTrust, expected()),
    ).toBeDefined();
  });

  test.each<[string, (value: Loose) => void, string]>([
    [
      'of an unknown build type',
      (value) => (value.predicate.buildDefinition.buildType = 'https://example.com/v1'),
      'https://slsa.dev/provenance/v1',
    ],
    [
      'of another predicate type',
      (value) => (value.predicateType = 'https://cyclonedx.org/bom'),
      'https://cyclonedx.org/bom',
    ],
  ])('a statement %s does not say that its signer has read layers', (_, change, predicateType) => {
    const bundle = bytesOf(keyBundle(KEYS.privateKey, statement(change)));
    const expectation = expected({ 'predicate-type': predicateType });
    expect(verifyBundle(bundle, DIGEST, keyTrust, expectation)).toMatchObject({ layersRead: false });
  });

  test('of a build type that is not known nothing is believed', () => {
    const foreign = statement(
      (value) => (value.predicate.buildDefinition.buildType = 'https://example.com/v1'),
    );
    const bundle = bytesOf(keyBundle(KEYS.privateKey, foreign));
    expect(verifyBundle(bundle, DIGEST, keyTrust, expected())).toMatchObject({ commit: null, source: null });
    expect(refused(bundle, keyTrust, expected({ commit: 'a'.repeat(40) })).facts.reason).toBe('COMMIT');
  });

  const statements: [what: string, reason: RefusalReason, payload: Buffer][] = [
    ['is about another image', 'SUBJECT', statement(undefined, OTHER)],
    [
      'is about the same digest of another algorithm',
      'SUBJECT',
      statement((value) => (value.subject[0].digest = { sha512: value.subject[0].digest.sha256 })),
    ],
    [
      'has 65 subjects',
      'SUBJECT_COUNT',
      statement((value) => (value.subject = Array.from({ length: 65 }, () => value.subject[0]))),
    ],
    [
      'is of another type',
      'STATEMENT_TYPE',
      statement((value) => (value['_type'] = 'https://in-toto.io/Statement/v2')),
    ],
    [
      'says another kind of thing',
      'PREDICATE_TYPE',
      statement((value) => (value.predicateType = 'https://slsa.dev/provenance/v0.2')),
    ],
    ['has no build type', 'PREDICATE', statement((value) => delete value.predicate.buildDefinition)],
    ['lacks a field of its build type', 'PREDICATE', statement((value) => delete value.predicate.runDetails)],
    ['is no JSON', 'STATEMENT', Buffer.from('{')],
    ['is no object', 'STATEMENT', Buffer.from('null')],
    ['is nested without end', 'STATEMENT', Buffer.from('['.repeat(100_000))],
    [
      'was built from another commit',
      'COMMIT',
      statement(
        (value) =>
          (value.predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit = 'b'.repeat(40)),
      ),
    ],
    [
      'was built in a project whose path ends as ours',
      'PROJECT',
      statement(
        (value) =>
          (value.predicate.buildDefinition.externalParameters.source =
            'https://gitlab.example/evil/group/app'),
      ),
    ],
  ];
  const expectation = expected({ project: 'group/app', commit: 'a'.repeat(40) });
  test.each(statements)('a statement that %s is refused as %s', (_, reason, payload) => {
    const bundle = bytesOf(keyBundle(KEYS.privateKey, payload));
    expect(refused(bundle, keyTrust, expectation)).toMatchObject({ code: 'POLICY', facts: { reason } });
  });

  const bundles: [what: string, reason: RefusalReason, bytes: () => Buffer][] = [
    [
      'whose statement was changed',
      'SIGNATURE',
      () =>
        bytesOf({
          ...valid(),
          dsseEnvelope: { ...valid().dsseEnvelope, payload: statement(undefined, OTHER).toString('base64') },
        }),
    ],
    [
      'whose signature was changed',
      'SIGNATURE',
      () =>
        bytesOf(
          changed(
            valid(),
            ({ dsseEnvelope: { signatures } }) => (signatures[0].sig = flip(signatures[0].sig, -1)),
          ),
        ),
    ],
    ['that another key signed', 'SIGNATURE', () => bytesOf(keyBundle(keyPair().privateKey, statement()))],
    [
      'whose payload is something else',
      'PAYLOAD_TYPE',
      () => bytesOf(keyBundle(KEYS.privateKey, statement(), 'application/json')),
    ],
    [
      'with two signatures',
      'SIGNATURE_COUNT',
      () => bytesOf(changed(valid(), ({ dsseEnvelope: { signatures } }) => signatures.push(signatures[0]))),
    ],
    [
      'without a signature',
      'BUNDLE_SHAPE',
      () => bytesOf(changed(valid(), ({ dsseEnvelope }) => (dsseEnvelope.signatures = []))),
    ],
    [
      'with a signature over bare bytes',
      'NO_ENVELOPE',
      () =>
        bytesOf({
          ...valid(),
          dsseEnvelope: undefined,
          messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: 'AAAA' }, signature: 'AAAA' },
        }),
    ],
    [
      'of a version to come',
      'BUNDLE_VERSION',
      () => bytesOf({ ...valid(), mediaType: 'application/vnd.dev.sigstore.bundle.v1.0+json' }),
    ],
    [
      'without verification material',
      'BUNDLE_SHAPE',
      () => bytesOf({ ...valid(), verificationMaterial: undefined }),
    ],
    [
      'that says neither key nor certificate',
      'BUNDLE_SHAPE',
      () => bytesOf({ ...valid(), verificationMaterial: {} }),
    ],
    ['that is no JSON', 'BUNDLE_JSON', () => Buffer.from('{"mediaType":')],
    ['that is no UTF-8', 'BUNDLE_JSON', () => Buffer.from([0x22, 0xff, 0x22])],
    ['that is nested without end', 'BUNDLE_DEPTH', () => Buffer.from('{"a":'.repeat(200_000))],
    [
      'that is larger than a bundle may be',
      'BUNDLE_SIZE',
      () => bytesOf({ ...valid(), padding: 'x'.repeat(1024 * 1024) }),
    ],
    [
      'with a certificate of which the verifier would copy a megabyte over and over',
      'BUNDLE_SHAPE',
      () =>
        bytesOf({
          ...valid(),
          verificationMaterial: { certificate: { rawBytes: Buffer.alloc(700_000, 0x30).toString('base64') } },
        }),
    ],
  ];
  test.each(bundles)('a bundle %s is refused as %s', (_, reason, bytes) => {
    expect(refused(bytes(), keyTrust, expected())).toMatchObject({ code: 'POLICY', facts: { reason } });
  });

  test('brackets in texts do not count as nesting', () => {
    const bundle = bytesOf({ ...valid(), note: `${'['.repeat(100)}\\"${'{'.repeat(100)}` });
    expect(verifyBundle(bundle, DIGEST, keyTrust, expected())).toBeDefined();
  });

  test('is refused where a certificate is asked for, and the other way round', () => {
    expect(refused(bytesOf(valid()), certificateTrust, expected()).facts.reason).toBe('KEY_SIGNED');
    expect(refused(Buffer.from(signed), keyTrust, expected()).facts.reason).toBe('CERTIFICATE_SIGNED');
  });

  test('has to be in the log where a root with a log is trusted, too', async () => {
    const trust = await loadTrust({ ...KEYS, trustedRoot: fake.root() });
    expect(refused(bytesOf(valid()), trust, expected()).facts.reason).toBe('LOG_MISSING');
  });
});

/** A bundle that a trusted key signed. */
function valid(): Loose {
  return keyBundle(KEYS.privateKey, statement());
}

function replaced(n: number, value: string): (extensions: Extension[]) => Extension[] {
  return (extensions) =>
    extensions.map((extension) => (extension.oid.endsWith(`.1.${n}`) ? { ...extension, value } : extension));
}

function changed(bundle: Loose, change: (bundle: Loose) => void): Loose {
  change(bundle);
  return bundle;
}

/** Base64 with one byte that is another. */
function flip(text: string, at: number): string {
  const bytes = Buffer.from(text, 'base64');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes.toString('base64');
}
