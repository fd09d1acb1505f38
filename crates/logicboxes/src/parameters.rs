//! The parameters of a call: those of the query string and those of the body, as one.
//!
//! Clients put them in either or both, as a form, as multipart, or behind a header that promises a body which
//! does not come. What cannot be read as parameters is passed over, since the query string may be enough: a body
//! that is something else, and whatever has a name with broken escapes or not in UTF-8. A value that cannot be
//! read refuses the call where it is asked for, by the parameter's name. An empty value is no value. Unknown names
//! are nobody's concern, whatever their values.
//!
//! A name may come more than once: as an array that is what is meant, and for anything else the values must be
//! the same. Handlers read with [`Parameters::required`] and its siblings, which name what is wrong themselves:
//! use `?` on each. That what a method requires is there, they need not mind: the pipeline has looked before, so
//! that a parameter that is missing is told before one that is wrong. Values are secrets, some of them, and so do
//! not print.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chancery_bodies::forms;
use percent_encoding::percent_decode;

use crate::errors::Obstacle;

/// The longest body taken, in octets.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// How many parameters a call may have: many are an attempt to keep us busy.
const MOST_PARAMETERS: usize = 1000;

/// How many digits couple a name of a map with its value.
const LONGEST_NUMBER: usize = 9;

/// The parameters of a call.
#[derive(Default)]
pub(crate) struct Parameters {
    /// Values by name.
    given: BTreeMap<String, Values>,
    count: usize,
}

/// The values of one name.
#[derive(Default)]
struct Values {
    /// Those that can be read, in the order they came, none of them empty.
    texts: Vec<String>,
    /// Whether there is one that cannot be read.
    has_unreadable: bool,
}

impl Parameters {
    /// Merges what a query string and a body hold.
    pub(crate) fn merge(
        query: Option<&str>,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Self, Obstacle> {
        let mut all = Self::default();
        all.add_form(query.unwrap_or_default().as_bytes())?;
        match content_type.map(media_type) {
            // A body that says nothing of itself is taken for the one that it is nearly always.
            None => all.add_form(body)?,
            Some(media) if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
                all.add_form(body)?;
            }
            Some(media) if media.eq_ignore_ascii_case("multipart/form-data") => {
                all.add_parts(content_type.unwrap_or_default(), body)?;
            }
            Some(_) => {}
        }
        Ok(all)
    }

    fn add_form(&mut self, form: &[u8]) -> Result<(), Obstacle> {
        let pairs = form
            .split(|octet| *octet == b'&')
            .filter(|pair| !pair.is_empty());
        for pair in pairs {
            let end = pair.iter().position(|octet| *octet == b'=');
            let (name, value) = match end {
                Some(end) => (&pair[..end], &pair[end + 1..]),
                None => (pair, &b""[..]),
            };
            if let Some(name) = decode(name) {
                self.add(&name, decode(value))?;
            }
        }
        Ok(())
    }

    fn add_parts(&mut self, content_type: &str, body: &[u8]) -> Result<(), Obstacle> {
        // Its length bounds the parts; those with a name are counted like all parameters.
        let parts = forms::parts(content_type, body, body.len()).unwrap_or_default();
        for (name, content) in parts {
            let value = str::from_utf8(content).ok();
            self.add(&name, value.map(Cow::Borrowed))?;
        }
        Ok(())
    }

    /// Adds a value: none where it cannot be read.
    fn add(&mut self, name: &str, value: Option<Cow<'_, str>>) -> Result<(), Obstacle> {
        // A NUL is in nobody's text, and not every database could keep it or look for it.
        if name.contains('\0') {
            return Ok(());
        }
        self.count += 1;
        if self.count > MOST_PARAMETERS {
            return Err(Obstacle::TooManyParameters(MOST_PARAMETERS));
        }
        let name = without_index(name);
        match value.filter(|value| !value.contains('\0')) {
            None => self.values(name).has_unreadable = true,
            Some(value) if value.trim().is_empty() => {}
            Some(value) => self.values(name).texts.push(value.into_owned()),
        }
        Ok(())
    }

    fn values(&mut self, name: &str) -> &mut Values {
        self.given.entry(name.to_owned()).or_default()
    }

