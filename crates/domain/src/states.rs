//! Lists of states and provinces, and how people write their names.

use unicode_normalization::UnicodeNormalization;

/// A state or province of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct State {
    /// Its name, as the list has it.
    pub name: &'static str,
    /// What else it is called.
    pub aliases: &'static [&'static str],
}

/// The state that a text names, as its list writes it: whatever the case, accents, punctuation and order of the words,
/// and without the words that only say what it is. It may be named in two languages, with a slash or brackets between.
pub fn state_of(states: &[State], text: &str) -> Option<&'static str> {
    if let Some(name) = named(states, text) {
        return Some(name);
    }
    let mut parts = text
        .split(['/', '(', ')'])
        .filter(|part| !part.trim().is_empty());
    let name = named(states, parts.next()?)?;
    parts
        .all(|part| named(states, part) == Some(name))
        .then_some(name)
}

fn named(states: &[State], text: &str) -> Option<&'static str> {
    let wanted = folded(text);
    let mut states = states.iter().filter(|state| {
        let mut names = std::iter::once(&state.name).chain(state.aliases);
        names.any(|name| folded(name) == wanted)
    });
    states.next().map(|state| state.name)
}

/// Words of a name that say what it is, and those between others.
const PASSED_OVER: [&str; 11] = [
    "a",
    "comunidad",
    "de",
    "del",
    "el",
    "foral",
    "la",
    "las",
    "principado",
    "provincia",
    "region",
];

/// The words that count, in the order of the alphabet.
fn folded(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_mark(*c)).collect();
    let plain = plain.to_lowercase();
    let words = plain.split(|c: char| !c.is_alphanumeric());
    let mut words: Vec<String> = words
        .filter(|word| !word.is_empty() && !PASSED_OVER.contains(word))
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words
}

/// Whether a character is an accent that was taken apart from its letter.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

const fn state(name: &'static str) -> State {
    also(name, &[])
}

const fn also(name: &'static str, aliases: &'static [&'static str]) -> State {
    State { name, aliases }
}

/// Spanish provinces as the registry of .es writes them.
pub const SPANISH_PROVINCES: &[State] = &[
    state("Albacete"),
    also("Alicante", &["Alacant"]),
    state("Almeria"),
    also("Araba", &["Alava"]),
    also("Asturias", &["Oviedo"]),
    state("Avila"),
    state("Badajoz"),
    state("Barcelona"),
    also("Bizkaia", &["Vizcaya", "Biscay"]),
    state("Burgos"),
    state("Caceres"),
    state("Cadiz"),
    also("Cantabria", &["Santander"]),
    also(
        "Castellon",
        &["Castello", "Castellón de la Plana", "Castelló de la Plana"],
    ),
    state("Ceuta"),
    state("Ciudad Real"),
    state("Cordoba"),
    also("Coruña, A", &["Corunna"]),
    state("Cuenca"),
    also("Gipuzkoa", &["Guipuzcoa"]),
    also("Girona", &["Gerona"]),
    state("Granada"),
    state("Guadalajara"),
    state("Huelva"),
    state("Huesca"),
    also(
        "Illes Balears",
        &[
            "Balears",
            "Baleares",
            "Islas Baleares",
            "Balearic Islands",
            "Mallorca",
        ],
    ),
    state("Jaen"),
    state("Leon"),
    also("Lleida", &["Lerida"]),
    state("Lugo"),
    state("Madrid"),
    state("Malaga"),
    state("Melilla"),
    state("Murcia"),
    also("Navarra", &["Nafarroa", "Navarre"]),
    also("Ourense", &["Orense"]),
    state("Palencia"),
    also(
        "Palmas, Las",
        &["Las Palmas de Gran Canaria", "Gran Canaria"],
    ),
    state("Pontevedra"),
    also("Rioja, La", &["Logroño"]),
    state("Salamanca"),
    also(
        "Santa Cruz de Tenerife",
        &["Tenerife", "Sta. Cruz de Tenerife", "S.C. Tenerife"],
    ),
    state("Segovia"),
    also("Sevilla", &["Seville"]),
    state("Soria"),
    state("Tarragona"),
    state("Teruel"),
    state("Toledo"),
    state("Valencia"),
    state("Valladolid"),
    state("Zamora"),
    also("Zaragoza", &["Saragossa"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn provinces_are_found_as_people_write_them() {
        for (text, name) in [
            ("Almería", "Almeria"),
            ("ALMERIA", "Almeria"),
            ("a coruña", "Coruña, A"),
            ("La Coruña", "Coruña, A"),
            ("Coruna, A", "Coruña, A"),
            ("Coruña", "Coruña, A"),
            ("las palmas", "Palmas, Las"),
            ("La Rioja", "Rioja, La"),
            ("Vizcaya", "Bizkaia"),
            ("Guipúzcoa", "Gipuzkoa"),
            ("Álava", "Araba"),
            ("Islas Baleares", "Illes Balears"),
            ("Comunidad de Madrid", "Madrid"),
            ("Principado de Asturias", "Asturias"),
            ("Región de Murcia", "Murcia"),
            ("Comunidad Foral de Navarra", "Navarra"),
            ("Sta Cruz de Tenerife", "Santa Cruz de Tenerife"),
            ("Ciudad  Real", "Ciudad Real"),
            ("A Coruña/La Coruña", "Coruña, A"),
            ("Coruña (A)", "Coruña, A"),
            ("Girona/Gerona", "Girona"),
            ("Lleida (Lérida)", "Lleida"),
            ("Ourense / Orense", "Ourense"),
            ("Castelló de la Plana", "Castellon"),
            ("Bizkaia/Vizcaya", "Bizkaia"),
            ("Valencia/València", "Valencia"),
        ] {
            assert_eq!(state_of(SPANISH_PROVINCES, text), Some(name), "{text}");
        }
        for text in [
            "",
            "A",
            "La",
            "Lisboa",
            "Madrid Barcelona",
            "Madrid/Barcelona",
            "/",
        ] {
            assert_eq!(state_of(SPANISH_PROVINCES, text), None, "{text}");
        }
    }

    #[test]
    fn no_name_means_two_provinces() {
        let names = SPANISH_PROVINCES
            .iter()
            .flat_map(|state| std::iter::once(&state.name).chain(state.aliases));
        let mut seen = BTreeSet::new();
        for name in names {
            assert!(seen.insert(folded(name)), "{name}");
            assert!(state_of(SPANISH_PROVINCES, name).is_some());
        }
        assert_eq!(SPANISH_PROVINCES.len(), 52);
    }
}
