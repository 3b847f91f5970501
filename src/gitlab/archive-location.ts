import type { ContentOptions } from '../content/source.ts';
import { withoutSecrets } from '../http/address.ts';
import { MAX_REDIRECTS, redirectsInCircles, redirectTarget } from '../http/redirect.ts';
import type { GitLabApi } from './api.ts';
import { drop } from '../http/reply.ts';
import type { ArchiveRoute } from './archive-routes.ts';
import type { HttpReply } from '../http/reply.ts';

/**
 * Where an archive is: behind a route of the API, which either sends it or redirects to a signed address that is valid
 * for some minutes. The signed address is used while it works, and requested again when it does not.
 */
export class ArchiveLocation {
  readonly #api: GitLabApi;
  readonly #route: ArchiveRoute;
  #signed: URL | undefined;

  constructor(api: GitLabApi, route: ArchiveRoute) {
    this.#api = api;
    this.#route = route;
  }

  /** The address of the route, for errors. */
  get name(): string {
    return withoutSecrets(this.#api.address(this.#route.path));
  }

  /**
   * Requests the archive, or a part of it.
   * @param range `bytes=0-99`
   * @returns the reply: 200, 206 or 416
   * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TIMEOUT`; `UNSAFE` for a redirect to plain http
   */
  async get(range: string | undefined, options: ContentOptions): Promise<HttpReply> {
    const headers: Record<string, string> = range === undefined ? {} : { range };
    const signed = this.#signed;
    if (signed !== undefined) {
      const reply = await this.#follow(signed, headers, options);
      if (isAnswer(reply)) return reply;
      // Depending on the storage, an expired signature is refused with 400, 401, 403 or 404.
      drop(reply);
      this.#signed = undefined;
    }
    const url = this.#api.address(this.#route.path);
    const reply = await this.#follow(url, headers, options);
    if (isAnswer(reply)) return reply;
    const at = this.#signed ?? url;
    this.#signed = undefined;
    throw this.#api.refusal(reply, at);
  }

  /** Follows redirects and remembers the final address. */
  async #follow(
    from: URL,
    headers: Readonly<Record<string, string>>,
    options: ContentOptions,
  ): Promise<HttpReply> {
    let url = from;
    for (let i = 0; i <= MAX_REDIRECTS; i++) {
      const reply = await this.#api.send(url, this.#route.as, headers, options);
      const target = redirectTarget(reply, url);
      if (target === undefined) return reply;
      drop(reply);
      await this.#api.assertMayLeadTo(url, target);
      url = target;
      this.#signed = url;
    }
    throw redirectsInCircles(from);
  }
}

function isAnswer({ status }: HttpReply): boolean {
  return status === 200 || status === 206 || status === 416;
}
