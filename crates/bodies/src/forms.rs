//! Multipart forms, read where they lie: what is in a part is never copied, as it may be a key.
//!
//! RFC 7578 over RFC 2046 §5.1. A part without a name is passed over; of parts with one name the last counts.
//! Transfer encodings, which RFC 7578 §4.7 ended, are not undone.

/// The longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_LIMIT: usize = 70;

/// The parts of a form that have a name, in order, by name and content; `None` where it is broken, or has more
/// parts than `limit`.
pub fn parts<'a>(
    content_type: &str,
    body: &'a [u8],
    limit: usize,
) -> Option<Vec<(String, &'a [u8])>> {
    let boundary = parameter(content_type, "boundary")?;
    if boundary.is_empty() || boundary.len() > BOUNDARY_LIMIT {
        return None;
    }
    let delimiter = format!("\r\n--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => split(body, delimiter)?.1,
    };
    let mut found = Vec::new();
    for _ in 0..=limit {
        if rest.starts_with(b"--") {
            return Some(found);
        }
        let (_, part) = split_line(rest)?;
        // A part without headers begins with the empty line that ends them.
        let (headers, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&b""[..], content),
            None => split(part, b"\r\n\r\n")?,
        };
        let (content, after) = split(content, delimiter)?;
        if let Some(name) = name(headers) {
            found.push((name, content));
        }
        rest = after;
    }
    None
}

/// What comes before a text and what comes after it.
fn split<'a>(octets: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = octets.windows(at.len()).position(|window| window == at)?;
    Some((&octets[..start], &octets[start + at.len()..]))
}

/// Splits after a line that has nothing but spaces on it.
fn split_line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = split(octets, b"\r\n")?;
    line.trim_ascii().is_empty().then_some((line, rest))
}

/// The name that the headers of a part give it.
fn name(headers: &[u8]) -> Option<String> {
    let headers = str::from_utf8(headers).ok()?;
    let disposition = headers.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    parameter(disposition, "name")
}

/// A parameter of a header, its quotes and escapes undone.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (key, value) = rest.split_once('=')?;
        let (value, after) = parameter_value(value.trim_start())?;
        if key.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        (_, rest) = after.split_once(';')?;
    }
}

/// A token or a quoted string, and what comes after it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=x";
    const LIMIT: usize = 100;

    fn read<'a>(kind: &str, body: &'a str) -> Option<Vec<(String, &'a str)>> {
        let text = |(name, content)| (name, str::from_utf8(content).unwrap());
        parts(kind, body.as_bytes(), LIMIT).map(|parts| parts.into_iter().map(text).collect())
    }

    #[test]
    fn parts_are_found_as_clients_write_them() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"bundle\"\r\n\r\ntrue\r\n\
                    --x\r\ncontent-type: application/x-pem-file\r\n\
                    content-disposition: form-data; filename=\"a;name=b\\\".pem\"; name=\"privateKey\"\r\n\r\n\
                    line\r\n--line\r\n\r\n--x--\r\n";
        let expected = [
            ("bundle".to_owned(), "true"),
            ("privateKey".to_owned(), "line\r\n--line\r\n"),
        ];
        assert_eq!(read(KIND, body).unwrap(), expected);
        for kind in [
            "multipart/form-data; boundary=\"x\"",
            "Multipart/Form-Data; charset=utf-8; Boundary=x; more=y",
        ] {
            assert_eq!(read(kind, body).unwrap(), expected);
        }
        let with_preamble = format!("ignored\r\n{body}ignored");
        assert_eq!(read(KIND, &with_preamble).unwrap(), expected);
    }

    #[test]
    fn empty_and_nameless_parts_are_taken() {
        assert_eq!(read(KIND, "--x--").unwrap(), []);
        let body = "--x  \r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--x\r\n\r\nnameless\r\n--x--";
        assert_eq!(read(KIND, body).unwrap(), [("a".to_owned(), "")]);
    }

    #[test]
    fn broken_forms_are_refused() {
        let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb";
        for body in [
            "",
            "--x",
            "--x\r\nbroken",
            "--y--",
            part,
            &format!("{part}--x--"),
            &format!("{part}\r\n--xx\r\n\r\n"),
        ] {
            assert_eq!(read(KIND, body), None, "{body}");
        }
        let whole = format!("{part}\r\n--x--");
        assert!(read(KIND, &whole).is_some());
        for kind in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"x",
            "multipart/form-data; border=x",
        ] {
            assert_eq!(read(kind, &whole), None, "{kind}");
        }
        let long = "x".repeat(71);
        assert_eq!(
            read(
                &format!("multipart/form-data; boundary={long}"),
                &format!("--{long}--")
            ),
            None
        );
        let many = "--x\r\n\r\n\r\n".repeat(LIMIT + 1) + "--x--";
        assert_eq!(read(KIND, &many), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(contents in prop::collection::vec("[^-]{0,20}", 0..5)) {
            let mut body = String::new();
            for content in &contents {
                body.push_str("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
                body.push_str(content);
                body.push_str("\r\n");
            }
            body.push_str("--x--\r\n");
            let read: Vec<String> = read(KIND, &body)
                .unwrap()
                .into_iter()
                .map(|(_, content)| content.to_owned())
                .collect();
            prop_assert_eq!(read, contents);
        }

        #[test]
        fn reading_never_panics(kind in ".{0,60}", body in "(--x|\r\n|-|:|;|\"|name=|[a-z]){0,40}") {
            let _ = parts(&kind, body.as_bytes(), LIMIT);
            let _ = parts(KIND, body.as_bytes(), LIMIT);
            let _ = parts(&format!("multipart/form-data; boundary={kind}"), body.as_bytes(), LIMIT);
        }
    }
}
