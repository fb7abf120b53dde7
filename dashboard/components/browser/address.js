// Puts what is shown into the dialog's title, and into the address without a step of history: Back
// closes it, however far one has walked through what is open.
export default function ({ data }) {
  const title = document.querySelector("[role=dialog] h2[slot=title] p");
  if (title) title.textContent = data.title;
  const address = new URL(window.location.href);
  if (!address.searchParams.has(data.parameter)) return;
  if (address.searchParams.get(data.parameter) === data.value) return;
  address.searchParams.set(data.parameter, data.value);
  window.history.replaceState(window.history.state, "", address);
}
