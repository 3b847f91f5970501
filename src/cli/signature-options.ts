import type { OnAuthentic } from '../index.ts';
import type { ExpectOptions } from './expectations.ts';

/** The options for required signatures. */
export interface SignatureOptions extends ExpectOptions {
  trustedRoot?: string;
  key?: string;
  identity?: string[];
  identityRegexp?: string;
  issuer?: string;
  expectSigned?: boolean;
}

/** What a command requires besides the options. */
export interface SignatureRequest {
  /** Called with every accepted image. */
  onAuthentic?: OnAuthentic;
  /** Asks inside a CI for a job of a protected ref, too. Default false. */
  protectedRef?: boolean;
}
