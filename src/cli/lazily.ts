/** A resource that is opened at its first use. Disposing of this closes it. */
export interface Lazy<T> extends AsyncDisposable {
  /** Opens it, or gives what was opened. A failure is given again. */
  get: () => Promise<T>;
}

/** Opens something when it is first needed. An opening that failed left nothing to close, and is reported by its user. */
export function lazily<T extends AsyncDisposable>(open: () => Promise<T>): Lazy<T> {
  let opening: Promise<T> | undefined;
  return {
    get: async () => {
      opening ??= open();
      return opening;
    },
    [Symbol.asyncDispose]: async () => {
      const opened = await opening?.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    },
  };
}
