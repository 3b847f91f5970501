/** The shortest text that counts as a secret: hiding shorter ones would make messages unreadable. */
const MIN_LENGTH = 4;

/** Texts that must never be shown. A registry's message may repeat them. */
export class Secrets {
  readonly #known = new Set<string>();

  add(...secrets: string[]): void {
    for (const secret of secrets) if (secret.length >= MIN_LENGTH) this.#known.add(secret);
  }

  /** The text with `***` instead of each secret. */
  conceal(text: string): string {
    let shown = text;
    // The longer first, because one secret may contain another.
    for (const secret of [...this.#known].toSorted((a, b) => b.length - a.length)) {
      shown = shown.replaceAll(secret, '***');
    }
    return shown;
  }
}