    /// Whether there is a value of this name, be it one that cannot be read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A parameter that has to be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Obstacle> {
        self.optional(name)?.ok_or(Obstacle::Missing(name))
    }

    /// A parameter that may be there.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>, Obstacle> {
        let Some((first, more)) = self.list(name)?.split_first() else {
            return Ok(None);
        };
        match more.iter().all(|value| value == first) {
            true => Ok(Some(first)),
            false => Err(Obstacle::Ambiguous(name.to_owned())),
        }
    }

    /// A whole number that has to be there.
    pub(crate) fn required_integer(&self, name: &'static str) -> Result<i64, Obstacle> {
        self.integer(name)?.ok_or(Obstacle::Missing(name))
    }

    /// A whole number that may be there.
    pub(crate) fn integer(&self, name: &'static str) -> Result<Option<i64>, Obstacle> {
        let text = self.optional(name)?;
        text.map(|text| whole(name, text)).transpose()
    }

    /// `true` or `false` in any case, which may be there.
    pub(crate) fn boolean(&self, name: &'static str) -> Result<Option<bool>, Obstacle> {
        match self.optional(name)?.map(str::trim) {
            None => Ok(None),
            // Python writes `True`.
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Obstacle::Malformed(name)),
        }
    }

    /// All values of a name: an array, which may be empty. Its order has no meaning.
    pub(crate) fn list(&self, name: &str) -> Result<&[String], Obstacle> {
        match self.given.get(name) {
            None => Ok(&[]),
            Some(values) if values.has_unreadable => Err(Obstacle::Unreadable(name.to_owned())),
            Some(values) => Ok(&values.texts),
        }
    }

    /// All values of a name that has to be there.
    pub(crate) fn required_list(&self, name: &'static str) -> Result<&[String], Obstacle> {
        match self.list(name)? {
            [] => Err(Obstacle::Missing(name)),
            list => Ok(list),
        }
    }

    /// All values of a name, each a whole number.
    pub(crate) fn integers(&self, name: &'static str) -> Result<Vec<i64>, Obstacle> {
        let list = self.list(name)?.iter();
        list.map(|text| whole(name, text)).collect()
    }

    /// A map: `attr-name1=…&attr-value1=…` and so on, for `attr`. The number couples a name with its value,
    /// wherever they stand and whatever numbers are left out. A name without a value is not in it.
    pub(crate) fn map(&self, prefix: &str) -> Result<BTreeMap<String, String>, Obstacle> {
        let mut map = BTreeMap::new();
        let start = format!("{prefix}-name");
        let named = self.given.range(start.clone()..);
        for (parameter, _) in named.take_while(|(parameter, _)| parameter.starts_with(&start)) {
            let number = &parameter[start.len()..];
            let is_number = number.bytes().all(|octet| octet.is_ascii_digit());
            if number.is_empty() || number.len() > LONGEST_NUMBER || !is_number {
                continue;
            }
            let name = self.optional(parameter)?.unwrap_or_default();
            let of_value = format!("{prefix}-value{number}");
            let Some(value) = self.optional(&of_value)? else {
                continue;
            };
            let before = map.insert(name.to_owned(), value.to_owned());
            if before.is_some_and(|before| before != value) {
                return Err(Obstacle::Ambiguous(of_value));
            }
        }
        Ok(map)
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.given.keys()).finish()
    }
}

/// Reads the parameters of a request and the map `attr` in them, as any method might: an entrance for fuzzers.
/// Tells how many names there are and the refusal's text, if there is one.
pub fn read_parameters(query: &str, content_type: &str, body: &[u8]) -> (usize, Option<String>) {
    let content_type = Some(content_type).filter(|text| !text.is_empty());
    let all = match Parameters::merge(Some(query), content_type, body) {
        Ok(all) => all,
        Err(obstacle) => return (0, Some(obstacle.message())),
    };
    let read = all
        .map("attr")
        .and_then(|_| all.optional("name"))
        .and_then(|_| all.integers("contact-id"))
        .and_then(|_| all.boolean("include-invalid"));
    (
        all.given.len(),
        read.err().map(|obstacle| obstacle.message()),
    )
}

/// Reads the map `attr` of a form, as any method might: an entrance for fuzzers. Tells the refusal's text, too.
pub fn read_attributes(form: &[u8]) -> (BTreeMap<String, String>, Option<String>) {
    let all = Parameters::merge(None, None, form);
    match all.and_then(|all| all.map("attr")) {
        Ok(map) => (map, None),
        Err(obstacle) => (BTreeMap::new(), Some(obstacle.message())),
    }
}

/// A whole number. Languages that count time in fractions write `1577836800.0`.
fn whole(name: &'static str, text: &str) -> Result<i64, Obstacle> {
    let text = text.trim();
    let number = match text.split_once('.') {
        Some((number, zeros)) if zeros.bytes().all(|octet| octet == b'0') => number,
        _ => text,
    };
    number.parse().map_err(|_| Obstacle::Malformed(name))
}

