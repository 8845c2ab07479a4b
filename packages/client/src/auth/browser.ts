/** The parts of a browser that a log-in uses. */
export type Browser = {
  location: { href: string; assign(url: string): void };
  history: { replaceState(state: unknown, unused: string, url: string): void };
  sessionStorage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
};

/** The page that runs this. */
export function thisPage(): Browser {
  const page: object = globalThis;
  return page as Browser;
}
