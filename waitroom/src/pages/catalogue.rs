//! The pages' words, in every language there is. A language is one file of `catalogue/`: plain messages with
//! `{braces}`, and for those with a number one form a plural category (CLDR).

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use serde::Deserialize;
use serde_json::json;

/// Every language, the default first: its code (BCP 47) and its file.
const FILES: [(&str, &str); 6] = [
    ("en", include_str!("../../catalogue/en.toml")),
    ("es", include_str!("../../catalogue/es.toml")),
    ("fr", include_str!("../../catalogue/fr.toml")),
    ("de", include_str!("../../catalogue/de.toml")),
    ("ja", include_str!("../../catalogue/ja.toml")),
    ("ar", include_str!("../../catalogue/ar.toml")),
];

static ALL: LazyLock<Vec<Catalogue>> =
    LazyLock::new(|| FILES.iter().map(|(code, file)| Catalogue::read(code, file)).collect());

/// One language.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// BCP 47.
    pub(super) code: &'static str,
    pub(super) language: Language,
    messages: BTreeMap<String, Message>,
    plurals: PluralRules,
    /// What the scripts say, as JSON that may stand in a `<script>`.
    pub(super) live: String,
}

/// What is true of a language besides its messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    /// As it calls itself.
    pub(super) name: String,
    /// `ltr` or `rtl`.
    pub(super) dir: String,
    /// Between thousands, as `Intl.NumberFormat` writes it.
    group: String,
    /// The first number that is grouped.
    group_from: u64,
    /// Stands after the hours of an estimate for half an hour more.
    pub(super) half: String,
    /// `strftime`, for readers whose browser does not say it in their own time.
    pub(super) moment: String,
    pub(super) hour: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Message {
    Plain(String),
    /// By plural category.
    Counted(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: Language,
    live: BTreeMap<String, Message>,
    page: BTreeMap<String, Message>,
}

impl Catalogue {
    /// All of them, the default first.
    pub(super) fn all() -> &'static [Self] {
        &ALL
    }

    pub(super) fn of(code: &str) -> Option<&'static Self> {
        Self::all().iter().find(|catalogue| catalogue.code == code)
    }

    /// The files are part of the program, and every one is read by the tests.
    fn read(code: &'static str, file: &str) -> Self {
        let File { language, live, page } =
            toml::from_str(file).unwrap_or_else(|error| panic!("catalogue/{code}.toml: {error}"));
        Self::new(code, language, live, page)
    }

    fn new(
        code: &'static str,
        language: Language,
        live: BTreeMap<String, Message>,
        page: BTreeMap<String, Message>,
    ) -> Self {
        let locale: Locale = code.parse().expect("a language tag");
        let plurals = PluralRules::try_new_cardinal(locale.into()).expect("plural rules are compiled in");
        let told = json!({ "half": &language.half, "messages": &live, "reasons": reasons(&live) });
        // no end of the script, and no start of another, can stand in it
        let told = told.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        Self { code, language, messages: live.into_iter().chain(page).collect(), plurals, live: told }
    }

    /// The message `key`.
    pub(super) fn text(&self, key: &str) -> &str {
        match self.messages.get(key) {
            Some(Message::Plain(text)) => text,
            found => {
                debug_assert!(false, "{}: {key} is {found:?}", self.code);
                ""
            }
        }
    }

    /// The message `key` with one of its braces filled in.
    pub(super) fn with(&self, key: &str, name: &str, value: &str) -> String {
        fill(self.text(key), &[(name, value)])
    }

    /// The message `key` in the form for `n`, and `{n}` in it written as this language does.
    pub(super) fn count(&self, key: &str, n: u64) -> String {
        self.counted(key, self.category(n), &[("n", &self.number(&n))])
    }

    /// The message `key` in the form for `n`.
    pub(super) fn counted(&self, key: &str, category: &str, values: &[(&str, &str)]) -> String {
        match self.messages.get(key) {
            Some(Message::Counted(forms)) => {
                fill(forms.get(category).or(forms.get("other")).map_or("", String::as_str), values)
            }
            found => {
                debug_assert!(false, "{}: {key} is {found:?}", self.code);
                String::new()
            }
        }
    }

    /// The plural category of a whole number.
    pub(super) fn category(&self, n: u64) -> &'static str {
        name_of(self.plurals.category_for(n))
    }

    /// 1204332 as "1,204,332", or as this language writes it. Templates pass references.
    pub(super) fn number(&self, number: &u64) -> String {
        let digits = number.to_string();
        if *number < self.language.group_from {
            return digits;
        }
        let mut text = String::new();
        for (index, digit) in digits.char_indices() {
            let group = if index > 0 && (digits.len() - index).is_multiple_of(3) { &self.language.group } else { "" };
            write!(text, "{group}{digit}").expect("a string takes any text");
        }
        text
    }
}

