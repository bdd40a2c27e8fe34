/* A form that asks for a proof of work: solves ALTCHA's tasks one after the other, puts the answer into the form,
   and sends it. The browser does the sums beside the page (Web Crypto), which stays usable meanwhile. */

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

/** The counters and keys that answer the tasks of a challenge. */
export const solve = async ({ challenges }) => {
  const solutions = [];
  for (const { parameters } of challenges) solutions.push(await solveTask(parameters));
  return solutions;
};

const solveTask = async ({ nonce, salt, cost, keyLength, keyPrefix }) => {
  const password = new Uint8Array([...bytes(nonce), 0, 0, 0, 0]);
  const view = new DataView(password.buffer, password.length - 4);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  for (let counter = 0; ; counter += 1) {
    view.setUint32(0, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(how, key, keyLength * 8)));
    if (derivedKey.startsWith(keyPrefix)) return { counter, derivedKey, time: 0 };
  }
};

let last = "";

/** Solve what the form asks for, once, and send it. */
export const start = async (form) => {
  const field = form.elements.work;
  if (!field || field.value === last) return;
  last = field.value;
  const payload = JSON.parse(atob(last));
  payload.solutions = await solve(payload);
  const current = document.querySelector("form[data-work]"); // the same form again, if it was sent meanwhile
  if (current?.elements.work.value !== last) return; // answered, or left
  last = current.elements.work.value = btoa(JSON.stringify(payload));
  if (current.elements.password?.value !== "") current.requestSubmit(current.querySelector("[data-pressed]"));
};
