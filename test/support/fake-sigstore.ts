/** A private sigstore in this process: Fulcio, Rekor, a CT log and a timestamp authority on loopback, with faults by script. */
import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { initializeCA, initializeCTLog, initializeTLog, initializeTSA, tsaHandler } from '@sigstore/mock';
import { onTestFinished } from 'vitest';

/** The services that can be asked. */
export type ServiceName = 'fulcio' | 'rekor' | 'tsa';
/** Takes the place of what a service answers. */
export type ServiceFault = (request: IncomingMessage, response: ServerResponse) => void;

type Answer = (body: string) => Promise<{ status: number; body: string | Uint8Array; type?: string }>;
type Claims = Record<string, string | number>;

const FULCIO = '1.3.6.1.4.1.57264.1';
const DAY = 24 * 3600 * 1000;

/** Which claim of a GitLab job's token stands in which extension of the certificate. */
const EXTENSIONS: [number, (claims: Claims) => string][] = [
  [8, ({ iss }) => String(iss)],
  [9, ({ ci_config_ref_uri: uri }) => `https://${uri}`],
  [10, ({ ci_config_sha: sha }) => String(sha)],
  [11, ({ runner_environment: environment }) => String(environment)],
  [12, ({ iss, project_path: path }) => `${iss}/${path}`],
  [13, ({ sha }) => String(sha)],
  [14, ({ ref_path: ref }) => String(ref)],
  [15, ({ project_id: id }) => String(id)],
  [18, ({ ci_config_ref_uri: uri }) => `https://${uri}`],
  [20, ({ pipeline_source: source }) => String(source)],
  [21, ({ iss, project_path: path, job_id: id }) => `${iss}/${path}/-/jobs/${id}`],
];

/** An extension of a certificate; `legacy` writes the bytes as they are. */
export interface Extension {
  oid: string;
  value: string;
  legacy?: boolean;
}

/** A running sigstore; it ends with the test, or when it is closed. */
export class FakeSigstore {
  /** The trusted root that names all of its authorities and logs. */
  readonly trustedRoot: Record<string, unknown>;
  readonly faults: Partial<Record<ServiceName, ServiceFault>> = {};
  /** How often each service was asked. */
  readonly asked: Record<ServiceName, number> = { fulcio: 0, rekor: 0, tsa: 0 };
  /** Changes the extensions of the certificates that come. */
  extensions: (extensions: Extension[]) => Extension[] = (extensions) => extensions;
  readonly #servers = new Map<ServiceName, Server>();
  readonly #urls: Record<ServiceName, string>;

  private constructor(urls: Record<ServiceName, string>, trustedRoot: Record<string, unknown>) {
    this.#urls = urls;
    this.trustedRoot = trustedRoot;
  }

