//! Everything the OTE world holds, in one value.

use std::path::Path;
use std::sync::Arc;

use crate::errors::OteError;
use crate::folders::Folder;
use crate::mailbox::Mailbox;
use crate::web_files::WebFiles;
use crate::zones::Zones;

/// What the three servers serve and the control surface changes. Clones share it.
#[derive(Clone, Debug)]
pub struct OteWorld {
    /// For the DNS server.
    pub zones: Arc<Zones>,
    /// For the web server.
    pub web: Arc<WebFiles>,
    /// For the mail server.
    pub mailbox: Arc<Mailbox>,
}

impl OteWorld {
    /// A fresh world that ends with the process.
    pub fn in_memory() -> Self {
        Self {
            zones: Arc::new(Zones::in_memory()),
            web: Arc::new(WebFiles::in_memory()),
            mailbox: Arc::new(Mailbox::in_memory()),
        }
    }

    /// The world kept in `folder`, which is made where it is missing. One process at a time may use it.
    pub fn open(folder: &Path) -> Result<Self, OteError> {
        let part = |name: &str| Folder::open(&folder.join(name));
        Ok(Self {
            zones: Arc::new(Zones::open(part("zones")?, part("records")?)?),
            web: Arc::new(WebFiles::open(part("web")?)?),
            mailbox: Arc::new(Mailbox::open(part("mail")?)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner_names::OwnerName;
    use crate::records::{RecordKind, RecordSetText};
    use crate::web_files::{WebFile, WebHead};

    #[test]
    fn a_world_is_found_again_as_it_was_left() {
        let home = tempfile::tempdir().unwrap();
        let name = OwnerName::parse("_dnsauth.shop.kiosk").unwrap();
        let text: RecordSetText = serde_json::from_str(r#"{"values":["a","b"],"ttl":5}"#).unwrap();
        let file = WebFile {
            head: WebHead {
                status: 302,
                location: Some("/x".to_owned()),
                ..WebHead::default()
            },
            body: "line 1\nline 2".into(),
        };
        let host = OwnerName::parse("shop.test").unwrap();

        let world = OteWorld::open(home.path()).unwrap();
        world
            .zones
            .add_zone(&OwnerName::parse("kiosk").unwrap())
            .unwrap();
        world
            .zones
            .put(&name, RecordKind::Txt, text.clone())
            .unwrap();
        world
            .web
            .put(&host, "/.well-known/a b", file.clone())
            .unwrap();
        world.web.put(&host, "/gone", file.clone()).unwrap();
        world.web.delete(&host, "/gone").unwrap();
        world
            .mailbox
            .deliver(b"Subject: 1\r\n\r\n".to_vec())
            .unwrap();

        let world = OteWorld::open(home.path()).unwrap();
        assert_eq!(world.zones.zones().len(), 6);
        let records = world.zones.records();
        assert_eq!(
            (records.len(), &records[0].name, &records[0].set),
            (1, &name, &text)
        );
        assert_eq!(world.web.find(&host, "/.well-known/a b"), Some(file));
        assert_eq!(world.web.files().len(), 1);
        assert_eq!(world.mailbox.messages().len(), 1);
    }
}
