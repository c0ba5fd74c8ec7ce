/** Made by the build out of the API's contract: operation → [method, path below /api/v1, the box's own deadline where it is a long one, ms]. */
declare module 'virtual:operations' {
  export const operations: Readonly<Record<string, readonly [method: string, path: string, longMs?: number]>>;
}
