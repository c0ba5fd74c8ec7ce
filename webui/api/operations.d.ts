/** Made by the build out of the API's contract: operation → [method, path below /api/v1]. */
declare module 'virtual:operations' {
  export const operations: Readonly<Record<string, readonly [method: string, path: string]>>;
}
