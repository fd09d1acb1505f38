//! Sending one notice.

use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::NextStep;
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::Order;
use chancery_domain::resellers::{NoticeRecipients, ResellerSettings};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

impl App {
    /// Mails a notice to one party, if the reseller wants it to go there, unless it is out of date by now. It may go
    /// out twice, unchanged, when the process dies between the mail server's answer and the commit.
    pub(super) async fn mail_notice(
        &self,
        job: &ClaimedJob,
        id: NoticeId,
        party: Party,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        let notice = self.store.notice(id).await?;
        let is_open = |notice: &Notice| party == Party::Reseller || notice.sent_at.is_none();
        if let Some(notice) = notice.filter(is_open)
            && let Some(file) = self.store.order_file(notice.order).await?
            && self.still_matters(&notice, &file).await?
        {
            self.send_notice(&mut change, &notice, &file, party).await?;
        }
        self.store.commit(change).await?;
        Ok(())
    }

    async fn still_matters(&self, notice: &Notice, file: &OrderFile) -> Result<bool, AppError> {
        let now = self.clock.now();
        if matches!(notice.news, News::CertificateRevoked(_)) {
            return Ok(true);
        }
        if !file.order.is_running(now) {
            return Ok(false);
        }
        let in_force = file.order.certificate;
        Ok(match notice.news {
            News::CsrWanted(certificate)
            | News::CertificateEnding(certificate, _)
            | News::CompanionLost(certificate) => in_force == Some(certificate),
            News::ControlWanted(issuance) => {
                file.issuance.id == issuance && file.issuance.next_step(now) == NextStep::Wait
            }
            News::CertificateRevoked(_) => true,
            // Whoever has the certificate is to hear of it, also where the order has another by now.
            News::CaRevoked(_) => true,
            News::OrderEnding(_) => !self.is_succeeded(&file.order, now).await?,
        })
    }

    async fn send_notice(
        &self,
        change: &mut Change,
        notice: &Notice,
        file: &OrderFile,
        party: Party,
    ) -> Result<(), AppError> {
        let order = &file.order;
        let reseller = self.store.reseller(order.reseller).await?;
        let reseller = reseller.ok_or_else(|| AppError::Internal("its reseller is gone".into()))?;
        let readers = self.readers(notice, order, &reseller.settings, party);
        let readers = readers.await?;
        let now = self.clock.now();
        if party == Party::People {
            change.mark_told(notice.id, now);
        }
        let Some(Readers { to, told }) = readers else {
            return Ok(());
        };
        let certificate = match notice.certificate {
            Some(id) => self.store.certificate(id).await?,
            None => None,
        };
        let mut mail = self.notice_mail(notice, file, certificate.as_ref(), to);
        if party == Party::Reseller {
            // A message of its own.
            mail.message_id.insert_str(0, "reseller-");
        }
        let ResellerSettings {
            notice_sender,
            notice_footer,
            ..
        } = &reseller.settings;
        if let Some(footer) = notice_footer {
            mail.text.push_str(&format!("\n-- \n{footer}\n"));
        }
        let sent = match mail.to.is_empty() {
            true => Ok(()),
            false => self.mailer.send_as(notice_sender.as_deref(), &mail).await,
        };
        let outcome = match sent {
            Ok(()) => told,
            Err(later) if later.may_pass_later() => return Err(AppError::internal(later)),
            Err(refused) => {
                tracing::warn!(order.id = order.id.0, %refused, "a notice was refused");
                format!("{told}: {refused}")
            }
        };
        let detail = Some(format!("{}: {outcome}", notice.news.kind()));
        self.note(
            change,
            order,
            Actor::Platform,
            EventKind::PersonTold,
            detail,
        )
        .await
    }
}

/// Who reads a message of a notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Party {
    /// The administrator and the technical contact of the order.
    People,
    /// The reseller, at its own address for notices.
    Reseller,
}

/// Who reads a message of a notice.
struct Readers {
    /// Their addresses, each once; nobody's where the reseller wants none to be sent.
    to: Vec<String>,
    /// Who they are, for the history.
    told: String,
}

impl App {
    /// Who of a party reads a notice about an order, by what is set for its reseller; `None` where the message is for
    /// the other party. What a duty demands is told to somebody even where the reseller wants no notices.
    async fn readers(
        &self,
        notice: &Notice,
        order: &Order,
        settings: &ResellerSettings,
        party: Party,
    ) -> Result<Option<Readers>, AppError> {
        let own = settings.notice_email.clone();
        let who = recipients(settings.notices_to, own.is_some(), notice.news.is_duty());
        let own = own.filter(|_| who.include_reseller());
        match party {
            Party::Reseller => Ok(own.map(|own| Readers {
                to: vec![own],
                told: "the reseller".to_owned(),
            })),
            Party::People if who.include_administrator() => {
                let ids = [order.administrator, order.technical, order.technical];
                let contacts = self.store.contacts(order.reseller, ids).await?;
                let told = told(order, &contacts);
                let mut to: Vec<String> = (contacts.into_iter())
                    .map(|contact| contact.details.email)
                    .collect();
                to.sort_unstable();
                to.dedup();
                // Who gets it as the reseller need not get it twice.
                to.retain(|address| Some(address) != own.as_ref());
                Ok(Some(Readers { to, told }).filter(|readers| !readers.to.is_empty()))
            }
            Party::People if own.is_none() => Ok(Some(Readers {
                to: Vec::new(),
                told: "nobody, by the reseller's settings".to_owned(),
            })),
            Party::People => Ok(None),
        }
    }
}

/// Who reads notices: as it is set, but what a duty demands has to reach the reseller, and where it has no address of
/// its own, somebody.
fn recipients(set: NoticeRecipients, has_own: bool, is_duty: bool) -> NoticeRecipients {
    match (set, has_own) {
        (NoticeRecipients::None, true) if is_duty => NoticeRecipients::Reseller,
        (NoticeRecipients::None, false) if is_duty => NoticeRecipients::Administrator,
        (NoticeRecipients::Administrator, true) if is_duty => NoticeRecipients::Both,
        (set, _) => set,
    }
}

/// Whom of an order's people there are, for its history: by their numbers, for an address would outlive them.
fn told(order: &Order, contacts: &[Contact]) -> String {
    let named = [
        ("administrator", order.administrator),
        ("technical contact", order.technical),
    ];
    let is_there = |id: ContactId| contacts.iter().any(|contact| contact.id == id);
    let told = named.into_iter().filter(|(_, id)| is_there(*id));
    let told: Vec<String> = told
        .map(|(role, id)| format!("the {role}, contact {id}"))
        .collect();
    told.join("; ")
}
