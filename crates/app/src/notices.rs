//! What people are told by mail, and the words for it.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::Challenge;
use chancery_domain::certificates::Certificate;
use chancery_domain::issuances::NameControl;
use chancery_domain::names::DomainName;
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::OrderId;
use chancery_domain::revocations::{Requester, RevocationReason};
use chancery_outside::mail::Mail;
use chancery_store::Change;
use chancery_store::orders::OrderFile;

use crate::jobs::hex;
use crate::{App, AppError};

impl App {
    /// Adds a notice and the job that mails it, unless the same was told before.
    pub(crate) async fn tell_once(
        &self,
        change: &mut Change,
        told: &[News],
        file: &OrderFile,
        news: News,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if told.contains(&news) {
            return Ok(());
        }
        let notice = Notice {
            id: NoticeId(self.row_id().await?),
            order: file.order.id,
            certificate: file.order.certificate,
            news,
            created_at: now,
            sent_at: None,
        };
        Self::put_notice(&self.store, change, &notice, file.order.reseller).await
    }

    /// The message of a notice; the same each time.
    pub(crate) fn notice_mail(
        &self,
        notice: &Notice,
        file: &OrderFile,
        certificate: Option<&Certificate>,
        to: Vec<String>,
    ) -> Mail {
        let order = &file.order;
        let name = order.common_name();
        let names: Vec<&str> = order.names.iter().map(DomainName::as_str).collect();
        let revoked = certificate.map_or_else(String::new, revoked);
        let certificate = certificate.map_or_else(String::new, |held| {
            let ends = date(held.validity.not_after);
            format!("Certificate: serial {}, until {ends}\n", hex(&held.serial))
        });
        let term_end = order.term_end(notice.created_at);
        let (subject, text) = match notice.news {
            News::CsrWanted(_) => (
                format!("A new CSR is needed for {name}"),
                "Two thirds of the certificate's life are over, and it is time to replace it. Its\n\
                 key is not to be used again, so please make a new key and a CSR, and send the CSR\n\
                 with a reissue of the order. It costs nothing. Where the order allows its key to\n\
                 be used again, this happens by itself.\n"
                    .to_owned(),
            ),
            News::ControlWanted(_) => (
                format!("Show control of {name} again"),
                format!(
                    "The certificate is about to be replaced, with the same key. For these names\n\
                     control has to be shown again first; the rest happens by itself:\n\n{}",
                    wanted(file.issuance.unproved())
                ),
            ),
            News::CertificateEnding(_, left) => (
                format!("The certificate for {name} ends in {}", in_days(left)),
                "Nothing replaces it by itself: the order waits for a new CSR, or for control of\n\
                 its names to be shown. Ask for the order's authorization info to see which, and\n\
                 reissue the order or show control before the certificate ends.\n"
                    .to_owned(),
            ),
            News::OrderEnding(left) => (
                format!("The order for {name} ends in {}", in_days(left)),
                order_ending(order.renewed_by),
            ),
            News::CertificateRevoked(_) => {
                (format!("The certificate for {name} was revoked"), revoked)
            }
            News::CompanionLost(_) => {
                let free = self.free_name(order);
                let free = free.map_or_else(|| "its free name".to_owned(), |name| name.to_string());
                (
                    format!("The certificate for {name} does not cover {free} any more"),
                    companion_lost(&free),
                )
            }
            News::CaRevoked(_) => (
                format!("The certificate for {name} has to be replaced now"),
                CA_REVOKED.to_owned(),
            ),
        };
        let text = format!(
            "Order:       {}\nProduct:     {}\nNames:       {}\n{certificate}Term:        until {}\n\n{text}",
            order.id,
            order.product_name,
            names.join(", "),
            date(term_end),
        );
        Mail {
            to,
            subject,
            text,
            message_id: format!("notice-{}-{}@chancery", notice.id, order.id),
            date: notice.created_at,
        }
    }
}

/// That a certificate was revoked, why, and what to do.
fn revoked(certificate: &Certificate) -> String {
    let Some(revocation) = certificate.revocation() else {
        return String::new();
    };
    let why = match revocation.reason {
        RevocationReason::Unspecified => "no reason was given".to_owned(),
        reason => format!("the reason is {reason}"),
    };
    let next = match revocation.reason {
        RevocationReason::KeyCompromise => {
            "Its key was reported as compromised and is never certified again. Take it off every\n\
             server, make a new key and a CSR with it, and reissue the order: it costs nothing.\n"
        }
        _ => {
            "Programs that look at revocation lists do not accept it any more. Where a certificate\n\
             is still needed, reissue the order: it costs nothing.\n"
        }
    };
    format!(
        "The certificate was revoked on {}; {why}. It was asked for by the {}.\n\n{next}",
        date(revocation.at),
        match &revocation.by {
            Requester::Reseller => "reseller",
            Requester::KeyHolder => "holder of its key",
            Requester::Operator(_) => "operator",
            Requester::Platform => "platform",
        },
    )
}

/// What is asked for each name, a line or two each.
fn wanted<'a>(controls: impl Iterator<Item = &'a NameControl>) -> String {
    let line = |control: &NameControl| match &control.challenge {
        Challenge::Dns {
            record_type,
            host,
            value,
        } => {
            let record = record_type.as_str();
            format!("{}: DNS record {host} {record} {value}\n", control.name)
        }
        Challenge::File { file_name, value } => {
            let directory = chancery_domain::authorizations::FILE_DIRECTORY;
            let url = format!("http://{}{directory}{file_name}", control.name);
            format!("{}: {url} with the content {value}\n", control.name)
        }
        Challenge::Email { approver } => {
            format!(
                "{}: an approval mail was sent to {approver}\n",
                control.name
            )
        }
    };
    controls.map(line).collect()
}

/// What is to be done before an order ends that no running one renews.
fn order_ending(renewed_by: Option<OrderId>) -> String {
    match renewed_by {
        None => {
            "No certificate is issued under the order after its end. Renew it before: what is\n\
                 left of its term is added to the new one.\n"
                .to_owned()
        }
        Some(renewal) => format!(
            "Order {renewal} renews it, but has no certificate yet. Ask for that order's\n\
             authorization info to see what it waits for, and see to it before the end.\n"
        ),
    }
}

/// Why a free name is missing, and how it comes back.
fn companion_lost(free: &str) -> String {
    format!(
        "The certificates of the order have covered {free} so far for nothing, since it was\n\
         shown at the same place as the names that were asked for. This time control was shown\n\
         at a place that says nothing of {free}. If it is still needed, reissue the order with\n\
         {free} among its names, and show control of it. It costs nothing.\n"
    )
}

/// What is to be done after the CA was revoked.
const CA_REVOKED: &str = "The issuing CA that signed the certificate was revoked, and browsers will refuse it.\n\
    Where the order allows its key to be used again, another certificate is being issued by\n\
    itself: download it with its chain and install both as soon as it is there. Where it does\n\
    not, please make a new key and a CSR now, and send the CSR with a reissue of the order.\n\
    Neither costs anything.\n";

fn in_days(left: u32) -> String {
    match left {
        1 => "one day".to_owned(),
        _ => format!("{left} days"),
    }
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
