//! What an operator sets for a reseller: whose proofs its orders share, who gets its mail, what its pages say,
//! and whether it is suspended.
//!
//! Settings are kept as one JSON object. One that is absent has its default, so that a setting can be added
//! without touching the resellers that are there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contacts::is_email;
use crate::resellers::Reseller;
use crate::texts::{is_blank, is_misleading};

/// Which orders of a reseller may use a proof that another of its orders obtained.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofScope {
    /// None: a proof serves its order, with the reissues, replacements and renewals of it.
    #[default]
    Order,
    /// Those of the same customer, whom the order's administrator contact belongs to.
    Customer,
    /// All.
    Reseller,
}

impl ProofScope {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Order, Self::Customer, Self::Reseller];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Reseller => "reseller",
        }
    }

    /// Reads [`ProofScope::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// What an operator has to know before choosing it; `None` where nothing is given up.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Order => None,
            Self::Customer => Some(
                "orders of one customer share their proofs: whoever may order for that customer can obtain \
                 a certificate for every name the customer has proved, without showing control again. \
                 Contacts of the reseller's own stand for no customer: orders with such an administrator \
                 share nothing",
            ),
            Self::Reseller => Some(
                "all orders of this reseller share their proofs: once one of its customers has shown \
                 control of a domain, another customer of the reseller can obtain a certificate for the same \
                 domain without showing anything",
            ),
        }
    }
}

impl std::fmt::Display for ProofScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who gets the notices about a reseller's orders.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeRecipients {
    /// The reseller, at its own address.
    Reseller,
    /// The administrator and the technical contact of the order.
    #[default]
    Administrator,
    /// All of them.
    Both,
    /// Nobody.
    None,
}

impl NoticeRecipients {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reseller, Self::Administrator, Self::Both, Self::None];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reseller => "reseller",
            Self::Administrator => "administrator",
            Self::Both => "both",
            Self::None => "none",
        }
    }

    /// Reads [`NoticeRecipients::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.as_str() == text)
    }

    /// Whether the reseller is among them.
    pub fn include_reseller(self) -> bool {
        matches!(self, Self::Reseller | Self::Both)
    }

    /// Whether the people of the order are among them.
    pub fn include_administrator(self) -> bool {
        matches!(self, Self::Administrator | Self::Both)
    }
}

impl std::fmt::Display for NoticeRecipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an operator has set for a reseller.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ResellerSettings {
    /// Which of its orders share their proofs.
    pub proof_scope: ProofScope,
    /// Whether automatic replacement may certify the key in use again, unless the order says otherwise.
    pub reuse_keys: bool,
    /// Who gets the notices about its orders.
    pub notices_to: NoticeRecipients,
    /// The reseller's own address for mail.
    pub notice_email: Option<String>,
    /// The sender's name in mails about its orders.
    pub notice_sender: Option<String>,
    /// What stands below mails about its orders.
    pub notice_footer: Option<String>,
    /// Its company, as panels show it.
    pub company: Option<String>,
    /// The web address its panel is branded with.
    pub branding_url: Option<String>,
    /// When it was suspended; its programs are turned away since.
    pub suspended_at: Option<Timestamp>,
}

impl Default for ResellerSettings {
    fn default() -> Self {
        Self {
            proof_scope: ProofScope::default(),
            reuse_keys: true,
            notices_to: NoticeRecipients::default(),
            notice_email: None,
            notice_sender: None,
            notice_footer: None,
            company: None,
            branding_url: None,
            suspended_at: None,
        }
    }
}

/// What is to become of a reseller's name and settings. What is `None` stays; an empty text takes a setting away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResellerChanges {
    /// How the operator calls it.
    pub name: Option<String>,
    /// Which of its orders share their proofs.
    pub proof_scope: Option<ProofScope>,
    /// Whether automatic replacement may certify the key in use again.
    pub reuse_keys: Option<bool>,
    /// Who gets the notices about its orders.
    pub notices_to: Option<NoticeRecipients>,
    /// The reseller's own address for mail.
    pub notice_email: Option<String>,
    /// The sender's name in mails about its orders.
    pub notice_sender: Option<String>,
    /// What stands below mails about its orders.
    pub notice_footer: Option<String>,
    /// Its company.
    pub company: Option<String>,
    /// The web address its panel is branded with.
    pub branding_url: Option<String>,
}

/// Why a setting is refused. The names are those of the command line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// A text is too long.
    #[error("{setting}: at most {most} characters")]
    TooLong {
        /// Of which setting.
        setting: &'static str,
        /// How many characters it may have.
        most: usize,
    },
    /// A text has what is not seen, such as controls.
    #[error("{0}: it has control characters, or others that cannot be seen")]
    Unseen(&'static str),
    /// A reseller has a name.
    #[error("name: a reseller needs a name")]
    NoName,
    /// It is no address that mail can be sent to.
    #[error("notice-email: '{0}' is no e-mail address")]
    NoEmail(String),
    /// It is no web address.
    #[error("branding-url: '{0}' is no address of the form https://host or https://host/path")]
    NoUrl(String),
    /// Notices are to go to an address that is not set.
    #[error("notices-to: the reseller has no address for mail; set notice-email, too")]
    NowhereToSend,
}