  static async start(): Promise<FakeSigstore> {
    const servers = new Map<ServiceName, Server>();
    const urls = { fulcio: '', rekor: '', tsa: '' };
    for (const name of ['fulcio', 'rekor', 'tsa'] as const) {
      const server = createServer();
      // None is used again: one that closes just then would cost the client one of its attempts.
      server.maxRequestsPerSocket = 1;
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      servers.set(name, server);
      urls[name] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }
    const ctlog = await initializeCTLog(keyPair());
    const ca = await initializeCA(keyPair(), ctlog);
    const tlog = await initializeTLog(urls.rekor, keyPair());
    const tsa = await initializeTSA(keyPair());
    // It writes milliseconds, which are none of its format.
    Object.assign(tsa, { getCurrentTime: () => new Date(Math.floor(Date.now() / 1000) * 1000) });
    const validFor = { start: new Date(Date.now() - DAY).toISOString() };
    const log = (key: Uint8Array, baseUrl: string) => ({
      baseUrl,
      hashAlgorithm: 'SHA2_256',
      publicKey: { rawBytes: base64(key), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
      logId: { keyId: createHash('sha256').update(key).digest('base64') },
    });
    const authority = (uri: string, ...chain: ArrayBufferView[]) => ({
      subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
      uri,
      certChain: { certificates: chain.map((certificate) => ({ rawBytes: base64(certificate) })) },
      validFor,
    });
    const fake = new FakeSigstore(urls, {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [log(tlog.publicKey, urls.rekor)],
      ctlogs: [log(ctlog.publicKey, 'http://ctlog.example')],
      certificateAuthorities: [authority(urls.fulcio, ca.rootCertificate)],
      timestampAuthorities: [authority(urls.tsa, tsa.intCertificate, tsa.rootCertificate)],
    });
    fake.#serve(servers, {
      fulcio: async (body) => {
        const request = JSON.parse(body) as {
          credentials: { oidcIdentityToken: string };
          publicKeyRequest: { publicKey: { content: string } };
        };
        const claims = decode(request.credentials.oidcIdentityToken);
        const extensions = EXTENSIONS.map(([n, read]) => ({ oid: `${FULCIO}.${n}`, value: read(claims) }));
        const certificate = await ca.issueCertificate({
          publicKey: createPublicKey(request.publicKeyRequest.publicKey.content).export({
            type: 'spki',
            format: 'der',
          }),
          subjectAltName: `https://${claims['ci_config_ref_uri']}`,
          extensions: fake.extensions(extensions),
        });
        const certificates = [certificate, ca.rootCertificate].map(pem);
        return json({ signedCertificateEmbeddedSct: { chain: { certificates } } });
      },
      rekor: async (body) => json(await tlog.log(entryOf(body))),
      tsa: async (body) => {
        const { statusCode, response } = await tsaHandler(tsa).fn(body);
        const bytes = typeof response === 'string' ? response : new Uint8Array(response.buffer);
        return { status: statusCode, body: bytes, type: 'application/timestamp-reply' };
      },
    });
    return fake;
  }

  /** The same, until the test ends. */
  static async forTest(): Promise<FakeSigstore> {
    const fake = await FakeSigstore.start();
    onTestFinished(() => fake.close());
    return fake;
  }

  /** Options of the command line that name all of it. */
  get options(): string[] {
    const { fulcio, rekor, tsa } = this.#urls;
    return ['--fulcio-url', fulcio, '--rekor-url', rekor, '--tsa-url', tsa];
  }

  get fulcioUrl(): string {
    return this.#urls.fulcio;
  }

  get rekorUrl(): string {
    return this.#urls.rekor;
  }

  get tsaUrl(): string {
    return this.#urls.tsa;
  }

  /** The bytes of a trusted root, changed as the test wants. */
  root(change: Record<string, unknown> = {}): Buffer {
    return Buffer.from(JSON.stringify({ ...this.trustedRoot, ...change }));
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #serve(servers: Map<ServiceName, Server>, answers: Record<ServiceName, Answer>): void {
    for (const [name, server] of servers) {
      this.#servers.set(name, server);
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        this.asked[name] += 1;
        const fault = this.faults[name];
        if (fault === undefined) void this.#answer(request, response, answers[name]);
        else fault(request, response);
      });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
    const { status, body, type } = await answer(await text(request));
    response.writeHead(status, { 'content-type': type ?? 'application/json' }).end(body);
  }
}

/** The claims of a GitLab job's identity token, as far as they go into a certificate. */
const CLAIMS: Readonly<Claims> = {
  iss: 'https://gitlab.example',
  sub: 'project_path:group/app:ref_type:branch:ref:main',
  aud: 'sigstore',
  project_path: 'group/app',
  project_id: '12',
  ci_config_ref_uri: 'gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main',
  ci_config_sha: 'a'.repeat(40),
  sha: 'a'.repeat(40),
  ref_path: 'refs/heads/main',
  runner_environment: 'self-hosted',
  pipeline_source: 'push',
  job_id: '123',
};

/** A token of these claims, valid for five minutes. */
export function identityToken(claims: Claims = {}): string {
  const payload = { ...CLAIMS, exp: Math.floor(Date.now() / 1000) + 300, ...claims };
  const parts = [{ alg: 'RS256', typ: 'JWT' }, payload].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return [...parts, Buffer.from('no signature, since the stand-in checks none').toString('base64url')].join(
    '.',
  );
}

/** What a real log enters: of an envelope its hashes, its signatures and who verifies them. */
function entryOf(body: string): object {
  const proposed = JSON.parse(body) as {
    spec: { proposedContent: { envelope: string; verifiers: string[] } };
  };
  const { envelope, verifiers } = proposed.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope) as { payload: string; signatures: { sig: string }[] };
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: sha256(envelope),
      payloadHash: sha256(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }) => ({ signature: sig, verifier: verifiers[0] })),
    },
  };
}

function sha256(bytes: Buffer | string): object {
  return { algorithm: 'sha256', value: createHash('sha256').update(bytes).digest('hex') };
}

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function decode(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
}

function json(value: unknown): { status: number; body: string } {
  return { status: 201, body: JSON.stringify(value) };
}

function base64(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function pem(der: ArrayBufferView): string {
  return `-----BEGIN CERTIFICATE-----\n${base64(der)}\n-----END CERTIFICATE-----\n`;
}
