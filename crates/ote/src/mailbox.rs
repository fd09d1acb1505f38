//! The messages the platform sent in OTE mode, oldest first.
//!
//! A message is kept exactly as it came over SMTP; what the control surface shows is read from it. Only the newest
//! thousand are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use mail_parser::{Address, MessageParser};
use parking_lot::Mutex;

use crate::errors::OteError;
use crate::folders::Folder;

/// How many messages are kept; the oldest give way.
const MESSAGE_LIMIT: usize = 1000;

const GROUP: &str = "messages";

/// A caught message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredMail {
    /// Its number in the mailbox, ascending.
    pub id: u64,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses, separated by commas.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The Date header as RFC 3339; empty where the message has none.
    pub date: String,
    /// The text body, decoded; empty where there is none.
    pub text: String,
    /// The message as it was sent, after SMTP dot-stuffing was undone.
    pub raw: Arc<[u8]>,
}

/// Every message; shared between the SMTP server and the control surface.
#[derive(Debug)]
pub struct Mailbox {
    folder: Folder,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    messages: BTreeMap<u64, Arc<StoredMail>>,
}

impl Mailbox {
    /// An empty mailbox, kept in memory only.
    pub fn in_memory() -> Self {
        Self {
            folder: Folder::in_memory(),
            state: Mutex::default(),
        }
    }

    /// The messages left in `folder`.
    pub(crate) fn open(folder: Folder) -> Result<Self, OteError> {
        let mut state = State::default();
        for entry in folder.read_all()? {
            let Some(id) = entry
                .name
                .strip_suffix(".eml")
                .and_then(|id| id.parse().ok())
            else {
                continue;
            };
            state.last_id = state.last_id.max(id);
            state
                .messages
                .insert(id, Arc::new(StoredMail::read(id, entry.content)));
        }
        Ok(Self {
            folder,
            state: Mutex::new(state),
        })
    }

    /// Takes a message in, and gives its number.
    pub fn deliver(&self, raw: Vec<u8>) -> Result<u64, OteError> {
        let mut state = self.state.lock();
        let id = state.last_id + 1;
        self.folder.write(GROUP, &file_name(id), &raw)?;
        state.last_id = id;
        state
            .messages
            .insert(id, Arc::new(StoredMail::read(id, raw)));
        while state.messages.len() > MESSAGE_LIMIT {
            if let Some((oldest, _)) = state.messages.pop_first() {
                self.folder.remove(GROUP, &file_name(oldest))?;
            }
        }
        Ok(id)
    }

    /// Every message, oldest first.
    pub fn messages(&self) -> Vec<Arc<StoredMail>> {
        self.state.lock().messages.values().cloned().collect()
    }

    /// The message with this number.
    pub fn find(&self, id: u64) -> Option<Arc<StoredMail>> {
        self.state.lock().messages.get(&id).cloned()
    }

    /// Removes every message, and gives how many there were. Numbers are not used again before a restart.
    pub fn clear(&self) -> Result<usize, OteError> {
        let mut state = self.state.lock();
        let ids: Vec<u64> = state.messages.keys().copied().collect();
        for id in &ids {
            self.folder.remove(GROUP, &file_name(*id))?;
            state.messages.remove(id);
        }
        Ok(ids.len())
    }
}

impl StoredMail {
    fn read(id: u64, raw: Vec<u8>) -> Self {
        let raw: Arc<[u8]> = raw.into();
        let Some(message) = MessageParser::default().parse(&*raw) else {
            return Self {
                id,
                from: String::new(),
                to: String::new(),
                subject: String::new(),
                date: String::new(),
                text: String::new(),
                raw,
            };
        };
        Self {
            id,
            from: addresses(message.from()),
            to: addresses(message.to()),
            subject: message.subject().unwrap_or_default().to_owned(),
            date: message
                .date()
                .map(mail_parser::DateTime::to_rfc3339)
                .unwrap_or_default(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            raw: Arc::clone(&raw),
        }
    }
}

fn addresses(list: Option<&Address<'_>>) -> String {
    let addresses: Vec<&str> = list
        .into_iter()
        .flat_map(Address::iter)
        .filter_map(mail_parser::Addr::address)
        .collect();
    addresses.join(", ")
}

fn file_name(id: u64) -> String {
    format!("{id:06}.eml")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &str = "From: CA <ca@example.com>\r\nTo: admin@shop.example\r\n\
        Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\
        \r\nBest=C3=A4tigen\r\n";

    #[test]
    fn a_message_is_shown_decoded_and_kept_as_it_came() {
        let mailbox = Mailbox::in_memory();
        let id = mailbox.deliver(MESSAGE.into()).unwrap();
        let mail = mailbox.find(id).unwrap();
        assert_eq!(mail.from, "ca@example.com");
        assert_eq!(mail.to, "admin@shop.example");
        assert_eq!(mail.subject, "Grüße");
        assert_eq!(mail.date, "2026-11-22T10:00:00Z");
        assert_eq!(mail.text.trim_end(), "Bestätigen");
        assert_eq!(&*mail.raw, MESSAGE.as_bytes());
    }

    #[test]
    fn the_oldest_messages_give_way() {
        let mailbox = Mailbox::in_memory();
        for _ in 0..=MESSAGE_LIMIT {
            mailbox.deliver(MESSAGE.into()).unwrap();
        }
        assert_eq!(mailbox.messages().len(), MESSAGE_LIMIT);
        assert!(mailbox.find(1).is_none());
        assert_eq!(mailbox.clear().unwrap(), MESSAGE_LIMIT);
        assert_eq!(
            mailbox.deliver(MESSAGE.into()).unwrap(),
            MESSAGE_LIMIT as u64 + 2
        );
    }

    #[test]
    fn messages_survive_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path()).unwrap();
        Mailbox::open(folder.clone())
            .unwrap()
            .deliver(MESSAGE.into())
            .unwrap();
        let mailbox = Mailbox::open(folder).unwrap();
        assert_eq!(mailbox.find(1).unwrap().subject, "Grüße");
        assert_eq!(mailbox.deliver(MESSAGE.into()).unwrap(), 2);
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_mailbox(raw in prop::collection::vec(any::<u8>(), 0..300)) {
            let mailbox = Mailbox::in_memory();
            let id = mailbox.deliver(raw.clone()).unwrap();
            prop_assert_eq!(&*mailbox.find(id).unwrap().raw, raw.as_slice());
        }
    }
}
