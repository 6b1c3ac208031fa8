/** Returns what the page says first. */
export function greeting() {
  return "Low water at four";
}
