/** Nominal types: a branded value can only be minted by the parse function of its kind. */
declare const brand: unique symbol;

export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A count of octets. */
export type Bytes = number;
/** A span of time in milliseconds. */
export type Milliseconds = number;

/** The end of an exhaustive `switch`: a new member of the union breaks the build here. */
export function assertNever(value: never): never {
  throw new TypeError(`Unexpected value ${JSON.stringify(value)}`);
}
