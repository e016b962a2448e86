// What every page does: ask again after a refusal that passes.
const refused = document.querySelector("[data-retry-after]");
if (refused) setTimeout(() => location.reload(), Number(refused.dataset.retryAfter) * 1000);
