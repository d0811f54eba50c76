/*
 * texts: which languages the pages speak, and which one this visitor gets.
 *
 * One file for each, texts-LANGUAGE.js, fetched when it is needed; to add a language
 * add its file and a row here. All have the same keys (a test compares them); {name}
 * stands for a value, and counts are worded so that no language needs a plural.
 * What an organization decides (how long a link lives, how long a password must be)
 * is never said in a text: it comes with the API's answer.
 */
export const languages = { en: "English", uk: "Українська", ru: "Русский" };

const spoken = tag => Object.keys(languages).find(code => tag?.toLowerCase().split(/[-_]/)[0] === code);

/* ?lang= wins, then what the browser prefers, then English. */
export function preferredLanguage(query) {
	return [query.get("lang"), ...navigator.languages].map(spoken).find(Boolean) ?? "en";
}

/* The visitor's own variety of the language (en-GB rather than en), for dates. */
export function localeOf(language) {
	return navigator.languages.find(tag => spoken(tag) === language) ?? language;
}

export async function loadTexts(language) {
	return (await import(`./texts-${language}.js`)).default;
}
