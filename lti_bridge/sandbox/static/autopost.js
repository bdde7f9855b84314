// Submits the page's form at once; without JavaScript its button does the same.
document.querySelector("form[data-autopost]")?.submit();
