//! Lines of the log as they leave: one line for each event, and nothing in it that a terminal or a reader would obey.
//!
//! Much of what is logged was said by strangers. Control characters of both sets (C0, C1), marks that turn the direction
//! of text, separators of lines and other characters that cannot be seen are written as escapes, whatever part of an
//! event they come in; so one event is one line, and a line reads as it is.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// What a format lets through as it is, and how it writes an escape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Escapes {
    /// `\u{85}`; the formatter's own colours stay.
    Colours,
    /// `\u{85}`.
    Text,
    /// `\u0085`, as JSON writes it.
    Json,
}

/// Makes writers to standard error that escape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SafeLines(pub(crate) Escapes);

impl<'a> MakeWriter<'a> for SafeLines {
    type Writer = LineWriter<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter {
            to: io::stderr(),
            escapes: self.0,
        }
    }
}

/// Writes one event, which comes as one text that ends in a line feed.
pub(crate) struct LineWriter<W> {
    to: W,
    escapes: Escapes,
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.to.write_all(escaped(&text, self.escapes).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn escaped(event: &str, escapes: Escapes) -> String {
    let (line, end) = match event.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (event, ""),
    };
    let mut out = String::with_capacity(event.len());
    for (at, character) in line.char_indices() {
        let is_colour = escapes == Escapes::Colours && begins_colour(&line[at..]);
        if is_colour || !is_obeyed(character) {
            out.push(character);
        } else if escapes == Escapes::Json {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.extend(character.escape_unicode());
        }
    }
    out.push_str(end);
    out
}

/// Whether a text begins by choosing a colour (ECMA-48 §8.3.117, SGR): whatever else is a command to the terminal was
/// said by a stranger.
fn begins_colour(text: &str) -> bool {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return false;
    };
    let end = parameters.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    end.starts_with('m')
}

/// Whether a terminal or a reader does something at a character but show it.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (said, text, json) in [
            (
                "plain ü 名 \u{1f600}",
                "plain ü 名 \u{1f600}",
                "plain ü 名 \u{1f600}",
            ),
            ("a\u{9b}31mb", "a\\u{9b}31mb", "a\\u009b31mb"),
            (
                "a\u{85}b\u{2028}c",
                "a\\u{85}b\\u{2028}c",
                "a\\u0085b\\u2028c",
            ),
            (
                "a\u{202e}b\u{2066}c",
                "a\\u{202e}b\\u{2066}c",
                "a\\u202eb\\u2066c",
            ),
            (
                "a\nERROR b\rc",
                "a\\u{a}ERROR b\\u{d}c",
                "a\\u000aERROR b\\u000dc",
            ),
            ("a\u{e0041}b", "a\\u{e0041}b", "a\\udb40\\udc41b"),
            ("a\0\u{7f}b", "a\\u{0}\\u{7f}b", "a\\u0000\\u007fb"),
        ] {
            let event = format!("{said}\n");
            assert_eq!(escaped(&event, Escapes::Text), format!("{text}\n"));
            assert_eq!(escaped(&event, Escapes::Colours), format!("{text}\n"));
            assert_eq!(escaped(&event, Escapes::Json), format!("{json}\n"));
        }
        assert_eq!(escaped("\u{1b}[31mx\n", Escapes::Text), "\\u{1b}[31mx\n");
        assert_eq!(
            escaped("\u{1b}[1;31mx\n", Escapes::Colours),
            "\u{1b}[1;31mx\n"
        );
        for command in ["[2J", "]0;title\u{7}", "[31", "c"] {
            let said = format!("\u{1b}{command}\n");
            let escaped = escaped(&said, Escapes::Colours);
            assert!(escaped.starts_with("\\u{1b}"), "{escaped:?}");
        }
    }

    #[test]
    fn events_go_through_the_formatters_as_one_line_each() {
        use std::sync::{Arc, Mutex};

        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(octets);
                Ok(octets.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let logged = |escapes: Escapes| {
            let kept = Kept::default();
            let to = kept.clone();
            let writer = move || LineWriter {
                to: to.clone(),
                escapes,
            };
            let log = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(writer);
            let hostile = "x\u{9b}2J\u{202e}\ny";
            let event = || tracing::error!(%hostile, "said {hostile}");
            match escapes {
                Escapes::Json => tracing::subscriber::with_default(log.json().finish(), event),
                _ => tracing::subscriber::with_default(log.finish(), event),
            }
            let kept = kept.0.lock().unwrap();
            String::from_utf8(kept.clone()).unwrap()
        };
        for escapes in [Escapes::Text, Escapes::Json] {
            let line = logged(escapes);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.contains(['\u{9b}', '\u{202e}']), "{line:?}");
        }
        let json: serde_json::Value = serde_json::from_str(&logged(Escapes::Json)).unwrap();
        assert_eq!(
            json["fields"]["hostile"], "x\u{9b}2J\u{202e}\ny",
            "JSON says the same as before"
        );
    }
}
