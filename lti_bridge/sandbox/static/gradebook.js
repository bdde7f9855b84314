// Shows new grades without a reload; the page works the same without this.
const table = document.getElementById("grades");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(table.dataset.from ?? location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("grades").innerHTML;
    if (fresh !== table.innerHTML) table.innerHTML = fresh;
  } catch {
    // the LMS is away for a moment; the next round tries again
  }
}

setInterval(refresh, 1000);