/// What a content type is without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// A name as it is meant: PHP clients number the items of an array, `type[0]`.
fn without_index(name: &str) -> &str {
    let stripped = name
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['));
    match stripped {
        Some((name, index)) if index.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => name,
    }
}

/// A name or value of a form, its escapes undone; `None` where one is broken or the text is not UTF-8.
fn decode(text: &[u8]) -> Option<Cow<'_, str>> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|octet| *octet == b'%') {
        let digits = rest.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    if text.contains(&b'+') {
        let spaced = text
            .iter()
            .map(|octet| if *octet == b'+' { b' ' } else { *octet });
        let spaced: Vec<u8> = spaced.collect();
        let decoded = percent_decode(&spaced).decode_utf8().ok()?;
        return Some(Cow::Owned(decoded.into_owned()));
    }
    percent_decode(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");

    fn query(text: &str) -> Parameters {
        Parameters::merge(Some(text), None, b"").unwrap()
    }

    fn refusal(query: &str, kind: Option<&str>, body: &[u8]) -> String {
        Parameters::merge(Some(query), kind, body)
            .unwrap_err()
            .message()
    }

    /// Which parameter could not be read.
    fn unreadable<T: fmt::Debug>(read: Result<T, Obstacle>) -> String {
        match read.unwrap_err() {
            Obstacle::Unreadable(name) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn query_and_body_are_one() {
        let all = Parameters::merge(Some("a=1&type=x"), FORM, b"b=2+3&type=y").unwrap();
        assert_eq!(all.required("a").unwrap(), "1");
        assert_eq!(all.required("b").unwrap(), "2 3");
        assert_eq!(all.list("type").unwrap(), ["x", "y"]);
        assert_eq!(all.list("none").unwrap(), [""; 0]);
        let all = Parameters::merge(None, None, b"a=%C3%A9&&=&b").unwrap();
        assert_eq!(all.optional("a").unwrap(), Some("é"));
        assert_eq!(all.optional("b").unwrap(), None);
    }

    #[test]
    fn multipart_bodies_are_read() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nZoë + 100%\r\n\
                    --x\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nContact\r\n--x--\r\n";
        let kind = Some("multipart/form-data; boundary=x");
        let all = Parameters::merge(Some("type=UkContact"), kind, body.as_bytes()).unwrap();
        assert_eq!(all.required("name").unwrap(), "Zoë + 100%");
        assert_eq!(all.list("type").unwrap(), ["UkContact", "Contact"]);
        let body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--x--";
        let all = Parameters::merge(Some("b=1"), kind, body).unwrap();
        assert_eq!(all.required("b").unwrap(), "1");
        assert_eq!(unreadable(all.optional("a")), "a");
    }

    #[test]
    fn bodies_that_hold_nothing_are_passed_over() {
        for kind in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "text/plain",
            "application/json",
            "",
            ";",
        ] {
            for body in ["", "{", "--x", "name=other"] {
                let all = Parameters::merge(Some("name=a"), Some(kind), body.as_bytes()).unwrap();
                assert_eq!(all.required("name").unwrap(), "a", "{kind} {body}");
            }
        }
    }

    #[test]
    fn broken_escapes_and_other_encodings_are_refused_by_name() {
        for text in [
            "name=%zz",
            "name=%4",
            "name=a%",
            "name=%",
            "name=%ff",
            "name=%c3",
            "name=a%00b",
            "name=b&name=%zz",
            "name[0]=%zz",
        ] {
            let in_body = Parameters::merge(Some("a=1"), FORM, text.as_bytes()).unwrap();
            for all in [query(&format!("a=1&{text}")), in_body] {
                assert_eq!(all.required("a").unwrap(), "1", "{text}");
                assert!(all.has("name"));
                assert_eq!(unreadable(all.optional("name")), "name");
                assert_eq!(unreadable(all.list("name")), "name");
                assert_eq!(unreadable(all.integers("name")), "name");
            }
        }
        let map = |text| query(text).map("attr");
        assert_eq!(
            unreadable(map("attr-name1=%zz&attr-value1=b")),
            "attr-name1"
        );
        assert_eq!(
            unreadable(map("attr-name1=a&attr-value1=%ff")),
            "attr-value1"
        );
        assert_eq!(
            map("attr-name1=a&attr-value1=b&attr-value2=%zz")
                .unwrap()
                .len(),
            1
        );
        assert_eq!(query("name=100%25").required("name").unwrap(), "100%");
    }

    #[test]
    fn what_has_no_readable_name_is_passed_over() {
        let binary: Vec<u8> = (0..8000_u32).map(|n| (n * 7 % 256) as u8).collect();
        let ampersands = b"\xff&".repeat(5000);
        for body in [
            &br#"{"a":"100%"}"#[..],
            b"%zz=1&n\xff=1&%00=1",
            &binary,
            &ampersands,
        ] {
            for kind in [FORM, None] {
                let all = Parameters::merge(Some("name=a&%ff%0a=x&%=1"), kind, body).unwrap();
                assert_eq!(all.required("name").unwrap(), "a");
            }
        }
    }

    #[test]
    fn empty_is_absent() {
        let all = query("address-line-2=&fax=+%20&name=a&name=");
        assert_eq!(all.optional("address-line-2").unwrap(), None);
        assert_eq!(all.optional("fax").unwrap(), None);
        assert_eq!(all.required("name").unwrap(), "a");
        let missing = all.required("address-line-2").unwrap_err();
        assert_eq!(
            missing.message(),
            "Required parameter missing: address-line-2"
        );
    }

    #[test]
    fn a_scalar_may_be_repeated_but_not_contradicted() {
        assert_eq!(query("name=a&name=a").required("name").unwrap(), "a");
        let error = query("name=a&name=b").required("name").unwrap_err();
        assert!(error.message().contains("name"));
        assert!(
            query("attr-name1=a&attr-value1=b&attr-value1=c")
                .map("attr")
                .is_err()
        );
        assert!(
            query("attr-name1=a&attr-value1=b&attr-name2=a&attr-value2=c")
                .map("attr")
                .is_err()
        );
        assert!(
            query("attr-name1=a&attr-value1=b&attr-name2=a&attr-value2=b")
                .map("attr")
                .is_ok()
        );
    }

    #[test]
    fn numbers_and_booleans_are_read() {
        let all = query(
            "contact-id=5&contact-id=6&page-no=+0+&a=true&b=TRUE&no=no&c=1.0&half=1.5&d=99999999999999999999",
        );
        assert_eq!(all.integers("contact-id").unwrap(), [5, 6]);
        assert_eq!(all.required_integer("page-no").unwrap(), 0);
        assert_eq!(all.boolean("a").unwrap(), Some(true));
        assert_eq!(all.boolean("none").unwrap(), None);
        assert_eq!(all.boolean("b").unwrap(), Some(true));
        assert!(all.boolean("no").is_err());
        assert_eq!(all.integer("c").unwrap(), Some(1));
        assert!(all.integer("half").is_err() && all.integer("d").is_err());
        assert!(all.required_integer("none").is_err());
    }

    #[test]
    fn arrays_may_be_numbered() {
        assert_eq!(
            query("type%5B0%5D=a&type[1]=b&type[]=c&type=d")
                .list("type")
                .unwrap(),
            ["a", "b", "c", "d"]
        );
        assert_eq!(query("type[x]=a").list("type").unwrap(), [""; 0]);
        assert!(query("").required_list("type").is_err());
    }

    #[test]
    fn maps_are_coupled_by_number() {
        let all = query(
            "attr-value6=f&attr-name0=a&attr-name1=b&attr-value0=1&attr-name6=g&attr-value1=2&attr-value9=x\
             &attr-name8=y&attr-names=z&attr-name=q&attr-value=q&attr-name7=&attr-value7=h\
             &attr-name1234567890=i&attr-value1234567890=j",
        );
        let map = all.map("attr").unwrap();
        let pairs: Vec<(&str, &str)> = map
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        assert_eq!(pairs, [("a", "1"), ("b", "2"), ("g", "f")]);
    }

    #[test]
    fn many_parameters_are_refused() {
        let attributes = |count: usize| -> String {
            (1..=count)
                .map(|n| format!("attr-name{n}=a{n}&attr-value{n}=b&"))
                .collect()
        };
        assert_eq!(query(&attributes(500)).map("attr").unwrap().len(), 500);
        assert!(refusal(&attributes(10_000), None, b"").contains("1000"));
        assert!(refusal("", FORM, attributes(10_000).as_bytes()).contains("1000"));
        assert!(refusal("a=1", FORM, attributes(500).as_bytes()).contains("1000"));
    }

    #[test]
    fn values_do_not_print() {
        assert_eq!(format!("{:?}", query("api-key=s3cret")), "{\"api-key\"}");
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_is_read(
            pairs in prop::collection::vec(("[a-z]{1,5}", "[^\0]{0,10}[a-zé&=+%]"), 0..20),
            split in 0_usize..20,
        ) {
            let encode = |pairs: &[(String, String)]| -> String {
                let encode = |text: &str| {
                    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
                };
                let pairs: Vec<String> =
                    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
                pairs.join("&")
            };
            let split = split.min(pairs.len());
            let body = encode(&pairs[split..]);
            let all = Parameters::merge(Some(&encode(&pairs[..split])), FORM, body.as_bytes()).unwrap();
            for (name, _) in &pairs {
                let wanted: Vec<&String> =
                    pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value).collect();
                prop_assert!(all.list(name).unwrap().iter().eq(wanted));
            }
        }

        #[test]
        fn reading_never_panics(query in ".{0,60}", kind in ".{0,40}", body in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read_parameters(&query, &kind, &body);
            let _ = read_parameters(&query, "", &body);
            let _ = read_parameters("", &format!("multipart/form-data; boundary={kind}"), &body);
        }
    }
}
