// The one way in which pages ask the API.

export const prefix = document.querySelector("meta[name=prefix]").content;

/** An address of this server, below the prefix of a proxy: address("/v1/inspections", {limit: 5}). */
export function address(path, search = {}) {
  const given = Object.entries(search).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return prefix + path + (query ? `?${query}` : "");
}

/** Why something was not done: `message` is one sentence for a person; `fields` maps names of values to what is wrong. */
export class Problem extends Error {
  constructor(status, document, retryAfter = null) {
    super(document.detail || "The server gave no answer that can be read: try again.");
    this.status = status;
    this.retryAfter = retryAfter; // seconds, where the server says when to try again
    this.kind = document.kind;
    this.fields = Object.fromEntries((document.errors || []).map((one) => [one.where.replace(/^(body|query|path)\./, ""), one.reason]));
  }
}

/**
 * Ask the API. `body` is sent as JSON, a FormData as a form. Gives the document of the answer, null where it has none.
 * Throws a Problem; where the server cannot be reached, one of status 0.
 */
export async function call(path, {method = "GET", body, search, signal} = {}) {
  const sent = {method, signal, headers: {Accept: "application/json"}};
  if (body instanceof FormData) {
    sent.body = body;
  } else if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(address(path, search), sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {detail: "The server cannot be reached: see whether it runs, then try again."});
  }
  if (answer.status === 401) {
    location.assign(address("/sign-in", {next: location.pathname.slice(prefix.length) + location.search}));
  }
  const text = await answer.text();
  let document = null;
  try {
    document = text ? JSON.parse(text) : null;
  } catch {
    document = {};
  }
  if (!answer.ok) {
    const wait = answer.headers.get("Retry-After");
    throw new Problem(answer.status, document || {}, wait === null ? null : Number(wait));
  }
  return document;
}
