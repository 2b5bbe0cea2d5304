import { loadWords, post, word } from "/page/words.js";

await loadWords();

async function signIn(token) {
  const answer = await post("/login", { token });
  if (!answer.error) {
    history.replaceState(null, "", "/"); // the token is not to stay in the address
    location.reload();
  }
  document.getElementById("wrong").textContent = answer.error ? word("login_wrong") : "";
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(document.getElementById("token").value);
});

// A screen on a wall has no keyboard: https://station/#token=… What is behind # is sent to nobody.
function signInBy(hash) {
  const given = new URLSearchParams(hash.slice(1)).get("token");
  if (given) signIn(given);
}
addEventListener("hashchange", () => signInBy(location.hash));
signInBy(location.hash);
