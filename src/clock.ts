/** The wall clock: the default of every `now` that a caller of the library may leave out. */
export function wallClock(): Date {
  return new Date();
}
