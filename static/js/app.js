/* Makes better what works without it: swaps, focus, pressed buttons, trouble, shown passwords. */

// Not from the page's head: what is read comes before what enlivens it.
import "../vendor/htmx-4.0.1.min.js";

const OURS = [200, 409, 410, 422, 429, 503]; // statuses whose answers replace the step
const main = document.getElementById("main");
const status = document.getElementById("status");

const say = (words) => {
  if (status) status.textContent = words;
};

const isStep = (target) => target === main;

// Our answers name their address; a platform's error page or a captive portal's does not.
const isOurs = ({ response, hx }) => Boolean(hx?.replaceurl) && OURS.includes(response.status);

/* Swaps */

document.addEventListener("htmx:config:request", (event) => {
  const { sourceElement, request } = event.detail.ctx;
  if (sourceElement.matches("[data-poll]") && document.hidden) event.preventDefault();
  const sends = sourceElement.dataset.sends?.split(" ");
  if (sends) {
    for (const name of new Set(request.body.keys())) {
      if (!sends.includes(name)) request.body.delete(name);
    }
  }
});

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  const { status: code } = ctx.response;
  if (isStep(ctx.target) ? isOurs(ctx) : code === 200) {
    tasks.forEach(dropAutofocus);
    if (isStep(ctx.target)) tasks.forEach(keepElements);
    return follow(ctx);
  }
  event.preventDefault();
  if (isStep(ctx.target)) showTrouble(ctx, code >= 500 || code < 400 ? "busy" : "refused");
});

// `autofocus` is for whole pages. In a page that already has focus, browsers log a warning about it.
const dropAutofocus = ({ fragment }) => {
  for (const element of fragment.querySelectorAll("[autofocus]")) element.removeAttribute("autofocus");
};

// The same step again is merged into the one shown: a field that has the focus keeps it, and so a
// phone keeps its keyboard open.
const keepElements = (task) => {
  if (nameOf(task.fragment.querySelector("[data-step]")) !== shown) return;
  task.swapSpec.style = "innerMorph";
  task.transition = task.swapSpec.transition = false;
};

// The server never sends a password back. It stays only where nothing was wrong with what was typed.
const clearPasswords = (step) => {
  for (const field of step.querySelectorAll("[type=password]:not([data-keeps])")) field.value = "";
};

document.addEventListener("htmx:after:settle", (event) => {
  if (isStep(event.target)) placeFocus();
});

// Address and title change at once. htmx would wait until the step has finished moving in.
const follow = ({ hx, title }) => {
  if (hx?.replaceurl?.startsWith("/")) history.replaceState(null, "", hx.replaceurl);
  if (title) document.title = title;
};

/* Focus: the summary of errors; or the one field in error; or a new step's heading; or where it was. */

const nameOf = (step) => `${step?.dataset.step} ${step?.dataset.state}`;
let shown = nameOf(main?.firstElementChild);

const placeFocus = () => {
  const step = main.firstElementChild;
  const isNew = nameOf(step) !== shown;
  shown = nameOf(step);
  clearPasswords(step);
  const summary = step.querySelector("[data-summary]");
  const field = step.querySelector("[aria-invalid]");
  if (summary) focusOn(summary, summary, "start");
  else if (field) focusOn(field, field.closest(".field"), "nearest");
  else if (isNew || !main.contains(document.activeElement)) {
    step.querySelector("h1").focus({ preventScroll: true });
    if (isNew) scrollTo(0, 0);
  }
  step.querySelector("[data-notice]")?.scrollIntoView({ block: "nearest" });
  // Signed in: on to where the person came from, perhaps another site.
  if (step.dataset.onward) location.assign(step.dataset.onward);
};

// By themselves browsers scroll to the middle of what is focused, or, where a part of it is visible,
// not at all.
const focusOn = (element, whole, block) => {
  element.focus({ preventScroll: true });
  element.select?.();
  whole.scrollIntoView({ block });
};

/* Movement. A transition that is cut short (the page is left, hidden or resized meanwhile) rejects a
   promise that nobody waits for, which browsers report as an error. */

