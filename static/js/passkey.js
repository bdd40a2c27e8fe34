/* A form that a passkey answers: asks the browser for one and sends its answer, or the name of the error, with the form.
   The words for every failure are the server's. */

const { PublicKeyCredential } = window;

let stopLast = () => {};

/** Bring the form to life; the one before it falls silent. */
export const start = (form) => {
  stopLast();
  const stopping = new AbortController();
  const { signal } = stopping;
  stopLast = () => stopping.abort();
  let waiting = new AbortController(); // for what autofill offers: browsers answer one question at a time
  signal.addEventListener("abort", () => waiting.abort());
  clear(form);

  const answer = async (mediation) => {
    try {
      send(form, "credential", JSON.stringify(await ask(form, mediation, waiting.signal)));
    } catch (error) {
      if (!signal.aborted && !mediation) send(form, "failure", error.name);
    }
  };

  form.addEventListener("submit", (event) => {
    if (form.elements.credential.value || form.elements.failure.value) return; // on to the server
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting.abort();
    waiting = new AbortController();
    setTimeout(answer); // while this event is under way the form cannot be sent again
  }, { capture: true, signal });
  document.addEventListener("htmx:after:swap", () => {
    if (!form.isConnected) stopLast();
  }, { signal });

  if ("autofill" in form.dataset) offer(() => answer("conditional"));
};

const clear = (form) => {
  for (const name of ["credential", "failure"]) form.elements[name].value = "";
};

const send = (form, name, value) => {
  clear(form);
  form.elements[name].value = value;
  form.requestSubmit();
};

const offer = async (answer) => {
  if (await PublicKeyCredential?.isConditionalMediationAvailable?.()) answer();
};

const ask = async (form, mediation, signal) => {
  const { passkey, makes } = form.dataset;
  if (!PublicKeyCredential?.parseRequestOptionsFromJSON) throw named("NotSupportedError");
  const response = await fetch(passkey, { method: "POST", redirect: "manual", signal });
  if (!response.ok) throw named("NetworkError");
  const options = await response.json();
  const deadline = performance.now() + options.timeout;
  const { credentials } = navigator;
  try {
    return makes === undefined
      ? await credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options), mediation, signal })
      : await credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options), signal });
  } catch (error) {
    // One name stands for both, so that pages learn little
    throw error.name === "NotAllowedError" && performance.now() >= deadline ? named("TimeoutError") : error;
  }
};

const named = (name) => new DOMException("", name);