/// What admission itself says when it pauses a drop is known in every language; an operator's words are not.
fn reasons(live: &BTreeMap<String, Message>) -> BTreeMap<&'static str, &Message> {
    live.get("reason-shop-silent").map(|said| (admission::BOOKING_SILENT, said)).into_iter().collect()
}

impl serde::Serialize for Message {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => text.serialize(serializer),
            Self::Counted(forms) => forms.serialize(serializer),
        }
    }
}

fn name_of(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

/// `{name}` by its value; a brace without a value stays, so that it is seen.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    impl Catalogue {
        /// A language whose every message is marked, so that what comes from elsewhere can be told.
        pub(crate) fn marked() -> &'static Self {
            let File { mut language, live, page } = toml::from_str(FILES[0].1).unwrap();
            (language.moment, language.hour) = ("%s".to_owned(), "%s".to_owned()); // no names of months
            let mark = |messages: BTreeMap<String, Message>| {
                let marked = |(key, message)| match message {
                    Message::Plain(text) => (key, Message::Plain(format!("⟦{text}⟧"))),
                    Message::Counted(forms) => {
                        let forms = forms.into_iter().map(|(category, text)| (category, format!("⟦{text}⟧")));
                        (key, Message::Counted(forms.collect()))
                    }
                };
                messages.into_iter().map(marked).collect()
            };
            Box::leak(Box::new(Self::new("en", language, mark(live), mark(page))))
        }
    }

    fn braces(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split_once('}').expect("a closing brace").0).collect()
    }

    /// Every form of a message, by plural category; a plain one has the empty category.
    fn forms(message: &Message) -> Vec<(&str, &str)> {
        match message {
            Message::Plain(text) => vec![("", text)],
            Message::Counted(forms) => {
                forms.iter().map(|(category, text)| (category.as_str(), text.as_str())).collect()
            }
        }
    }

    #[test]
    fn every_language_has_every_message_with_its_braces() {
        let english = &Catalogue::all()[0];
        for catalogue in Catalogue::all() {
            let of = catalogue.code;
            let keys: [BTreeSet<&String>; 2] = [english, catalogue].map(|c| c.messages.keys().collect());
            let apart: Vec<_> = keys[0].symmetric_difference(&keys[1]).collect();
            assert!(apart.is_empty(), "{of}: {apart:?}");
            for (key, message) in &catalogue.messages {
                let expected: BTreeSet<&str> =
                    forms(&english.messages[key]).into_iter().flat_map(|(_, text)| braces(text)).collect();
                for (category, text) in forms(message) {
                    let mut has = braces(text);
                    if matches!(category, "zero" | "one" | "two") {
                        has.extend(expected.get("n")); // "two minutes" may say its number in words
                    }
                    assert_eq!(has, expected, "{of}: {key}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_message_with_a_number_has_the_plural_forms_of_its_language() {
        for catalogue in Catalogue::all() {
            let needed: BTreeSet<&str> = catalogue.plurals.categories().map(name_of).collect();
            for (key, message) in &catalogue.messages {
                if let Message::Counted(forms) = message {
                    let has: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
                    assert_eq!(has, needed, "{}: {key}", catalogue.code);
                }
            }
        }
        let sizes = Catalogue::all().iter().map(|catalogue| catalogue.plurals.categories().count());
        assert_eq!(sizes.collect::<Vec<_>>(), [2, 3, 3, 2, 1, 6], "en es fr de ja ar");
    }

    #[test]
    fn messages_are_plain_text_without_loose_ends() {
        for catalogue in Catalogue::all() {
            for (key, text) in catalogue
                .messages
                .iter()
                .flat_map(|(key, message)| forms(message).into_iter().map(move |(_, t)| (key, t)))
            {
                assert!(!text.contains(['<', '>', '&', '\n', '"']), "{}: {key}: {text}", catalogue.code);
                assert!(!text.is_empty() && text.trim() == text, "{}: {key}: {text:?}", catalogue.code);
            }
            assert!(!catalogue.live.contains(['<', '>', '&']));
        }
    }

    /// Nothing is used that is not there, and nothing is there that is not used.
    #[test]
    fn messages_and_their_users_know_each_other() {
        let users = [
            include_str!("../../templates/join.html"),
            include_str!("../../templates/queue.html"),
            include_str!("../../templates/parts.html"),
            include_str!("../../templates/frame.html"),
            include_str!("../../templates/draw.html"),
            include_str!("draw.rs"),
            include_str!("words.rs"),
            include_str!("face.rs"),
            include_str!("show.rs"),
            include_str!("catalogue.rs"),
            include_str!("../../assets/words.js"),
            include_str!("../../assets/faces.js"),
            include_str!("../../assets/join.js"),
            include_str!("../../assets/queue.js"),
            include_str!("../../assets/stream.js"),
            include_str!("../../assets/alerts.js"),
        ];
        let all = &Catalogue::all()[0].messages;
        let quoted: BTreeSet<&str> = users.iter().flat_map(|user| user.split('"').skip(1)).collect();
        let unused: Vec<_> = all.keys().filter(|key| !quoted.contains(key.as_str())).collect();
        assert!(unused.is_empty(), "nobody says {unused:?}");
        for call in ["say.text(\"", "say.with(\"", "say.count(\"", "say.counted(\"", " t(\"", "(t(\"", "plural(\""] {
            for key in users.iter().flat_map(|user| user.split(call).skip(1)).filter_map(|rest| rest.split('"').next())
            {
                assert!(all.contains_key(key) || key.contains(' '), "{key} is in no catalogue");
            }
        }
    }

    #[test]
    fn numbers_are_grouped_as_browsers_group_them() {
        let said = |code| [999, 1_234, 12_345, 1_204_332].map(|n| Catalogue::of(code).unwrap().number(&n)).join(" ");
        assert_eq!(said("en"), "999 1,234 12,345 1,204,332");
        assert_eq!(said("es"), "999 1234 12.345 1.204.332");
        assert_eq!(said("fr"), "999 1\u{202f}234 12\u{202f}345 1\u{202f}204\u{202f}332");
        assert_eq!(said("de"), "999 1.234 12.345 1.204.332");
        assert_eq!(said("ja"), said("en"));
        assert_eq!(said("ar"), said("en"), "Latin digits");
    }

    #[test]
    fn people_are_counted_as_each_language_counts() {
        let said = |code, n| Catalogue::of(code).unwrap().count("ahead", n);
        assert_eq!(said("en", 1), "1 person is ahead of you");
        assert_eq!(said("fr", 1_000_000), "1\u{202f}000\u{202f}000 de personnes devant vous");
        assert_eq!(said("ar", 2), "أمامك شخصان");
        assert_eq!(said("ar", 7), "أمامك 7 أشخاص");
        assert_eq!(said("ar", 1_411), "أمامك 1,411 شخصًا");
        assert_eq!(said("ar", 100), "أمامك 100 شخص");
    }
}