const ignoreSkip = (transition) => {
  transition?.ready.catch(() => {});
  return transition;
};

for (const name of ["pageswap", "pagereveal"]) {
  addEventListener(name, (event) => ignoreSkip(event.viewTransition)); // between pages
}

const startTransition = document.startViewTransition?.bind(document);
if (startTransition) document.startViewTransition = (update) => ignoreSkip(startTransition(update)); // htmx's

/* The pressed button says what is happening. It stays focusable, so focus is not lost. */

const pressedIn = ({ sourceElement, request }) =>
  request?.submitter ?? sourceElement.querySelector?.("[type=submit]");

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (isStep(ctx.target)) clearTrouble();
  const button = isStep(ctx.target) ? pressedIn(ctx) : null;
  if (!button?.dataset.busy) return;
  button.dataset.words = button.textContent;
  button.textContent = button.dataset.busy;
  button.classList.add("busy");
  button.setAttribute("aria-disabled", "true");
  say(button.dataset.busy);
});

document.addEventListener("htmx:finally:request", (event) => {
  const button = pressedIn(event.detail.ctx);
  if (!button?.dataset.words) return;
  button.textContent = button.dataset.words;
  delete button.dataset.words;
  button.classList.remove("busy");
  button.removeAttribute("aria-disabled");
});

/* Trouble: no answer of ours came. It is said above what was pressed, and everything typed stays. */

const clearTrouble = () => document.querySelector("[data-trouble]")?.remove();

const showTrouble = (ctx, kind) => {
  const { sourceElement, request } = ctx;
  if (!sourceElement.isConnected) return;
  clearTrouble();
  const panel = document.getElementById("trouble").content.cloneNode(true).firstElementChild;
  panel.querySelector("[data-words]").textContent =
    document.getElementById(`trouble-${kind}`).content.textContent;
  const pressed = pressedIn(ctx) ?? sourceElement;
  panel.querySelector("[data-try-again]").addEventListener("click", () => {
    pressed.focus();
    if (sourceElement.matches("form")) sourceElement.requestSubmit(request.submitter);
    else sourceElement.click();
  });
  say("");
  (pressed.closest(".buttons, .sent-to") ?? pressed).before(panel);
  panel.focus();
};

document.addEventListener("htmx:error", (event) => {
  const { ctx, error } = event.detail;
  if (!ctx || !isStep(ctx.target)) return;
  showTrouble(ctx, error === "timeout" ? "slow" : "offline");
});

/* The password can be read, and hides again when it is sent. */

const fieldOf = (button) => document.getElementById(button.getAttribute("aria-controls"));

const setReveal = (button, on) => {
  const { reveal, conceal } = button.dataset;
  fieldOf(button).type = on ? "text" : "password";
  button.querySelector("[data-word]").textContent = on ? conceal : reveal;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-reveal]");
  if (!button) return;
  const on = fieldOf(button).type === "password";
  setReveal(button, on);
  say(on ? button.dataset.revealed : button.dataset.concealed);
});

const conceal = (event) => {
  for (const button of event.target.querySelectorAll("[data-reveal]")) setReveal(button, false);
};

document.addEventListener("submit", conceal, { capture: true }); // before htmx reads the form

/* A step has arrived, and htmx has bound its forms: show what needs scripts, start its module. */

// Its module did not load, or the page was left before it had: the step works as without scripts.
const doWithout = () => {};

const enliven = () => {
  for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;
  const step = main?.querySelector("[data-step]:has([data-resend-in])");
  if (step && !step.dataset.started) import("./code.js").then(({ start }) => start(step, say), doWithout);
  const told = main?.querySelector("[data-delivers]"); // a piece of the step, which follows it
  if (told) told.closest("[data-step]").dataset.delivery = told.dataset.delivers;
  const form = main?.querySelector("[data-passkey]");
  if (form) import("./passkey.js").then(({ start }) => start(form), doWithout);
  const working = main?.querySelector("form[data-work]");
  if (working) import("./work.js").then(({ start }) => start(working), doWithout);
};

document.addEventListener("htmx:after:process", enliven);
