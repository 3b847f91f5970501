import type { HttpReply } from '../http/reply.ts';

/** The longest warning that is passed on, in characters. */
const MAX_LENGTH = 300;

/** A registry's warnings (OCI distribution-spec, warnings): `Warning: 299 - "text"`. */
export function warningsIn(reply: HttpReply): string[] {
  return reply.headers('warning').flatMap((value) => {
    const [, text] = /^299 - "((?:[^"\\]|\\.)*)"/.exec(value) ?? [];
    return text === undefined ? [] : [text.replaceAll(/\\(.)/g, '$1').slice(0, MAX_LENGTH)];
  });
}
