/* A step with something to send again: counts down to the next text, sends a pasted code, reads it from the text (WebOTP). */

const PAUSE = 500; // ms between the code's arrival and its being sent: long enough to see it
const JUMP = 2000; // ms by which the clocks may disagree before the server is asked again

let stopLast = () => {};
let sentCode = ""; // what was submitted without a press, so that it is never submitted so again

/** Bring a code step to life; the one before it falls silent. `say` announces to screen readers. */
export const start = (step, say) => {
  if (step.dataset.started) return;
  step.dataset.started = "";
  stopLast();
  const stopping = new AbortController();
  stopLast = () => stopping.abort();
  countDown(step.querySelector("[data-resend-in]"), say, stopping.signal);
  const form = step.querySelector("[data-code-form]");
  if (form) takeCode(form, say, stopping.signal);
};

/* Countdown: performance.now() keeps the seconds, since the wall clock may be changed. Where the two
   drift apart the machine slept or its clock was set, and only the server knows what is left. */

const countDown = (form, say, signal) => {
  const wait = form.querySelector(".wait");
  const number = form.querySelector("[data-countdown]");
  let until, drift;
  const begin = (seconds) => {
    until = performance.now() + seconds * 1000;
    drift = Date.now() - performance.now();
  };
  const hold = (waiting) => {
    form.classList.toggle("waiting", waiting);
    for (const button of form.querySelectorAll("button")) {
      if (waiting) button.setAttribute("aria-disabled", "true");
      else if (!button.classList.contains("busy")) button.removeAttribute("aria-disabled");
    }
  };
  const tick = async () => {
    if (signal.aborted) return;
    if (Math.abs(Date.now() - performance.now() - drift) > JUMP) begin(await askServer(until));
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left > 0) {
      number.textContent = inWords(left);
      return setTimeout(tick, 250);
    }
    hold(false);
    wait.textContent = form.dataset.ready;
    say(form.dataset.ready);
  };
  const seconds = Number(form.dataset.resendIn);
  if (!(seconds > 0)) return;
  form.addEventListener("submit", (event) => {
    if (!form.classList.contains("waiting")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true, signal });
  hold(true);
  begin(seconds);
  tick();
};

const askServer = async (until) => {
  const left = Math.max(0, (until - performance.now()) / 1000);
  try {
    const answer = await fetch(location.pathname, { headers: { "HX-Request": "true" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return Number(page.querySelector("[data-resend-in]")?.dataset.resendIn ?? left);
  } catch {
    return left;
  }
};

const inWords = (seconds) => {
  const [count, unit] = seconds > 120 ? [Math.ceil(seconds / 60), "minute"] : [seconds, "second"];
  const { lang } = document.documentElement;
  return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
};

/* The code: six digits that arrive at once (pasted, autofilled, from the text) are sent, unless the
   button is quicker; typed ones wait for the button. */

const codeIn = (text) => {
  const bound = /@[\w.-]+ #(\d{6})(?!\d)/.exec(text); // the last line of a text, for this site
  if (bound) return bound[1];
  const together = text.replace(/(\p{Nd})[\s\u2010-\u2015-]+(?=\p{Nd})/gu, "$1");
  const runs = together.match(/\p{Nd}+/gu) ?? [];
  const codes = runs.filter((run) => [...run].length === 6);
  return codes.length === 1 ? codes[0] : null;
};

const takeCode = (form, say, signal) => {
  const field = form.elements.code;
  let sending;
  const stay = () => clearTimeout(sending);
  const send = (code) => {
    if (code === sentCode) return;
    sentCode = code;
    field.value = code;
    form.requestSubmit();
  };
  field.addEventListener("input", (event) => {
    stay();
    const typed = event.data?.length === 1 || event.inputType?.startsWith("delete");
    const code = !typed && codeIn(field.value);
    if (code) sending = setTimeout(send, PAUSE, code);
  }, { signal });
  field.addEventListener("focus", () => {
    if (field.ariaInvalid) field.select(); // typed over, not added to
  }, { signal });
  form.addEventListener("submit", (event) => {
    if (!field.ariaInvalid || field.value !== field.defaultValue) return;
    // A press for a code that was sent when it was pasted and is known to be wrong by now
    event.preventDefault();
    event.stopImmediatePropagation();
    say(form.querySelector(".field-error").textContent);
    field.focus();
    field.select();
  }, { capture: true, signal });
  form.addEventListener("submit", stay, { signal });
  signal.addEventListener("abort", stay);
  readText(form, send, signal);
};

const readText = async (form, send, signal) => {
  if (!("OTPCredential" in window)) return;
  const reading = new AbortController();
  const stop = () => reading.abort();
  form.addEventListener("submit", stop, { signal });
  signal.addEventListener("abort", stop);
  try {
    const otp = { transport: ["sms"] };
    const text = await navigator.credentials.get({ otp, signal: reading.signal });
    if (text?.code) send(text.code);
  } catch {
    // refused, timed out or aborted: the code is typed instead
  }
};