/// One setting that changed, in words for the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Which one, by the name of the command line.
    pub setting: &'static str,
    /// What it was; empty where it was not set.
    pub from: String,
    /// What it is.
    pub to: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { setting, from, to } = self;
        write!(f, "{setting}: {from:?} -> {to:?}")
    }
}

/// Characters a name, a company or a sender may have.
const NAME_MAX: usize = 100;
/// Characters an e-mail address may have (RFC 5321 §4.5.3.1.3).
const EMAIL_MAX: usize = 254;
/// Characters a footer may have.
const FOOTER_MAX: usize = 1_000;
/// Characters a web address may have.
const URL_MAX: usize = 500;

impl ResellerChanges {
    /// The reseller as it is afterwards, or why it cannot be so.
    pub fn apply(&self, reseller: &Reseller) -> Result<Reseller, SettingError> {
        let mut changed = reseller.clone();
        if let Some(name) = &self.name {
            changed.name = line("name", name, NAME_MAX)?.ok_or(SettingError::NoName)?;
        }
        let settings = &mut changed.settings;
        settings.proof_scope = self.proof_scope.unwrap_or(settings.proof_scope);
        settings.reuse_keys = self.reuse_keys.unwrap_or(settings.reuse_keys);
        settings.notices_to = self.notices_to.unwrap_or(settings.notices_to);
        if let Some(text) = &self.notice_email {
            settings.notice_email = email(text)?;
        }
        if let Some(text) = &self.notice_sender {
            settings.notice_sender = line("notice-sender", text, NAME_MAX)?;
        }
        if let Some(text) = &self.notice_footer {
            settings.notice_footer = lines("notice-footer", text, FOOTER_MAX)?;
        }
        if let Some(text) = &self.company {
            settings.company = line("company", text, NAME_MAX)?;
        }
        if let Some(text) = &self.branding_url {
            settings.branding_url = web_address(text)?;
        }
        if settings.notices_to.include_reseller() && settings.notice_email.is_none() {
            return Err(SettingError::NowhereToSend);
        }
        Ok(changed)
    }
}

/// What differs between a reseller as it was and as it is, in words.
pub fn differences(before: &Reseller, after: &Reseller) -> Vec<Difference> {
    let texts = |reseller: &Reseller| {
        let ResellerSettings {
            proof_scope,
            reuse_keys,
            notices_to,
            notice_email,
            notice_sender,
            notice_footer,
            company,
            branding_url,
            suspended_at: _,
        } = &reseller.settings;
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            ("name", reseller.name.clone()),
            ("proof-scope", proof_scope.to_string()),
            ("reuse-keys", reuse_keys.to_string()),
            ("notices-to", notices_to.to_string()),
            ("notice-email", some(notice_email)),
            ("notice-sender", some(notice_sender)),
            ("notice-footer", some(notice_footer)),
            ("company", some(company)),
            ("branding-url", some(branding_url)),
        ]
    };
    let both = texts(before).into_iter().zip(texts(after));
    both.filter(|(before, after)| before != after)
        .map(|((setting, from), (_, to))| Difference { setting, from, to })
        .collect()
}

fn line(setting: &'static str, text: &str, most: usize) -> Result<Option<String>, SettingError> {
    if text.contains('\n') {
        return Err(SettingError::Unseen(setting));
    }
    lines(setting, text, most)
}

/// A text of some lines; `None` where there is nothing in it.
fn lines(setting: &'static str, text: &str, most: usize) -> Result<Option<String>, SettingError> {
    let text = text.trim();
    let is_unseen = |character: char| character != '\n' && is_misleading(character);
    if text.contains(is_unseen) {
        return Err(SettingError::Unseen(setting));
    }
    if text.chars().count() > most {
        return Err(SettingError::TooLong { setting, most });
    }
    match text.is_empty() {
        true => Ok(None),
        false if is_blank(text) => Err(SettingError::Unseen(setting)),
        false => Ok(Some(text.to_owned())),
    }
}

fn email(text: &str) -> Result<Option<String>, SettingError> {
    let text = line("notice-email", text, EMAIL_MAX)?;
    match text {
        Some(text) if !is_email(&text) => Err(SettingError::NoEmail(text)),
        other => Ok(other),
    }
}

