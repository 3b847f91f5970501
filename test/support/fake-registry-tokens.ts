/** Who may do what in a fake registry, and the tokens that say so. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from './fake-registry-store.ts';
import type { FakeRegistryOptions, RepositoryRequest } from './fake-registry-store.ts';

export const USER = 'planted-user';
export const PASSWORD = 'planted-password';
export const IDENTITY_TOKEN = 'planted-identity-token';

const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;

/** A token server and the door of the registry. */
export class TokenServer {
  /** What each token is good for. */
  readonly issued: Map<string, string[]> = new Map<string, string[]>();
  /** Seconds for which tokens are said to be good. */
  life = 300;
  readonly #options: FakeRegistryOptions;
  readonly #realm: () => string;

  constructor(options: FakeRegistryOptions, realm: () => string) {
    this.#options = options;
    this.#realm = realm;
  }

  /** Makes all tokens that were issued void. */
  revoke(): void {
    this.issued.clear();
  }

  /** Whether a request may go on; answers it where not. */
  allows(request: IncomingMessage, response: ServerResponse, asked: RepositoryRequest): boolean {
    const { auth } = this.#options;
    const { authorization } = request.headers;
    if (auth === undefined) return true;
    if (auth === 'basic') {
      if (authorization === BASIC) return true;
      response.setHeader('www-authenticate', 'Basic realm="fake, registry"');
      refuse(response, 401, 'UNAUTHORIZED');
      return false;
    }
    const scopes = needed(asked);
    const granted = this.issued.get(authorization?.replace(/^Bearer /, '') ?? '');
    if (granted !== undefined && scopes.every((scope) => granted.includes(scope))) return true;
    const wanted = scopes.length === 0 ? '' : `,scope="${scopes.join(' ')}"`;
    response.setHeader('www-authenticate', `Bearer realm="${this.#realm()}",service="fake"${wanted}`);
    refuse(response, 401, 'UNAUTHORIZED');
    return false;
  }

  /** Answers a request for a token. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://token');
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const scopes = [...url.searchParams.getAll('scope'), ...(form.get('scope')?.split(' ') ?? [])];
      const isKnown = request.headers.authorization === BASIC || form.get('refresh_token') === IDENTITY_TOKEN;
      const isNobody = request.headers.authorization === undefined && !form.has('refresh_token');
      if (!isKnown && !(isNobody && this.#options.anonymous === true)) return refuse(response, 401, 'DENIED');
      const granted = scopes.flatMap(single).filter((scope) => isKnown || scope.endsWith(':pull'));
      const token = `planted-token-${this.issued.size}-${granted.length}-${Math.random()}`;
      this.issued.set(token, granted);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ token, expires_in: this.life }));
    });
  }
}

/** `repository:app:pull,push` -> `repository:app:pull`, `repository:app:push` */
function single(scope: string): string[] {
  const [, name, actions = ''] = /^(.*):([\w,*]+)$/.exec(scope) ?? [];
  return actions.split(',').map((action) => `${name}:${action}`);
}

function needed({ method, path, kind, query }: RepositoryRequest): string[] {
  if (path === '') return [];
  const isUpload = kind === 'blobs/uploads';
  const action =
    method === 'DELETE' && !isUpload ? 'delete' : method === 'GET' || method === 'HEAD' ? 'pull' : 'push';
  const from = query.get('from');
  return [`repository:${path}:${action}`, ...(from === null ? [] : [`repository:${from}:pull`])];
}