/// An `http` or `https` URL of a host, without user names, that can stand in a page or a mail as it is.
fn web_address(text: &str) -> Result<Option<String>, SettingError> {
    let Some(text) = line("branding-url", text, URL_MAX)? else {
        return Ok(None);
    };
    let scheme = |scheme: &str| {
        let beginning = text.get(..scheme.len())?;
        let is_it = beginning.eq_ignore_ascii_case(scheme);
        is_it.then(|| &text[scheme.len()..])
    };
    let Some(rest) = scheme("https://").or_else(|| scheme("http://")) else {
        return Err(SettingError::NoUrl(text));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = match rest[..end].split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (&rest[..end], None),
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_host = !host.is_empty() && host.bytes().all(is_part);
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic())
        && !rest.contains(['"', '\'', '<', '>', '\\', '`']);
    match is_host && is_port && is_plain {
        true => Ok(Some(text)),
        false => Err(SettingError::NoUrl(text)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Currency;
    use crate::resellers::ResellerId;

    fn a_reseller() -> Reseller {
        Reseller {
            id: ResellerId(2001),
            name: "Panel Ltd".to_owned(),
            currency: Currency::parse("USD").unwrap(),
            created_at: Timestamp::UNIX_EPOCH,
            settings: ResellerSettings::default(),
            version: 1,
        }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_proof_serves_its_own_order_unless_an_operator_says_otherwise() {
        let settings: ResellerSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, ResellerSettings::default());
        assert_eq!(settings.proof_scope, ProofScope::Order);
        assert!(settings.reuse_keys);
        assert_eq!(settings.notices_to, NoticeRecipients::Administrator);
        for scope in ProofScope::ALL {
            assert_eq!(ProofScope::parse(scope.as_str()), Some(scope));
            assert_eq!(scope.warning().is_none(), scope == ProofScope::Order);
        }
        for who in NoticeRecipients::ALL {
            assert_eq!(NoticeRecipients::parse(who.as_str()), Some(who));
        }
    }

    #[test]
    fn what_changed_is_told_setting_by_setting() {
        let before = a_reseller();
        let changes = ResellerChanges {
            proof_scope: Some(ProofScope::Customer),
            notices_to: Some(NoticeRecipients::Both),
            notice_email: text(" ssl@panel.example "),
            notice_footer: text("Panel Ltd\n1 High Street"),
            branding_url: text("https://panel.example/ssl"),
            ..ResellerChanges::default()
        };
        let after = changes.apply(&before).unwrap();
        let told = differences(&before, &after);
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                r#"proof-scope: "order" -> "customer""#,
                r#"notices-to: "administrator" -> "both""#,
                r#"notice-email: "" -> "ssl@panel.example""#,
                r#"notice-footer: "" -> "Panel Ltd\n1 High Street""#,
                r#"branding-url: "" -> "https://panel.example/ssl""#,
            ]
        );
        let back = ResellerChanges {
            notices_to: Some(NoticeRecipients::None),
            notice_email: text(""),
            ..ResellerChanges::default()
        };
        assert_eq!(back.apply(&after).unwrap().settings.notice_email, None);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let refused = |changes: ResellerChanges| changes.apply(&a_reseller()).unwrap_err();
        let none = ResellerChanges::default;
        for name in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            let name = text(name);
            refused(ResellerChanges { name, ..none() });
        }
        for email in [
            "nobody",
            "a@b",
            "a b@shop.example",
            "a@shop.example, b@shop.example",
        ] {
            let notice_email = text(email);
            let changes = ResellerChanges {
                notice_email,
                ..none()
            };
            assert!(
                matches!(refused(changes), SettingError::NoEmail(_)),
                "{email}"
            );
        }
        for url in [
            "panel.example",
            "javascript:alert(1)",
            "https://",
            "https://user@panel.example",
            "https://panel.example:port",
            "https://panel.example/\"><script>",
            "ftp://panel.example",
        ] {
            let branding_url = text(url);
            let changes = ResellerChanges {
                branding_url,
                ..none()
            };
            assert!(matches!(refused(changes), SettingError::NoUrl(_)), "{url}");
        }
        let notices_to = Some(NoticeRecipients::Reseller);
        let changes = ResellerChanges {
            notices_to,
            ..none()
        };
        assert_eq!(refused(changes), SettingError::NowhereToSend);
        let notice_sender = text("Panel\r\nBcc: x@y.example");
        assert_eq!(
            refused(ResellerChanges {
                notice_sender,
                ..none()
            }),
            SettingError::Unseen("notice-sender")
        );
    }

    proptest! {
        #[test]
        fn what_is_set_can_be_set_again_and_read_back(
            email in ".{0,20}", sender in ".{0,20}", footer in "(.|\n){0,30}", url in "(https?://)?.{0,20}",
        ) {
            let changes = ResellerChanges {
                notice_email: Some(email), notice_sender: Some(sender), notice_footer: Some(footer),
                branding_url: Some(url), ..ResellerChanges::default()
            };
            let Ok(changed) = changes.apply(&a_reseller()) else { return Ok(()) };
            let settings = changed.settings.clone();
            let again = ResellerChanges {
                notice_email: settings.notice_email.clone(),
                notice_sender: settings.notice_sender.clone(),
                notice_footer: settings.notice_footer.clone(),
                branding_url: settings.branding_url.clone(),
                ..ResellerChanges::default()
            };
            let again = again.apply(&changed).unwrap();
            prop_assert_eq!(&again, &changed);
            let kept = serde_json::to_string(&settings).unwrap();
            prop_assert_eq!(serde_json::from_str::<ResellerSettings>(&kept).unwrap(), settings);
        }
    }
}
